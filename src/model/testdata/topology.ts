import type {
  Bridge,
  BridgePort,
  Chain,
  Host,
  Id,
  Kind,
  ObjectOf,
  Route,
  Router,
  RouterPort,
  Rule,
  TopologyObject,
} from "../objects.ts";
import type { NameQuery, TopologyView } from "../view.ts";

/** A UUID of a small number. */
export function idOf(number: number): Id {
  return `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`;
}

/** A topology in a map: back-references are what the test writes. */
export class MapTopology implements TopologyView {
  readonly #objects: Map<string, TopologyObject>;

  constructor(objects: readonly TopologyObject[]) {
    this.#objects = new Map(objects.map((object) => [`${object.kind} ${object.id}`, object]));
  }

  get<K extends Kind>(kind: K, id: Id): ObjectOf<K> | undefined {
    return this.#objects.get(`${kind} ${id}`) as ObjectOf<K> | undefined;
  }

  idOfName({ kind, tenant, name }: NameQuery): Id | undefined {
    for (const object of this.#objects.values()) {
      if (object.kind !== kind || !("name" in object) || object.name !== name) continue;
      if (("tenant" in object ? object.tenant : "") === tenant) return object.id;
    }
    return undefined;
  }
}

/** A host. */
export function host(number: number, fields: Partial<Host> = {}): Host {
  return { kind: "host", id: idOf(number), name: `host${number}`, portIds: [], tunnelZoneIds: [], ...fields };
}

/** A bridge. */
export function bridge(number: number, fields: Partial<Bridge> = {}): Bridge {
  return {
    kind: "bridge",
    id: idOf(number),
    tenant: "blue",
    name: `bridge${number}`,
    isUp: true,
    portIds: [],
    ...fields,
  };
}

/** A router. */
export function router(number: number, fields: Partial<Router> = {}): Router {
  const base = { tenant: "blue", name: `router${number}`, isUp: true, portIds: [], routeIds: [] };
  return { kind: "router", id: idOf(number), ...base, ...fields };
}

/** A port of bridge 1. */
export function bridgePort(number: number, fields: Partial<BridgePort> = {}): BridgePort {
  const base = { tenant: "blue", isUp: true, deviceKind: "bridge", bridgeId: idOf(1) } as const;
  return { kind: "port", id: idOf(number), ...base, ...fields };
}

/** A port of router 2, 10.0.0.1/24 and fd00::1/64. */
export function routerPort(number: number, fields: Partial<RouterPort> = {}): RouterPort {
  const base = { tenant: "blue", isUp: true, deviceKind: "router", routerId: idOf(2), mtu: 1500 } as const;
  const net = { mac: "02:00:00:00:00:01", addresses: ["10.0.0.1/24", "fd00::1/64"] };
  return { kind: "port", id: idOf(number), ...base, ...net, ...fields };
}

/** A default route of router 2 through port 20. */
export function route(number: number, fields: Partial<Route> = {}): Route {
  const nextHop = { type: "port", portId: idOf(20), gateway: "10.0.0.254" } as const;
  const base = { routerId: idOf(2), source: "0.0.0.0/0", destination: "0.0.0.0/0", weight: 100, nextHop };
  return { kind: "route", id: idOf(number), ...base, ...fields };
}

/** An empty chain. */
export function chain(number: number, fields: Partial<Chain> = {}): Chain {
  return { kind: "chain", id: idOf(number), tenant: "blue", name: `chain${number}`, ruleIds: [], ...fields };
}

/** A rule of chain 3 that accepts everything. */
export function rule(number: number, fields: Partial<Rule> = {}): Rule {
  return { kind: "rule", id: idOf(number), chainId: idOf(3), condition: {}, action: { type: "accept" }, ...fields };
}
