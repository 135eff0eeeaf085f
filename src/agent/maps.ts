import type { Log } from "../base/log.ts";
import type { Id } from "../model/objects.ts";
import type { WorldChange } from "../sim/world-change.ts";
import { BRIDGE_NEIGHBOR_MAP, FDB_MAP, NEIGHBOR_MAP } from "../state/map-kinds.ts";
import type { StoreConnection } from "../store/recipes/connection.ts";
import type { Layout } from "../store/recipes/layout.ts";
import type { MapKind } from "../store/recipes/map-kind.ts";
import type { MapMetrics } from "../store/recipes/map-metrics.ts";
import type { MapEntry } from "../store/recipes/replicated-map.ts";
import { TreeReplicatedMap } from "../store/recipes/tree-replicated-map.ts";
import type { OpenMap } from "./control-shell.ts";
import type { ControlEvent } from "./core/control-events.ts";
import type { MapName, Opinion } from "./core/messages.ts";

/** What maps are opened with. */
export interface MapOpener {
  readonly connection: StoreConnection;
  readonly layout: Layout;
  readonly log: Log;
  /** Measures every map that is opened. */
  readonly metrics?: MapMetrics;
}

/** Opens a device's replicated map; the winner of each key is told as an event of the control core from then on. */
export function openMap(
  opener: MapOpener,
  map: MapName,
  device: { readonly id: Id; onEvent(event: ControlEvent): void },
): OpenMap {
  const deviceId = device.id;
  switch (map) {
    case "fdb":
      return follow(opener, FDB_MAP, {
        map,
        deviceId,
        path: opener.layout.map({ kind: "bridge", id: deviceId }, map),
        onEvent: device.onEvent,
        toChange: (key, portId) => ({ kind: "fdb", bridgeId: deviceId, vlan: key.vlan, mac: key.mac, portId }),
        parts: (opinion) =>
          opinion.map === "fdb" ? [{ vlan: opinion.vlan, mac: opinion.mac }, opinion.portId] : undefined,
      });
    case "neighbor":
      return follow(opener, NEIGHBOR_MAP, {
        map,
        deviceId,
        path: opener.layout.map({ kind: "router", id: deviceId }, map),
        onEvent: device.onEvent,
        toChange: (ip, entry) => ({ kind: "router-neighbor", routerId: deviceId, ip, entry }),
        parts: (opinion) => (opinion.map === "neighbor" ? [opinion.ip, opinion.entry] : undefined),
      });
    case "bridge-neighbor":
      return follow(opener, BRIDGE_NEIGHBOR_MAP, {
        map,
        deviceId,
        path: opener.layout.map({ kind: "bridge", id: deviceId }, map),
        onEvent: device.onEvent,
        toChange: (ip, mac) => ({ kind: "bridge-neighbor", bridgeId: deviceId, ip, mac }),
        parts: (opinion) => (opinion.map === "bridge-neighbor" ? [opinion.ip, opinion.mac] : undefined),
      });
  }
}

interface Following<K, V> {
  readonly map: MapName;
  readonly deviceId: Id;
  readonly path: string;
  onEvent(event: ControlEvent): void;
  toChange(key: K, value: V | undefined): WorldChange;
  parts(opinion: Opinion): readonly [K, V] | undefined;
}

function follow<K, V>(opener: MapOpener, kind: MapKind<K, V>, following: Following<K, V>): OpenMap {
  const { log, connection, metrics } = opener;
  const counters = metrics === undefined ? {} : { counters: metrics.counters };
  const map = new TreeReplicatedMap<K, V>({ connection, path: following.path, kind, ...counters });
  const forget = metrics?.add(kind.name, map);
  const tell = (key: K, entry: MapEntry<V> | undefined): void => {
    following.onEvent({ kind: "entry", change: following.toChange(key, entry?.value) });
  };
  map.subscribe({
    onLoaded: (entries) => {
      for (const [key, entry] of entries) tell(key, entry);
      following.onEvent({ kind: "map-loaded", map: following.map, deviceId: following.deviceId });
    },
    onChange: tell,
    onDamaged: (name, why) => log.warn("map.damaged", { map: kind.name, name, why }),
  });
  const write = (what: string, done: Promise<{ readonly ok: boolean }>): void => {
    void done.then((result) => {
      if (!result.ok) log.warn("map.write.failed", { map: kind.name, what });
    });
  };
  return {
    put(opinion) {
      const parts = following.parts(opinion);
      if (parts !== undefined) write("put", map.put(parts[0], parts[1]));
    },
    remove(opinion) {
      const parts = following.parts(opinion);
      if (parts !== undefined) write("remove", map.remove(parts[0], parts[1]));
    },
    close({ keep = false } = {}) {
      forget?.();
      void map.close({ forget: !keep });
    },
  };
}
