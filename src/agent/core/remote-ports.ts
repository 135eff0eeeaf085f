import type { Duration, Instant } from "../../base/clock.ts";
import type { Binding, Id } from "../../model/objects.ts";
import type { Placement } from "../../sim/world-change.ts";
import type { PortActive } from "./control-events.ts";
import {
  type HostLife,
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

/** Ports that are bound to other hosts: who serves each, and whether it may be sent to. The rule is in `ownership.ts`. */
export class RemotePorts {
  readonly #limitMs: Duration;
  readonly #ports = new Map<Id, Ownership>();
  readonly #lives = new Map<Id, HostLife>();

  /** `limitMs`: how long a host may be sent to that lost its session. */
  constructor(limitMs: Duration) {
    this.#limitMs = limitMs;
  }

  /** Begins or ends to follow a port; false: nothing changed by it. */
  watch(portId: Id, isWanted: boolean): boolean {
    if (isWanted === this.#ports.has(portId)) return false;
    if (isWanted) this.#ports.set(portId, NO_OWNER);
    else this.#ports.delete(portId);
    return true;
  }

  /** Ids of the followed ports. */
  ids(): readonly Id[] {
    return [...this.#ports.keys()];
  }

  /** Takes what the `active` key of a port says now; false: the port is not followed. */
  active(
    portId: Id,
    key: { readonly state: PortActive | undefined; readonly isWithdrawn: boolean },
    now: Instant,
  ): boolean {
    if (!this.#ports.has(portId)) return false;
    const gone = key.isWithdrawn ? "withdrawn" : "vanished";
    this.#step(portId, key.state === undefined ? { kind: gone } : { kind: "published", active: key.state }, now);
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

  #portsWhere(test: (ownership: Exclude<Ownership, { kind: "none" }>) => boolean): readonly Id[] {
    const found: Id[] = [];
    for (const [portId, ownership] of this.#ports) if (ownership.kind !== "none" && test(ownership)) found.push(portId);
    return found;
  }

  #step(portId: Id, event: OwnershipEvent, now: Instant): void {
    const ownership = this.#ports.get(portId) ?? NO_OWNER;
    const life = ownership.kind === "none" ? "unknown" : this.#lifeOf(ownership.active.hostId);
    this.#ports.set(portId, nextOwnership(ownership, event, { now, life, limitMs: this.#limitMs }));
  }

  #lifeOf(hostId: Id): HostLife {
    return this.#lives.get(hostId) ?? "unknown";
  }
}
