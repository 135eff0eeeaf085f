import type { Id, TopologyObject } from "../../model/objects.ts";
import type { WorldChange } from "../../sim/world-change.ts";
import type { ControlEffect, ControlEvent } from "./control-events.ts";
import { isWalked, lacking, mapsOf } from "./control-objects.ts";
import type { MapName } from "./messages.ts";
import type { ObjectName, Slice } from "./slice.ts";

/** What became of a followed object: what was known of it before, and what nothing leads to any more. */
export interface FollowedChange {
  readonly before: TopologyObject | undefined;
  readonly unreached: readonly ObjectName[];
}

/**
 * What a control core follows of the store: the slice of the topology and the maps of its devices. Knows what was asked for and has
 * not been told yet.
 */
export class Following {
  readonly #slice: Slice;
  readonly #effect: (effect: ControlEffect) => void;
  /** What was asked of the store and not answered yet. */
  readonly #pending = new Set<string>();

  constructor(slice: Slice, effect: (effect: ControlEffect) => void) {
    this.#slice = slice;
    this.#effect = effect;
  }

  /** Begins with the host's own object. */
  start(): void {
    this.#watch(this.#slice.start().watch);
  }

  /** True when everything that was asked for has been told. */
  get isSettled(): boolean {
    return this.#pending.size === 0;
  }

  /** Topology objects that are followed. */
  get size(): number {
    return this.#slice.size;
  }

  /** An object as last told. */
  get(id: Id): TopologyObject | undefined {
    return this.#slice.get(id);
  }

  /** Every object that walks read, as a worker is told of it. */
  walked(): readonly WorldChange[] {
    const walked = [...this.#slice.objects()].filter((object) => isWalked(object.kind));
    return walked.map((object): WorldChange => ({ kind: "object", object }));
  }

  /** Something was asked for under this name, or is not wanted any more. */
  awaits(name: string, isWanted: boolean): void {
    if (isWanted) this.#pending.add(name);
    else this.#pending.delete(name);
  }

  /** Takes an object as the store has it, and tells the workers. Undefined: it is not followed. */
  take(event: ControlEvent & { kind: "object" }): FollowedChange | undefined {
    const { name, object, why } = event;
    this.#pending.delete(name.id);
    if (!this.#slice.isWatched(name.id)) return undefined;
    if (why !== undefined) this.#log("warn", "object.damaged", { kind: name.kind, id: name.id, why });
    const before = this.#slice.get(name.id);
    const wasShort = this.#slice.isShort;
    const { watch, unwatch, leftOut } = this.#slice.update(name, object);
    if (this.#slice.isShort !== wasShort) this.#tellRoom();
    for (const left of leftOut) this.#tell(lacking(left));
    this.#watch(watch);
    if (isWalked(name.kind)) this.#tell(object === undefined ? without(name, why) : { kind: "object", object });
    return { before, unreached: unwatch };
  }

  /** Opens the maps of a device that has come, and closes those of one that has gone. */
  followMaps(name: ObjectName, { before, object }: Record<"before" | "object", TopologyObject | undefined>): void {
    if (before === undefined && object !== undefined) this.#openMaps(name);
    if (before !== undefined && object === undefined) this.closeMaps(name);
  }

  /** Ends the watch of what is not reached any more. */
  unwatch(name: ObjectName): void {
    this.#effect({ kind: "unwatch-object", name });
    this.#pending.delete(name.id);
  }

  /** Closes the maps of a device that has gone, or is not reached any more. */
  closeMaps({ kind, id }: ObjectName): void {
    if (kind === "bridge") this.#effect({ kind: "unwatch-floods", bridgeId: id });
    for (const map of mapsOf(kind)) {
      this.#pending.delete(`${map} ${id}`);
      this.#effect({ kind: "close-map", map, deviceId: id });
    }
  }

  /** A map was told in full. */
  loaded(map: MapName, deviceId: Id): void {
    this.#pending.delete(`${map} ${deviceId}`);
  }

  /** Answers a worker that lacks an object, if it is not on its way: there is none, or no room for it. */
  wanted(id: Id): void {
    if (this.#slice.isWatched(id)) return;
    const left = this.#slice.leftOut(id);
    this.#tell(left === undefined ? { kind: "absent", id } : lacking(left));
  }

  #watch(names: readonly ObjectName[]): void {
    for (const name of names) {
      this.#pending.add(name.id);
      this.#effect({ kind: "watch-object", name });
    }
  }

  #openMaps({ kind, id }: ObjectName): void {
    if (kind === "bridge") this.#effect({ kind: "watch-floods", bridgeId: id });
    for (const map of mapsOf(kind)) {
      this.#pending.add(`${map} ${id}`);
      this.#effect({ kind: "open-map", map, deviceId: id });
    }
  }

  #tellRoom(): void {
    const { isShort, size } = this.#slice;
    if (isShort) this.#log("warn", "topology.limit", { objects: size });
    else this.#log("info", "topology.room", { objects: size });
  }

  #tell(change: WorldChange): void {
    this.#effect({ kind: "tell-workers", message: { kind: "world", change } });
  }

  #log(level: "info" | "warn", event: string, fields: Readonly<Record<string, string | number>>): void {
    this.#effect({ kind: "log", level, event, fields });
  }
}

/** What the workers are told of an object that the store does not have, or not in a form that can be read (`why`). */
function without(name: ObjectName, why: string | undefined): WorldChange {
  return why === undefined ? { kind: "absent", id: name.id } : lacking(name);
}
