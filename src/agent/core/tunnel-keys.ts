import type { Instant } from "../../base/clock.ts";
import type { Prng } from "../../base/prng.ts";
import { err, ok, type Result } from "../../base/result.ts";
import type { Id } from "../../model/objects.ts";
import { KEY_REST_MS, TUNNEL_KEYS_MAX } from "./limits.ts";

/** Keys have 20 bits; 0 is never given. */
const KEY_RANGE = 1 << 20;

/** A key that rests before it may name something else. */
export interface RestingKey {
  readonly key: number;
  readonly until: Instant;
}

/**
 * Tunnel keys of this host. The egress host chooses them, at random, so that a key of a dead binding names nothing for a long
 * time: a freed key rests longer than any flow lives, or a stale flow elsewhere would deliver into another tenant.
 * Times are wall-clock, because resting keys survive a restart in the agent's journal.
 */
export class TunnelKeys {
  readonly #keys = new Map<Id, number>();
  readonly #used = new Set<number>();
  readonly #resting: RestingKey[] = [];
  readonly #prng: Prng;

  constructor(prng: Prng, resting: readonly RestingKey[] = []) {
    this.#prng = prng;
    for (const rest of resting) {
      this.#used.add(rest.key);
      this.#resting.push(rest);
    }
  }

  /** The key of an owner (a port or a bridge's flood group), new when it has none. Fails at the named limit. */
  take(owner: Id, now: Instant): Result<number, { readonly kind: "limit"; readonly limit: number }> {
    const known = this.#keys.get(owner);
    if (known !== undefined) return ok(known);
    this.#wake(now);
    if (this.#used.size >= TUNNEL_KEYS_MAX) return err({ kind: "limit", limit: TUNNEL_KEYS_MAX });
    let key = 0;
    do key = 1 + this.#prng.below(KEY_RANGE - 1);
    while (this.#used.has(key));
    this.#used.add(key);
    this.#keys.set(owner, key);
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
    this.#resting.push({ key, until: now + KEY_REST_MS });
  }

  /** Keys that rest, for the journal. */
  resting(): readonly RestingKey[] {
    return this.#resting;
  }

  #wake(now: Instant): void {
    while (this.#resting.length > 0 && (this.#resting[0] as RestingKey).until <= now) {
      this.#used.delete((this.#resting.shift() as RestingKey).key);
    }
  }
}
