import type { Duration, Instant } from "../base/clock.ts";
import { decodeObject, encodeObject } from "../model/encoding.ts";
import type { Id, TopologyObject } from "../model/objects.ts";
import type { PortActive } from "./core/control-events.ts";
import type { MapName } from "./core/messages.ts";
import type { MissedActive } from "./core/ownership.ts";
import type { ObjectName } from "./core/slice.ts";
import type { KnownWorld, SnapshotObject, WorldSnapshot } from "./core/world-snapshot.ts";
import type { FloodWatcher, FoundActive, FoundObject, MapToOpen, OpenMap, Watch, World } from "./world.ts";

/** What a remembered world is made of. */
export interface RememberedWorldParts {
  readonly live: World;
  /** True while the store does not answer: what is opened then is answered from memory. */
  isAway(): boolean;
  /** What is known has changed. */
  onNews(): void;
}

/** What was told of one thing. `isRecalled`: it comes from the snapshot, the store has not answered yet. */
interface Told<T> {
  value: T;
  isRecalled: boolean;
}

/**
 * A world that is remembered across restarts. It notes what is told of everything that is followed, for the next snapshot. When the
 * agent starts and the store is away, watches are answered from the snapshot first; the store's answers replace that when they come:
 * what is the same is not told again, what is not there goes. When the store is there, the snapshot still says what went while nobody
 * looked (keys and entries of hosts that lost their session), and what a document said before it was damaged.
 */
export class RememberedWorld implements World {
  readonly #parts: RememberedWorldParts;
  readonly #objects = new Map<Id, Told<TopologyObject | undefined>>();
  readonly #actives = new Map<Id, Told<FoundActive>>();
  readonly #floods = new Map<Id, Told<Map<Id, number>>>();
  readonly #maps = new Map<string, OpenMap>();
  #snapshot: WorldSnapshot | undefined;
  /** How old the snapshot was when it was recalled. */
  #age: Duration = 0;
  #isFrozen = false;

  constructor(parts: RememberedWorldParts) {
    this.#parts = parts;
  }

  /** From now on, while the store is away, watches are answered from this. `now` in wall-clock time. */
  recall(snapshot: WorldSnapshot, now: Instant): void {
    this.#snapshot = snapshot;
    this.#age = Math.max(0, now - snapshot.at);
  }

  /** What is known stays known when watches close: from now on they close because this process ends, for the next one to go on. */
  freeze(): void {
    this.#isFrozen = true;
  }

  /** Since when what is told is no newer than a snapshot; undefined when the store has answered everything. */
  get recalledAt(): Instant | undefined {
    return this.#snapshot === undefined || this.#isLive() ? undefined : this.#snapshot.at;
  }

  /** What is known, to be read piece by piece; undefined while some of it is only recalled. */
  known(at: Instant): KnownWorld | undefined {
    if (this.#parts.isAway() || !this.#isLive()) return undefined;
    this.#snapshot = undefined;
    return {
      at,
      objects: objectsOf(this.#objects),
      actives: activesOf(this.#actives),
      floods: floodsOf(this.#floods),
      maps: mapsOf(this.#maps),
    };
  }

  watchObject(name: ObjectName, tell: (found: FoundObject) => void): Watch {
    const told: Told<TopologyObject | undefined> = { value: undefined, isRecalled: false };
    this.#objects.set(name.id, told);
    const recalled = this.#recalled();
    if (recalled !== undefined) {
      told.isRecalled = true;
      told.value = objectOf(name, recalled.objects.get(name.id));
      tell({ object: told.value });
    }
    const watch = this.#parts.live.watchObject(name, (found) => {
      const wasRecalled = told.isRecalled;
      told.isRecalled = false;
      if ("damaged" in found) {
        this.#recallWhole(name, told, tell);
        return tell(found);
      }
      const isSame = wasRecalled && sameObject(told.value, found.object);
      told.value = found.object;
      this.#parts.onNews();
      if (!isSame) tell(found);
    });
    return this.#closing(watch, this.#objects, [name.id, told]);
  }

  watchActive(portId: Id, tell: (found: FoundActive) => void): Watch {
    const told: Told<FoundActive> = { value: { state: undefined, isWithdrawn: false }, isRecalled: false };
    this.#actives.set(portId, told);
    const recalled = this.#recalled();
    let missed = this.#missed(portId);
    if (recalled !== undefined) {
      told.isRecalled = true;
      const wasUnconfirmed = recalled.unconfirmed.has(portId);
      told.value = { state: wasUnconfirmed ? undefined : missed?.active, isWithdrawn: false };
      tell(wasUnconfirmed && missed !== undefined ? { ...told.value, missed } : told.value);
    }
    const watch = this.#parts.live.watchActive(portId, (found) => {
      const isSame = told.isRecalled && sameActive(told.value, found);
      const isGone = found.state === undefined && !found.isWithdrawn;
      told.isRecalled = false;
      told.value = found;
      this.#parts.onNews();
      if (!isSame) tell(isGone && missed !== undefined ? { ...found, missed } : found);
      missed = undefined;
    });
    return this.#closing(watch, this.#actives, [portId, told]);
  }

  watchFloods(bridgeId: Id, watcher: FloodWatcher): Watch {
    const told: Told<Map<Id, number>> = { value: new Map(), isRecalled: false };
    this.#floods.set(bridgeId, told);
    const recalled = this.#recalled();
    if (recalled !== undefined) {
      told.isRecalled = true;
      told.value = new Map(recalled.floods.get(bridgeId));
      watcher.onLoaded(new Map(told.value));
    }
    const change = (hostId: Id, key: number | undefined): void => {
      if (key === undefined) told.value.delete(hostId);
      else told.value.set(hostId, key);
      this.#parts.onNews();
      watcher.onChange(hostId, key);
    };
    const watch = this.#parts.live.watchFloods(bridgeId, {
      onLoaded: (keys) => {
        const wasRecalled = told.isRecalled;
        told.isRecalled = false;
        this.#parts.onNews();
        if (!wasRecalled) {
          told.value = new Map(keys);
          return watcher.onLoaded(keys);
        }
        for (const hostId of [...told.value.keys()]) if (!keys.has(hostId)) change(hostId, undefined);
        for (const [hostId, key] of keys) if (told.value.get(hostId) !== key) change(hostId, key);
      },
      onChange: change,
    });
    return this.#closing(watch, this.#floods, [bridgeId, told]);
  }

  openMap(map: MapName, device: MapToOpen): OpenMap {
    const name = `${map}/${device.id}`;
    const recalled = this.#recalled();
    const earlier = this.#snapshot?.maps.get(name) ?? [];
    const remembered = recalled === undefined ? { earlier } : { remembered: [...earlier] };
    const opened = this.#parts.live.openMap(map, {
      ...{ id: device.id, ...remembered },
      onEvent: (event) => {
        this.#parts.onNews();
        device.onEvent(event);
      },
    });
    const noted: OpenMap = {
      put: (opinion) => opened.put(opinion),
      remove: (opinion) => opened.remove(opinion),
      entries: () => opened.entries(),
      isRecalled: () => opened.isRecalled(),
      sweep: () => opened.sweep(),
      close: (options) => {
        if (this.#maps.get(name) === noted && !this.#isFrozen) this.#maps.delete(name);
        opened.close(options);
      },
    };
    this.#maps.set(name, noted);
    return noted;
  }

  /** What the snapshot has of a document that cannot be read stands, as long as nothing newer was told. */
  #recallWhole(name: ObjectName, told: Told<TopologyObject | undefined>, tell: (found: FoundObject) => void): void {
    if (told.value !== undefined) return;
    told.value = objectOf(name, this.#snapshot?.objects.get(name.id));
    if (told.value !== undefined) tell({ object: told.value });
  }

  /** What the snapshot says of a port's key: whoever finds it gone has missed its going. */
  #missed(portId: Id): MissedActive | undefined {
    const active = this.#snapshot?.actives.get(portId);
    const since = this.#snapshot?.unconfirmed.get(portId);
    if (active === undefined) return undefined;
    return since === undefined
      ? { active, lasted: 0 }
      : { active, since: since.since, lasted: since.lasted + this.#age };
  }

  #recalled(): WorldSnapshot | undefined {
    return this.#snapshot !== undefined && this.#parts.isAway() ? this.#snapshot : undefined;
  }

  #closing<T>(watch: Watch, all: Map<Id, T>, [id, told]: readonly [Id, T]): Watch {
    return {
      close: () => {
        if (all.get(id) === told && !this.#isFrozen) all.delete(id);
        watch.close();
      },
    };
  }

  #isLive(): boolean {
    for (const told of [this.#objects, this.#actives, this.#floods])
      for (const { isRecalled } of told.values()) if (isRecalled) return false;
    return [...this.#maps.values()].every((map) => !map.isRecalled());
  }
}

function* objectsOf(all: ReadonlyMap<Id, Told<TopologyObject | undefined>>): Generator<TopologyObject> {
  for (const { value } of all.values()) if (value !== undefined) yield value;
}

function* activesOf(all: ReadonlyMap<Id, Told<FoundActive>>): Generator<readonly [Id, PortActive]> {
  for (const [portId, { value }] of all) if (value.state !== undefined) yield [portId, value.state];
}

function* floodsOf(all: ReadonlyMap<Id, Told<Map<Id, number>>>): Generator<readonly [Id, ReadonlyMap<Id, number>]> {
  for (const [bridgeId, { value }] of all) yield [bridgeId, value];
}

function* mapsOf(
  all: ReadonlyMap<string, OpenMap>,
): Generator<readonly [string, readonly (readonly [string, string])[]]> {
  for (const [name, map] of all) yield [name, map.entries()];
}

/** A document that cannot be read (of a release that was here before) counts as absent until the store answers. */
function objectOf(name: ObjectName, found: SnapshotObject | undefined): TopologyObject | undefined {
  const object = found?.kind === name.kind ? decodeObject(name, found.text) : undefined;
  return object?.ok === true ? object.value : undefined;
}

function sameObject(a: TopologyObject | undefined, b: TopologyObject | undefined): boolean {
  return a === undefined || b === undefined ? a === b : encodeObject(a) === encodeObject(b);
}

function sameActive(a: FoundActive, b: FoundActive): boolean {
  const [x, y] = [a.state, b.state];
  if (a.isWithdrawn !== b.isWithdrawn || x === undefined || y === undefined)
    return a.isWithdrawn === b.isWithdrawn && x === y;
  return x.hostId === y.hostId && x.tunnelKey === y.tunnelKey && x.generation === y.generation;
}
