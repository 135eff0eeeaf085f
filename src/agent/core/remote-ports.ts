import type { Duration, Instant } from "../../base/clock.ts";
import type { Binding, Id } from "../../model/objects.ts";
import type { Placement } from "../../sim/world-change.ts";
import type { PortActive } from "./control-events.ts";
import {
  type HostLife,
  type MissedActive,
  mayForward,
  NO_OWNER,
  nextOwnership,
  type Ownership,
  type OwnershipEvent,
} from "./ownership.ts";

/** A port whose host lost its session and forwards all the same. `since` as the times that were given. */
export interface UnconfirmedPort {
  readonly portId: Id;
  readonly hostId: Id;
  readonly since: Instant;
}

/** What the `active` key of a port says. `missed`: it is gone, and was there when an earlier agent of this host looked. */
export interface ActiveKey {
  readonly state: PortActive | undefined;
  readonly isWithdrawn: boolean;
  readonly missed?: MissedActive;
}

/** Ports of one host by what is known of their owner. */
interface PortCounts {
  confirmed: number;
  unconfirmed: number;
}

/** Ports that are bound to other hosts: who serves each, and whether it may be sent to. The rule is in `ownership.ts`. */
export class RemotePorts {
  readonly #limitMs: Duration;
  readonly #ports = new Map<Id, Ownership>();
  readonly #lives = new Map<Id, HostLife>();
  readonly #counts = new Map<Id, PortCounts>();
  readonly #lost = new Set<Id>();

  /** `limitMs`: how long a host may be sent to that lost its session. */
  constructor(limitMs: Duration) {
    this.#limitMs = limitMs;
  }

  /** Begins or ends to follow a port; false: nothing changed by it. */
  watch(portId: Id, isWanted: boolean): boolean {
    if (isWanted === this.#ports.has(portId)) return false;
    this.#set(portId, NO_OWNER);
    if (!isWanted) this.#ports.delete(portId);
    return true;
  }

  /** Ids of the followed ports. */
  ids(): readonly Id[] {
    return [...this.#ports.keys()];
  }

  /** Takes what the `active` key of a port says now; false: the port is not followed. */
  active(portId: Id, key: ActiveKey, now: Instant): boolean {
    if (!this.#ports.has(portId)) return false;
    this.#step(portId, eventOf(key), now);
    return true;
  }

  /** Takes how a host lives; the ports of which it says something new. */
  life(hostId: Id, life: HostLife, now: Instant): readonly Id[] {
    if (this.#lifeOf(hostId) === life) return [];
    this.#lives.set(hostId, life);
    const touched = this.#portsWhere((ownership) => ownership.active.hostId === hostId);
    if (life === "dead") for (const portId of touched) this.#step(portId, { kind: "host-dead" }, now);
    return touched;
  }

  /** Time has passed: the ports that may not be sent to any more. */
  time(elapsed: Duration, now: Instant): readonly Id[] {
    const unconfirmed = this.#portsWhere((ownership) => ownership.kind === "unconfirmed");
    for (const portId of unconfirmed) this.#step(portId, { kind: "time", elapsed }, now);
    return unconfirmed.filter((portId) => this.#ports.get(portId)?.kind === "none");
  }

  /** Where frames for the port go. An older binding's host is never sent to, whatever it still claims. */
  placement(portId: Id, binding: Binding): Placement {
    const ownership = this.#ports.get(portId) ?? NO_OWNER;
    const isActive = mayForward(ownership, binding, this.#lifeOf(binding.hostId));
    const tunnelKey = isActive && ownership.kind !== "none" ? ownership.active.tunnelKey : 0;
    return { at: "remote", hostId: binding.hostId, tunnelKey, isActive };
  }

  /** Ports that are forwarded to without a confirmed owner. */
  unconfirmed(): readonly UnconfirmedPort[] {
    return [...this.#ports].flatMap(([portId, ownership]) =>
      ownership.kind === "unconfirmed" ? [{ portId, hostId: ownership.active.hostId, since: ownership.since }] : [],
    );
  }

  /** The same with what is to be remembered of them across a restart. */
  *remembered(): Generator<readonly [Id, Extract<Ownership, { kind: "unconfirmed" }>]> {
    for (const [portId, ownership] of this.#ports) if (ownership.kind === "unconfirmed") yield [portId, ownership];
  }

  /** The host that serves a port, if any. */
  ownerOf(portId: Id): Id | undefined {
    const ownership = this.#ports.get(portId) ?? NO_OWNER;
    return ownership.kind === "none" ? undefined : ownership.active.hostId;
  }

  /** Hosts that have lost their session and are sent to: none of their ports is confirmed. */
  get lostHosts(): ReadonlySet<Id> {
    return this.#lost;
  }

  /** Whether a host does not answer any more. */
  isDead(hostId: Id): boolean {
    return this.#lifeOf(hostId) === "dead";
  }

  #portsWhere(test: (ownership: Exclude<Ownership, { kind: "none" }>) => boolean): readonly Id[] {
    const found: Id[] = [];
    for (const [portId, ownership] of this.#ports) if (ownership.kind !== "none" && test(ownership)) found.push(portId);
    return found;
  }

  #step(portId: Id, event: OwnershipEvent, now: Instant): void {
    const ownership = this.#ports.get(portId) ?? NO_OWNER;
    const named = event.kind === "missed" ? event.active.hostId : this.ownerOf(portId);
    const life = named === undefined ? "unknown" : this.#lifeOf(named);
    this.#set(portId, nextOwnership(ownership, event, { now, life, limitMs: this.#limitMs }));
  }

  #set(portId: Id, ownership: Ownership): void {
    this.#count(this.#ports.get(portId) ?? NO_OWNER, -1);
    this.#count(ownership, 1);
    this.#ports.set(portId, ownership);
  }

  #count(ownership: Ownership, by: 1 | -1): void {
    if (ownership.kind === "none") return;
    const { hostId } = ownership.active;
    const counts = this.#counts.get(hostId) ?? { confirmed: 0, unconfirmed: 0 };
    counts[ownership.kind] += by;
    if (counts.confirmed + counts.unconfirmed === 0) this.#counts.delete(hostId);
    else this.#counts.set(hostId, counts);
    if (counts.unconfirmed > 0 && counts.confirmed === 0) this.#lost.add(hostId);
    else this.#lost.delete(hostId);
  }

  #lifeOf(hostId: Id): HostLife {
    return this.#lives.get(hostId) ?? "unknown";
  }
}

function eventOf({ state, isWithdrawn, missed }: ActiveKey): OwnershipEvent {
  if (state !== undefined) return { kind: "published", active: state };
  if (isWithdrawn) return { kind: "withdrawn" };
  return missed === undefined ? { kind: "vanished" } : { kind: "missed", ...missed };
}
