import type { Log } from "../base/log.ts";
import { BRIDGE_NEIGHBOR_MAP, FDB_MAP, NEIGHBOR_MAP } from "../state/map-kinds.ts";
import type { StoreConnection } from "../store/recipes/connection.ts";
import type { Layout } from "../store/recipes/layout.ts";
import type { MapMetrics } from "../store/recipes/map-metrics.ts";
import type { MapName } from "./core/messages.ts";
import { FollowedMap } from "./followed-map.ts";
import type { MapToOpen, OpenMap } from "./world.ts";

/** What maps are opened with. */
export interface MapOpener {
  readonly connection: StoreConnection;
  readonly layout: Layout;
  readonly log: Log;
  /** Measures every map that is opened. */
  readonly metrics?: MapMetrics;
  /** Paths that the session owned when this process took it up; left out when it never takes one up. */
  owned?(): Promise<ReadonlySet<string>>;
}

/** Opens a device's replicated map; the winner of each key is told as an event of the control core from then on. */
export function openMap(opener: MapOpener, map: MapName, device: MapToOpen): OpenMap {
  const { id: deviceId, remembered, earlier, onEvent } = device;
  const { connection, layout, log, owned, metrics } = opener;
  const { clock } = connection.scheduler;
  const common = {
    connection,
    log,
    map,
    deviceId,
    remembered,
    earlier,
    onEvent,
    ...(owned && { owned }),
    ...(metrics && { metrics }),
  };
  switch (map) {
    case "fdb":
      return new FollowedMap({
        ...common,
        kind: FDB_MAP,
        path: layout.map({ kind: "bridge", id: deviceId }, map),
        toChange: (key, portId) => ({ kind: "fdb", bridgeId: deviceId, vlan: key.vlan, mac: key.mac, portId }),
        parts: (opinion) =>
          opinion.map === "fdb" ? [{ vlan: opinion.vlan, mac: opinion.mac }, opinion.portId] : undefined,
        // Flows hold it, and all of them have been simulated again: nobody has seen the address since.
        isOver: () => true,
      });
    case "neighbor":
      return new FollowedMap({
        ...common,
        kind: NEIGHBOR_MAP,
        path: layout.map({ kind: "router", id: deviceId }, map),
        toChange: (ip, entry) => ({ kind: "router-neighbor", routerId: deviceId, ip, entry }),
        parts: (opinion) => (opinion.map === "neighbor" ? [opinion.ip, opinion.entry] : undefined),
        isOver: (entry) => entry.expiresAt <= clock.wall(),
      });
    case "bridge-neighbor":
      return new FollowedMap({
        ...common,
        kind: BRIDGE_NEIGHBOR_MAP,
        path: layout.map({ kind: "bridge", id: deviceId }, map),
        toChange: (ip, mac) => ({ kind: "bridge-neighbor", bridgeId: deviceId, ip, mac }),
        parts: (opinion) => (opinion.map === "bridge-neighbor" ? [opinion.ip, opinion.mac] : undefined),
        // It is written once, when it is first heard, and has no life of its own: the session's end takes it.
        isOver: () => false,
      });
  }
}
