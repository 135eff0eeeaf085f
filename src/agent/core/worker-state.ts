import type { Duration, Instant } from "../../base/clock.ts";
import type { FlowTag } from "../../flow/tag.ts";
import type { EmittedFrame, WalkFacts } from "../../sim/result.ts";
import type { Simulator } from "../../sim/simulator.ts";
import type { WorldChange } from "../../sim/world-change.ts";
import type { FdbEffect, FdbLearner } from "../../state/fdb.ts";
import type { NeighborEffect, NeighborKey, NeighborResolver } from "../../state/neighbor-resolver.ts";
import type { FlowBook } from "./flow-book.ts";
import type { FromWorker } from "./messages.ts";
import { neighborWaitKey } from "./wait-key.ts";

/** The parts whose state a worker owns. */
export interface WorkerStateParts {
  readonly simulator: Simulator;
  readonly resolver: NeighborResolver;
  readonly fdb: FdbLearner;
  /** Wall-clock minus monotonic time. */
  wallOffset(): Duration;
  send(message: FromWorker): void;
}

/** What the state asks of the worker around it. */
export interface WorkerStateHost {
  emit(frame: EmittedFrame): void;
  release(on: string, unresolved: NeighborKey | undefined): void;
}

/**
 * What a worker knows besides flows: the world, the neighbor resolver, the FDB learner. Turns their effects into messages for
 * the control thread, frames, released packets and invalidated flows.
 */
export class WorkerState {
  readonly #parts: WorkerStateParts;
  readonly #book: FlowBook;
  readonly #host: WorkerStateHost;

  constructor(parts: WorkerStateParts, book: FlowBook, host: WorkerStateHost) {
    this.#parts = parts;
    this.#book = book;
    this.#host = host;
    parts.resolver.setWallOffset(parts.wallOffset());
  }

  /** Takes a change of the world in; flows that depend on it are queued, and miss at once when it may have forbidden them. */
  applyChange(change: WorldChange): void {
    const revoke = mayForbid(change);
    for (const tag of this.#parts.simulator.world.apply(change)) this.#book.invalidate(tag, revoke);
  }

  /** Takes what a packet taught: learned MAC addresses, and writes to maps. */
  taught(facts: WalkFacts, now: Instant): void {
    const { tags, writes } = facts;
    for (let i = 0; i < tags.referenceCount; i++) this.#parts.fdb.use(tags.references[i] as number, now);
    for (const write of writes) {
      const deviceId = this.#parts.simulator.world.idOf(write.bridge);
      this.#parts.send({
        kind: "map-put",
        opinion: { map: "bridge-neighbor", deviceId, ip: write.ip, mac: write.mac },
      });
    }
  }

  /** Runs resolver and learner when they are due. */
  process(now: Instant): void {
    const { resolver, fdb } = this.#parts;
    if (resolver.shouldProcess(now)) {
      resolver.setWallOffset(this.#parts.wallOffset());
      for (const effect of [...resolver.process(now)]) this.#neighbor(effect);
    }
    if (fdb.shouldProcess(now)) for (const effect of [...fdb.process(now)]) this.#learned(effect);
  }

  /** When `process` is due again at the latest. */
  nextAt(): Instant {
    return Math.min(this.#parts.resolver.nextAt(), this.#parts.fdb.nextAt());
  }

  #neighbor(effect: NeighborEffect): void {
    switch (effect.kind) {
      case "request": {
        const bytes = this.#parts.simulator.neighborRequest(effect.port, effect.ip);
        if (bytes !== undefined) this.#host.emit({ port: effect.port, bytes });
        return;
      }
      case "write":
      case "remove": {
        const opinion = {
          map: "neighbor",
          deviceId: this.#parts.simulator.world.idOf(effect.table),
          ip: effect.ip,
          entry: effect.entry,
        } as const;
        return this.#parts.send({ kind: effect.kind === "write" ? "map-put" : "map-remove", opinion });
      }
      case "invalidate":
        return this.#invalidate(effect.tag);
      case "resolved":
        return this.#host.release(neighborWaitKey(effect), undefined);
      case "failed":
        return this.#host.release(neighborWaitKey(effect), { table: effect.table, ip: effect.ip });
    }
  }

  #learned(effect: FdbEffect): void {
    const { bridge, vlan, mac, port } = effect.binding;
    const { world } = this.#parts.simulator;
    const opinion = { map: "fdb", deviceId: world.idOf(bridge), vlan, mac, portId: world.idOf(port) } as const;
    this.#parts.send({ kind: effect.kind === "write" ? "map-put" : "map-remove", opinion });
  }

  #invalidate(tag: FlowTag): void {
    this.#book.invalidate(tag, false);
  }
}

/** Changes after which a flow may no longer be allowed: it must miss before it is simulated again. */
function mayForbid(change: WorldChange): boolean {
  switch (change.kind) {
    case "object":
      return change.object.kind !== "route";
    case "absent":
    case "unknown":
      return true;
    case "placement":
      return change.placement === undefined || !change.placement.isActive;
    case "fdb":
    case "router-neighbor":
    case "bridge-neighbor":
      return false;
  }
}
