import { formatIp, type Ip, parseIp } from "../addr/ip.ts";
import { formatMac, parseMac } from "../addr/mac.ts";
import { type ApiError, apiError } from "../api-schema/errors.ts";
import type { FdbEntry, FdbEntryCreate, NeighborEntry, NeighborEntryCreate } from "../api-schema/state-resource.ts";
import { err, ok, type Result } from "../base/result.ts";
import { sleep } from "../base/scheduler.ts";
import type { Id } from "../model/objects.ts";
import {
  BRIDGE_NEIGHBOR_MAP,
  type DeviceMapKind,
  FDB_MAP,
  type FdbKey,
  NEIGHBOR_MAP,
  NEVER,
} from "../state/map-kinds.ts";
import type { StoreConnection } from "../store/recipes/connection.ts";
import { Layout } from "../store/recipes/layout.ts";
import type { ReplicatedMap } from "../store/recipes/replicated-map.ts";
import type { StoreError } from "../store/recipes/store-error.ts";
import { TreeReplicatedMap } from "../store/recipes/tree-replicated-map.ts";
import { MAP_READY_WITHIN_MS } from "./limits.ts";
import { apiErrorOfStore } from "./store-failure.ts";

/** A device that has tables. */
export interface TableOwner {
  readonly kind: "bridge" | "router";
  readonly id: Id;
}

type Step<T> = Promise<Result<T, ApiError>>;

/**
 * The tables that hosts share about devices, as a client sees them. A table is opened for one request and closed again:
 * people ask seldom, and an open table costs the store an event for every change.
 */
export class DeviceTables {
  readonly #connection: StoreConnection;
  readonly #layout: Layout;

  constructor(connection: StoreConnection, layout: Layout = new Layout()) {
    this.#connection = connection;
    this.#layout = layout;
  }

  /** All of a bridge's FDB, in order of VLAN and address. */
  fdb(bridgeId: Id): Step<readonly FdbEntry[]> {
    return this.#read({ kind: "bridge", id: bridgeId }, FDB_MAP, (key, value, origin) => {
      return { mac: formatMac(key.mac), vlan: key.vlan, portId: value, origin };
    });
  }

  /** Configures where a MAC address is. */
  addFdbEntry(bridgeId: Id, { mac, vlan = 0, portId }: FdbEntryCreate): Step<FdbEntry> {
    return this.#with({ kind: "bridge", id: bridgeId }, FDB_MAP, async (map) => {
      const key = { mac: macOf(mac), vlan };
      const done = await map.configure(key, portId);
      return done.ok ? ok({ mac, vlan, portId, origin: "configured" as const }) : done;
    });
  }

  /** Takes the configured entry back; what was learned stays. `not-found` when none was configured. */
  async removeFdbEntry(bridgeId: Id, key: { readonly mac: string; readonly vlan: number }): Step<void> {
    const wanted: FdbKey = { mac: macOf(key.mac), vlan: key.vlan };
    const owner = { kind: "bridge", id: bridgeId } as const;
    const wasThere = await this.#with(owner, FDB_MAP, (map) => unconfigured(map, wanted));
    return removed(wasThere, `FDB entry ${key.mac} of VLAN ${key.vlan}`);
  }

  /** A router's neighbor table, or the addresses that a bridge answers for, in order of address. */
  neighbors(owner: TableOwner): Step<readonly NeighborEntry[]> {
    if (owner.kind === "bridge") {
      return this.#read(owner, BRIDGE_NEIGHBOR_MAP, (ip, mac, origin) => ({
        ip: formatIp(ip),
        mac: formatMac(mac),
        origin,
      }));
    }
    return this.#read(owner, NEIGHBOR_MAP, (ip, entry, origin) => {
      const { staleAt, expiresAt } = entry;
      const times = staleAt === NEVER ? {} : { staleAt: Math.floor(staleAt), expiresAt: Math.floor(expiresAt) };
      return { ip: formatIp(ip), mac: formatMac(entry.mac), origin, ...times };
    });
  }

  /** Configures the MAC address of an IP address. */
  addNeighbor(owner: TableOwner, { ip, mac }: NeighborEntryCreate): Step<NeighborEntry> {
    const entry = { ip, mac, origin: "configured" } as const;
    const key = ipOf(ip);
    if (owner.kind === "bridge") {
      return this.#with(owner, BRIDGE_NEIGHBOR_MAP, async (map) => {
        const done = await map.configure(key, macOf(mac));
        return done.ok ? ok(entry) : done;
      });
    }
    return this.#with(owner, NEIGHBOR_MAP, async (map) => {
      const done = await map.configure(key, { mac: macOf(mac), staleAt: NEVER, expiresAt: NEVER });
      return done.ok ? ok(entry) : done;
    });
  }

  /** Takes the configured entry back; what was learned stays. `not-found` when none was configured. */
  async removeNeighbor(owner: TableOwner, ip: string): Step<void> {
    const key = ipOf(ip);
    const wasThere =
      owner.kind === "bridge"
        ? await this.#with(owner, BRIDGE_NEIGHBOR_MAP, (map) => unconfigured(map, key))
        : await this.#with(owner, NEIGHBOR_MAP, (map) => unconfigured(map, key));
    return removed(wasThere, `neighbor entry ${ip}`);
  }

  async #read<K, V, Shown>(
    owner: TableOwner,
    kind: DeviceMapKind<K, V>,
    show: (key: K, value: V, origin: "learned" | "configured") => Shown,
  ): Step<readonly Shown[]> {
    return this.#with(owner, kind, async (map) => {
      const rows = [...map.entries()].map(
        ([key, { value, origin }]) => [kind.key.format(key), show(key, value, origin)] as const,
      );
      return ok(rows.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, shown]) => shown));
    });
  }

  async #with<K, V, T>(
    owner: TableOwner,
    kind: DeviceMapKind<K, V>,
    use: (map: ReplicatedMap<K, V>) => Promise<Result<T, StoreError>>,
  ): Step<T> {
    const path = this.#layout.map(owner, kind.name);
    const map = new TreeReplicatedMap<K, V>({ connection: this.#connection, kind, path });
    const patience = new AbortController();
    try {
      const late = sleep(this.#connection.scheduler, MAP_READY_WITHIN_MS, patience.signal).then(
        () => true,
        () => false,
      );
      const isLate = await Promise.race([map.ready.then(() => false), late]);
      if (isLate) return err(apiError("store-unavailable", { expected: `an answer within ${MAP_READY_WITHIN_MS} ms` }));
      const result = await use(map);
      return result.ok ? result : err(apiErrorOfStore(result.error));
    } finally {
      patience.abort();
      await map.close();
    }
  }
}

/** Takes configured opinions back, and says whether there were any. */
async function unconfigured<K, V>(map: ReplicatedMap<K, V>, key: K): Promise<Result<boolean, StoreError>> {
  const opinions = await map.opinions(key);
  if (!opinions.ok) return opinions;
  if (!opinions.value.some(({ origin }) => origin === "configured")) return ok(false);
  const done = await map.unconfigure(key);
  return done.ok ? ok(true) : done;
}

function removed(wasThere: Result<boolean, ApiError>, object: string): Result<void, ApiError> {
  if (!wasThere.ok) return wasThere;
  return wasThere.value
    ? ok(undefined)
    : err(apiError("not-found", { object, expected: "an entry that was configured" }));
}

/** The address of a text that the schema has checked. */
function ipOf(text: string): Ip {
  const ip = parseIp(text);
  if (!ip.ok) throw new Error(`unchecked address ${text}`);
  return ip.value;
}

function macOf(text: string): number {
  const mac = parseMac(text);
  if (!mac.ok) throw new Error(`unchecked address ${text}`);
  return mac.value;
}
