import type { Id, Kind, TopologyObject } from "../../model/objects.ts";

/** An object by kind and id. */
export interface ObjectName {
  readonly kind: Kind;
  readonly id: Id;
}

/** What a change of the slice asks for: objects to watch from now on, and objects that are no longer needed. */
export interface SliceChange {
  readonly watch: readonly ObjectName[];
  readonly unwatch: readonly ObjectName[];
}

/**
 * The part of the topology that one host needs: everything that a packet from one of its bound ports can touch, found by
 * following references from the host object. Grows as objects arrive; shrinks when a reference goes away.
 */
export class Slice {
  readonly #root: ObjectName;
  readonly #objects = new Map<Id, TopologyObject>();
  readonly #watched = new Map<Id, ObjectName>();

  constructor(hostId: Id) {
    this.#root = { kind: "host", id: hostId };
  }

  /** The watches to start with. */
  start(): SliceChange {
    this.#watched.set(this.#root.id, this.#root);
    return { watch: [this.#root], unwatch: [] };
  }

  /** The object as last told, or undefined. */
  get(id: Id): TopologyObject | undefined {
    return this.#objects.get(id);
  }

  /** True for an object that the slice watches. */
  isWatched(id: Id): boolean {
    return this.#watched.has(id);
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
    const watch = this.#add(wanted);
    const dropped = before !== undefined && lostAny(referencesOf(before), wanted);
    return { watch, unwatch: dropped ? this.#sweep() : [] };
  }

  #add(names: readonly ObjectName[]): ObjectName[] {
    const added: ObjectName[] = [];
    for (const name of names) {
      if (this.#watched.has(name.id)) continue;
      this.#watched.set(name.id, name);
      added.push(name);
    }
    return added;
  }

  /** References have cycles (port and bridge name each other), so what is unreachable is found by walking all. */
  #sweep(): ObjectName[] {
    const reached = new Set<Id>([this.#root.id]);
    const queue: Id[] = [this.#root.id];
    for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
      const object = this.#objects.get(id);
      for (const next of object === undefined ? [] : referencesOf(object)) {
        if (reached.has(next.id)) continue;
        reached.add(next.id);
        queue.push(next.id);
      }
    }
    const unwatch = [...this.#watched.values()].filter((name) => !reached.has(name.id));
    for (const name of unwatch) {
      this.#watched.delete(name.id);
      this.#objects.delete(name.id);
    }
    return unwatch;
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

function lostAny(before: readonly ObjectName[], after: readonly ObjectName[]): boolean {
  const kept = new Set(after.map((name) => name.id));
  return before.some((name) => !kept.has(name.id));
}
