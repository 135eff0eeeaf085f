import type { Id, Kind, TopologyObject } from "../../model/objects.ts";
import { SLICE_OBJECTS_MAX, SLICE_REFILL_SHARE } from "./limits.ts";

/** An object by kind and id. */
export interface ObjectName {
  readonly kind: Kind;
  readonly id: Id;
}

/**
 * What a change of the slice asks for: objects to watch from now on, objects that are no longer needed, and objects that are, but
 * find the slice full.
 */
export interface SliceChange {
  readonly watch: readonly ObjectName[];
  readonly unwatch: readonly ObjectName[];
  readonly leftOut: readonly ObjectName[];
}

/**
 * The part of the topology that one host needs: everything that a packet from one of its bound ports can touch, found by
 * following references from the host object. Grows as objects arrive, up to a limit; shrinks when a reference goes away, and then
 * looks again for what it had left out.
 */
export class Slice {
  readonly #root: ObjectName;
  readonly #objects = new Map<Id, TopologyObject>();
  readonly #watched = new Map<Id, ObjectName>();
  readonly #referrers = new Referrers();
  readonly #max: number;
  #isShort = false;

  constructor(hostId: Id, max: number = SLICE_OBJECTS_MAX) {
    this.#root = { kind: "host", id: hostId };
    this.#max = max;
  }

  /** The watches to start with. */
  start(): SliceChange {
    this.#watched.set(this.#root.id, this.#root);
    return { watch: [this.#root], unwatch: [], leftOut: [] };
  }

  /** Objects that it watches. */
  get size(): number {
    return this.#watched.size;
  }

  /** True while it has left something out for want of room. */
  get isShort(): boolean {
    return this.#isShort;
  }

  /** The object as last told, or undefined. */
  get(id: Id): TopologyObject | undefined {
    return this.#objects.get(id);
  }

  /** True for an object that the slice watches. */
  isWatched(id: Id): boolean {
    return this.#watched.has(id);
  }

  /** The name of an object that is needed and not watched, for want of room. */
  leftOut(id: Id): ObjectName | undefined {
    if (this.#watched.has(id)) return undefined;
    const [referrer] = [...this.#referrers.of(id)].map((from) => this.#objects.get(from));
    return referrer === undefined ? undefined : referencesOf(referrer).find((name) => name.id === id);
  }

  /** All objects that have arrived. */
  objects(): IterableIterator<TopologyObject> {
    return this.#objects.values();
  }

  /** Takes the new state of a watched object; undefined when it is gone or damaged. */
  update(name: ObjectName, object: TopologyObject | undefined): SliceChange {
    const before = this.#objects.get(name.id);
    if (object === undefined) this.#objects.delete(name.id);
    else this.#objects.set(name.id, object);
    const wanted = object === undefined ? [] : referencesOf(object);
    const { watch, leftOut } = this.#add(name.id, wanted);
    const unwatch = before === undefined ? [] : this.#drop(this.#lost(before, wanted));
    return { watch: [...watch, ...this.#refill()], unwatch, leftOut };
  }

  #add(from: Id, names: readonly ObjectName[]): { readonly watch: ObjectName[]; readonly leftOut: ObjectName[] } {
    const [watch, leftOut]: [ObjectName[], ObjectName[]] = [[], []];
    for (const name of names) {
      const isNew = this.#referrers.add(from, name.id);
      if (this.#watched.has(name.id)) continue;
      if (this.#watched.size < this.#max) {
        this.#watched.set(name.id, name);
        watch.push(name);
      } else {
        this.#isShort = true;
        if (isNew) leftOut.push(name);
      }
    }
    return { watch, leftOut };
  }

  /** Takes in what was left out, once there is some room again: it goes through everything, so not for each place that gets free. */
  #refill(): readonly ObjectName[] {
    if (!this.#isShort || this.#watched.size > this.#max * (1 - SLICE_REFILL_SHARE)) return [];
    this.#isShort = false;
    return [...this.#objects.values()].flatMap((object) => this.#add(object.id, referencesOf(object)).watch);
  }

  /** What an object does not refer to any more. */
  #lost(before: TopologyObject, wanted: readonly ObjectName[]): Id[] {
    const kept = new Set(wanted.map((name) => name.id));
    const lost = referencesOf(before).flatMap(({ id }) => (kept.has(id) ? [] : [id]));
    for (const id of lost) this.#referrers.remove(before.id, id);
    return lost;
  }

  /**
   * Takes out what is not reached any more now that these have lost a referrer. References have cycles (port and bridge name each
   * other), so counting them is not enough; going through everything for each of a thousand deletions is too much. From what has
   * lost a referrer the way back to the host is looked for, which is short when there is one; when there is none, nothing that was
   * met on it is reached either.
   */
  #drop(suspects: Id[]): ObjectName[] {
    const gone: ObjectName[] = [];
    for (let id = suspects.pop(); id !== undefined; id = suspects.pop()) {
      if (!this.#watched.has(id)) continue;
      for (const unreached of this.#unreachedFrom(id)) {
        const name = this.#watched.get(unreached);
        const object = this.#objects.get(unreached);
        if (name !== undefined) gone.push(name);
        this.#watched.delete(unreached);
        this.#objects.delete(unreached);
        for (const lost of object === undefined ? [] : this.#lost(object, [])) suspects.push(lost);
      }
    }
    return gone;
  }

  /** The object and everything from which it is reached, when the host is not among that; else nothing. */
  #unreachedFrom(id: Id): Iterable<Id> {
    const met = new Set<Id>([id]);
    for (const next of met) {
      if (next === this.#root.id) return [];
      for (const referrer of this.#referrers.of(next)) met.add(referrer);
    }
    return met;
  }
}

/** Who refers to an object, once each. Most objects have one referrer. */
class Referrers {
  readonly #of = new Map<Id, Id | Set<Id>>();

  /** True when it was not known yet. */
  add(from: Id, to: Id): boolean {
    const known = this.#of.get(to);
    if (known === from || (typeof known === "object" && known.has(from))) return false;
    if (known === undefined) this.#of.set(to, from);
    else if (typeof known === "string") this.#of.set(to, new Set([known, from]));
    else known.add(from);
    return true;
  }

  remove(from: Id, to: Id): void {
    const known = this.#of.get(to);
    if (known === from) this.#of.delete(to);
    else if (known !== undefined && typeof known !== "string") known.delete(from);
    if (typeof known === "object" && known.size === 0) this.#of.delete(to);
  }

  of(to: Id): Iterable<Id> {
    const known = this.#of.get(to) ?? [];
    return typeof known === "string" ? [known] : known;
  }
}

/** The objects that a walk may reach from this one. Hosts other than our own are not followed: a placement says what is needed. */
export function referencesOf(object: TopologyObject): readonly ObjectName[] {
  switch (object.kind) {
    case "host":
      return [...named("port", object.portIds), ...named("tunnel-zone", object.tunnelZoneIds)];
    case "bridge":
      return [...named("port", object.portIds), ...filtersOf(object)];
    case "router":
      return [...named("port", object.portIds), ...named("route", object.routeIds), ...filtersOf(object)];
    case "port": {
      const device: ObjectName =
        object.deviceKind === "bridge"
          ? { kind: "bridge", id: object.bridgeId }
          : { kind: "router", id: object.routerId };
      return [device, ...named("port", object.peerId === undefined ? [] : [object.peerId]), ...filtersOf(object)];
    }
    case "chain":
      return named("rule", object.ruleIds);
    case "rule":
      return object.action.type === "jump" ? [{ kind: "chain", id: object.action.chainId }] : [];
    case "route":
    case "tunnel-zone":
      return [];
  }
}

function filtersOf(object: { readonly inboundFilterId?: Id; readonly outboundFilterId?: Id }): ObjectName[] {
  return named(
    "chain",
    [object.inboundFilterId, object.outboundFilterId].filter((id) => id !== undefined),
  );
}

function named(kind: Kind, ids: readonly Id[]): ObjectName[] {
  return ids.map((id) => ({ kind, id }));
}
