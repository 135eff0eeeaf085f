import type { Instant } from "../../base/clock.ts";
import type { Prng } from "../../base/prng.ts";
import { err, ok, type Result } from "../../base/result.ts";
import type { Id } from "../../model/objects.ts";
import type { KeptKey, RestingKey } from "./kept.ts";
import { KEY_REST_MS, TUNNEL_KEYS_MAX } from "./limits.ts";

/** Keys have 20 bits; 0 is never given. */
const KEY_RANGE = 1 << 20;

/** What an earlier agent of this host knew of its keys. */
export interface TunnelKeysLeft {
  readonly inUse?: readonly KeptKey[];
  readonly resting?: readonly RestingKey[];
  /** Wall-clock time now: no key rests longer than from now on. A clock that was set back must not let one rest for ever. */
  readonly now?: Instant;
}

/** What an earlier agent knew, and who keeps what changes. */
export interface TunnelKeysMemory extends TunnelKeysLeft {
  /** A key was given to an owner, for a generation. */
  onTaken?(kept: KeptKey): void;
  /** A key was given back. */
  onReleased?(rest: RestingKey): void;
}

/**
 * Tunnel keys of this host. The egress host chooses them, at random, so that a key of a dead binding names nothing for a long
 * time: a freed key rests longer than any flow lives, or a stale flow elsewhere would deliver into another tenant.
 * Times are wall-clock, because resting keys survive a restart in the agent's journal. A key in use survives it too: peers' flows
 * that carry it go on to arrive.
 */
export class TunnelKeys {
  readonly #keys = new Map<Id, number>();
  readonly #used = new Set<number>();
  readonly #resting: RestingKey[] = [];
  /** Keys that an earlier agent used, until their owners come back. */
  readonly #earlier = new Map<Id, KeptKey>();
  readonly #prng: Prng;
  readonly #memory: TunnelKeysMemory;

  constructor(prng: Prng, memory: TunnelKeysMemory = {}) {
    this.#prng = prng;
    this.#memory = memory;
    for (const { key, until } of memory.resting ?? []) {
      this.#used.add(key);
      this.#resting.push({ key, until: Math.min(until, (memory.now ?? until) + KEY_REST_MS) });
    }
    this.#resting.sort((a, b) => a.until - b.until);
    for (const kept of memory.inUse ?? []) {
      if (this.#used.has(kept.key)) continue;
      this.#used.add(kept.key);
      this.#earlier.set(kept.owner, kept);
    }
  }

  /**
   * The key of an owner (a port or a bridge's flood group), new when it has none. `generation`: of the port's binding; a key that an
   * earlier agent gave to another one is not taken up. Fails at the named limit.
   */
  take(owner: Id, now: Instant, generation = 0): Result<number, { readonly kind: "limit"; readonly limit: number }> {
    const known = this.#keys.get(owner) ?? this.#takeUp(owner, generation, now);
    if (known !== undefined) return ok(known);
    this.#wake(now);
    if (this.#used.size >= TUNNEL_KEYS_MAX) return err({ kind: "limit", limit: TUNNEL_KEYS_MAX });
    let key = 0;
    do key = 1 + this.#prng.below(KEY_RANGE - 1);
    while (this.#used.has(key));
    this.#used.add(key);
    this.#keys.set(owner, key);
    this.#memory.onTaken?.({ owner, key, generation });
    return ok(key);
  }

  /** The key of an owner, if it has one. */
  of(owner: Id): number | undefined {
    return this.#keys.get(owner);
  }

  /** Gives the owner's key back; it rests first. */
  release(owner: Id, now: Instant): void {
    const key = this.#keys.get(owner);
    if (key === undefined) return;
    this.#keys.delete(owner);
    this.#rest(key, now);
  }

  /** Every owner of this host is known now: keys of an earlier agent that nobody came back for rest. */
  forgetEarlier(now: Instant): void {
    for (const { key } of this.#earlier.values()) this.#rest(key, now);
    this.#earlier.clear();
  }

  /** Keys that rest. */
  resting(): readonly RestingKey[] {
    return this.#resting;
  }

  #takeUp(owner: Id, generation: number, now: Instant): number | undefined {
    const kept = this.#earlier.get(owner);
    if (kept === undefined) return undefined;
    this.#earlier.delete(owner);
    if (kept.generation !== generation) {
      this.#rest(kept.key, now);
      return undefined;
    }
    this.#keys.set(owner, kept.key);
    return kept.key;
  }

  #rest(key: number, now: Instant): void {
    const rest = { key, until: now + KEY_REST_MS };
    this.#resting.push(rest);
    this.#memory.onReleased?.(rest);
  }

  #wake(now: Instant): void {
    while (this.#resting.length > 0 && (this.#resting[0] as RestingKey).until <= now) {
      this.#used.delete((this.#resting.shift() as RestingKey).key);
    }
  }
}
