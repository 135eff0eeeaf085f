import { unreachable } from "../base/assert.ts";
import { type FlowTag, hashIp, tagBridgeNeighbor, tagFdb, tagFlood, tagObject, tagPlacement } from "../flow/tag.ts";
import type { Bridge, Chain, Id, Route, Router, TopologyObject, TunnelZone } from "../model/objects.ts";
import type { FdbLearner } from "../state/fdb.ts";
import type { NeighborResolver } from "../state/neighbor-resolver.ts";
import { Handles } from "./handles.ts";
import { RouteTable, type SimRoute } from "./route-table.ts";
import { BridgeTables, compileBridge, type SimBridge, solicitedNodeOf } from "./sim-bridge.ts";
import { compileChain, compileRule, type SimChain, type SimRule } from "./sim-chain.ts";
import { compilePort, type SimPort } from "./sim-port.ts";
import { compileRoute, compileRouter, routesOfPort, type SimRouter } from "./sim-router.ts";
import { SimUnderlay } from "./sim-underlay.ts";
import type { Placement, WorldChange } from "./world-change.ts";

/** The state machines that a world's packets ask and teach; they belong to the same thread. */
export interface WorldState {
  readonly neighbors: NeighborResolver;
  readonly fdb: FdbLearner;
}

/**
 * Everything that walks read: compiled devices, placements and tables. Confined to one thread and changed only by `apply`,
 * never during a walk. Ids are interned as handles; objects refer to each other by handle, so they may come in any
 * order, and what is not here yet makes a walk wait for exactly that.
 *
 * Bridges, routers and chains are compiled when a walk first reads them after a change.
 */
export class World {
  readonly neighbors: NeighborResolver;
  readonly fdb: FdbLearner;
  readonly #handles = new Handles();
  readonly #ports: (SimPort | undefined)[] = [];
  readonly #placements: (Placement | undefined)[] = [];
  readonly #portOfVport: number[] = [];
  readonly #bridges = new Map<number, BridgeRecord>();
  readonly #routers = new Map<number, RouterRecord>();
  readonly #chains = new Map<number, Chain>();
  readonly #routes = new Map<number, { readonly router: number; readonly route: SimRoute }>();
  readonly #rules = new Map<number, SimRule>();
  readonly #simBridges: (SimBridge | undefined)[] = [];
  readonly #simRouters: (SimRouter | undefined)[] = [];
  readonly #simChains: (SimChain | undefined)[] = [];
  /** Compiled devices and chains that lack something. */
  readonly #incomplete = new Set<number>();
  /** For walks: read through `Walk.isUnderlay`, which earns the tag. */
  readonly underlay = new SimUnderlay();
  #tags: FlowTag[] = [];

  constructor(state: WorldState) {
    this.neighbors = state.neighbors;
    this.fdb = state.fdb;
  }

  /** The handle of an id, made when new. */
  handleOf(id: Id): number {
    return this.#handles.of(id);
  }

  /** The id of a handle. */
  idOf(handle: number): Id {
    return this.#handles.idOf(handle);
  }

  /** Where a bound vport is; undefined: not known, which counts as inactive. */
  placementOf(port: number): Placement | undefined {
    return this.#placements[port];
  }

  /** The port with this vport index on this host; 0: none. */
  portOfVport(vport: number): number {
    return this.#portOfVport[vport] ?? 0;
  }

  /** The port, or undefined when it is not here. For walks: read through `Walk.port`, which earns the tag. */
  port(handle: number): SimPort | undefined {
    return this.#ports[handle];
  }

  /** The bridge, compiled. */
  bridge(handle: number): SimBridge | undefined {
    return this.#simBridges[handle] ?? this.#compileBridge(handle);
  }

  /** The router, compiled. */
  router(handle: number): SimRouter | undefined {
    return this.#simRouters[handle] ?? this.#compileRouter(handle);
  }

  /** The chain, compiled. */
  chain(handle: number): SimChain | undefined {
    return this.#simChains[handle] ?? this.#compileChain(handle);
  }

  /** True for a handle that is known to name nothing (any more). */
  isAbsent(handle: number): boolean {
    return this.#handles.isAbsent(handle);
  }

  /**
   * Takes a change in. Returns the tags of all flows that it may concern; the list is the caller's until the next call. Changes
   * of a router's neighbor table go to the resolver, whose `process` names their tags.
   */
  apply(change: WorldChange): readonly FlowTag[] {
    this.#tags = [];
    switch (change.kind) {
      case "object":
        this.#setObject(change.object);
        break;
      case "absent":
        this.#setAbsent(this.handleOf(change.id));
        break;
      case "unknown":
        this.#setAbsent(this.handleOf(change.id));
        this.#handles.setAbsent(this.handleOf(change.id), false);
        break;
      case "placement":
        this.#setPlacement(this.handleOf(change.portId), change.placement);
        break;
      case "fdb": {
        const bridge = this.handleOf(change.bridgeId);
        const port = change.portId === undefined ? 0 : this.handleOf(change.portId);
        const before = this.#bridgeRecord(bridge).tables.fdb.set(change.vlan, change.mac, port);
        if (before !== port) this.#tags.push(tagFdb(bridge, change.vlan, change.mac));
        this.fdb.notify({ bridge, vlan: change.vlan, mac: change.mac }, port);
        break;
      }
      case "router-neighbor":
        this.neighbors.notify({ table: this.handleOf(change.routerId), ip: change.ip }, change.entry);
        break;
      case "bridge-neighbor": {
        const bridge = this.handleOf(change.bridgeId);
        this.#tags.push(...this.#bridgeRecord(bridge).tables.setMac(bridge, change.ip, change.mac));
        break;
      }
      default:
        unreachable(change);
    }
    return this.#tags;
  }

  #setObject(object: TopologyObject): void {
    const handle = this.handleOf(object.id);
    this.#handles.setAbsent(handle, false);
    switch (object.kind) {
      case "host":
        break;
      case "tunnel-zone":
        this.#setZone(handle, object);
        break;
      case "bridge":
        this.#setBridge(handle, object);
        break;
      case "router":
        this.#setRouter(handle, object);
        break;
      case "port":
        this.#setPort(handle, compilePort(object, this.#handles));
        break;
      case "route":
        this.#setRoute(handle, object);
        break;
      case "chain":
        this.#setChain(handle, object);
        break;
      case "rule":
        this.#setRule(handle, compileRule(object, this.#handles));
        break;
      default:
        unreachable(object);
    }
  }

  #setZone(handle: number, zone: TunnelZone | undefined): void {
    if (this.underlay.set(handle, zone)) this.#tags.push(this.underlay.tag);
  }

  #setAbsent(handle: number): void {
    this.#handles.setAbsent(handle, true);
    this.#tags.push(tagObject(handle));
    if (this.#ports[handle] !== undefined) this.#setPort(handle, undefined);
    if (this.#bridges.has(handle)) this.#setBridge(handle, undefined);
    if (this.#routers.has(handle)) this.#setRouter(handle, undefined);
    if (this.#chains.has(handle)) this.#setChain(handle, undefined);
    if (this.#routes.has(handle)) this.#setRoute(handle, undefined);
    if (this.#rules.has(handle)) this.#setRule(handle, undefined);
    this.#setZone(handle, undefined);
    // Somebody may have listed it as missing.
    this.#forgetIncomplete();
  }

  #setPlacement(port: number, placement: Placement | undefined): void {
    const before = this.#placements[port];
    if (before?.at === "local" && this.#portOfVport[before.vport] === port) this.#portOfVport[before.vport] = 0;
    if (placement?.at === "local") this.#portOfVport[placement.vport] = port;
    this.#placements[port] = placement;
    this.#tags.push(tagPlacement(port));
    const sim = this.#ports[port];
    if (sim !== undefined && !sim.isRouter) this.#tags.push(tagFlood(sim.device));
  }

  #setPort(handle: number, port: SimPort | undefined): void {
    const before = this.#ports[handle];
    this.#touchPort(before);
    this.#ports[handle] = port;
    this.#touchPort(port);
    this.#tags.push(tagObject(handle));
    if ((before?.vlan ?? 0) !== (port?.vlan ?? 0)) this.#tags.push(tagObject((port ?? before)?.device ?? 0));
    if (before?.isRouter === true || port?.isRouter === true) this.#changePortRoutes(before, port);
    this.#forgetIncomplete();
  }

  /** What a port, old or new, is part of: its device, and what it or its peer tells a bridge about a router. */
  #touchPort(port: SimPort | undefined): void {
    if (port === undefined) return;
    this.#simBridges[port.device] = undefined;
    this.#simRouters[port.device] = undefined;
    if (!port.isRouter) this.#tags.push(tagFlood(port.device));
    const peer = this.#ports[port.peer];
    if (peer === undefined) return;
    this.#simBridges[peer.device] = undefined;
    if (port.isRouter && !peer.isRouter) this.#touchRouterBinding(peer, port);
    if (!port.isRouter && peer.isRouter) this.#touchRouterBinding(port, peer);
  }

  #touchRouterBinding(bridgePort: SimPort, routerPort: SimPort): void {
    const bridge = bridgePort.device;
    this.#tags.push(tagFdb(bridge, bridgePort.vlan, routerPort.mac));
    for (const { ip, isV4 } of routerPort.addresses) {
      this.#tags.push(tagBridgeNeighbor(bridge, hashIp(ip)));
      if (!isV4) this.#tags.push(tagBridgeNeighbor(bridge, hashIp(solicitedNodeOf(ip))));
    }
  }

  #changePortRoutes(before: SimPort | undefined, after: SimPort | undefined): void {
    const old = before === undefined ? [] : routesOfPort(before);
    const now = after === undefined ? [] : routesOfPort(after);
    const isSameRouter = before?.device === after?.device;
    for (const route of old) {
      if (isSameRouter && now.some((other) => other.id === route.id)) continue;
      this.#tags.push(...this.#routesOf(before?.device ?? 0).remove(route));
    }
    for (const route of now) {
      if (isSameRouter && old.some((other) => other.id === route.id)) continue;
      this.#tags.push(...this.#routesOf(after?.device ?? 0).add(route));
    }
  }

  #setBridge(handle: number, bridge: Bridge | undefined): void {
    const record = this.#bridgeRecord(handle);
    const before = record.object;
    record.object = bridge;
    this.#simBridges[handle] = undefined;
    if (before === undefined || bridge === undefined || hasOtherSettings(before, bridge))
      this.#tags.push(tagObject(handle));
    const old = new Set(before?.portIds);
    const now = new Set(bridge?.portIds);
    const changed = [...old.symmetricDifference(now)];
    if (changed.length > 0) this.#tags.push(tagFlood(handle));
    for (const id of changed) {
      const port = this.#ports[this.handleOf(id)];
      if (port === undefined) continue;
      if (port.vlan !== 0) this.#tags.push(tagObject(handle));
      const peer = this.#ports[port.peer];
      if (peer?.isRouter === true) this.#touchRouterBinding(port, peer);
    }
    if (bridge === undefined) this.#bridges.delete(handle);
  }

  #setRouter(handle: number, router: Router | undefined): void {
    const record = this.#routerRecord(handle);
    const before = record.object;
    record.object = router;
    this.#simRouters[handle] = undefined;
    if (before === undefined || router === undefined || hasOtherSettings(before, router))
      this.#tags.push(tagObject(handle));
    if (router === undefined) this.neighbors.forget(handle);
  }

  #setRoute(handle: number, object: Route | undefined): void {
    const before = this.#routes.get(handle);
    if (before !== undefined) this.#tags.push(...this.#routesOf(before.router).remove(before.route));
    this.#routes.delete(handle);
    if (object !== undefined) {
      const router = this.handleOf(object.routerId);
      const route = compileRoute(object, this.#handles);
      this.#routes.set(handle, { router, route });
      this.#tags.push(...this.#routesOf(router).add(route));
    }
    this.#forgetIncomplete();
  }

  #setChain(handle: number, chain: Chain | undefined): void {
    this.#simChains[handle] = undefined;
    this.#tags.push(tagObject(handle));
    if (chain === undefined) this.#chains.delete(handle);
    else this.#chains.set(handle, chain);
  }

  #setRule(handle: number, rule: SimRule | undefined): void {
    for (const version of [this.#rules.get(handle), rule]) {
      if (version === undefined) continue;
      this.#simChains[version.chain] = undefined;
      this.#tags.push(tagObject(version.chain));
    }
    if (rule === undefined) this.#rules.delete(handle);
    else this.#rules.set(handle, rule);
    this.#forgetIncomplete();
  }

  /** Devices that lacked something are compiled again: what they lacked may have come, or be known not to exist. */
  #forgetIncomplete(): void {
    for (const handle of this.#incomplete) {
      this.#simBridges[handle] = undefined;
      this.#simRouters[handle] = undefined;
      this.#simChains[handle] = undefined;
    }
    this.#incomplete.clear();
  }

  #routesOf(router: number): RouteTable {
    return this.#routerRecord(router).routes;
  }

  #bridgeRecord(handle: number): BridgeRecord {
    let record = this.#bridges.get(handle);
    if (record === undefined) {
      record = { object: undefined, tables: new BridgeTables() };
      this.#bridges.set(handle, record);
    }
    return record;
  }

  #routerRecord(handle: number): RouterRecord {
    let record = this.#routers.get(handle);
    if (record === undefined) {
      record = { object: undefined, routes: new RouteTable(handle) };
      this.#routers.set(handle, record);
    }
    return record;
  }

  #compileBridge(handle: number): SimBridge | undefined {
    const record = this.#bridges.get(handle);
    if (record?.object === undefined) return undefined;
    const { tables } = record;
    const portOf = (other: number): SimPort | undefined => this.#ports[other];
    const bridge = compileBridge(record.object, { handle, tables, handles: this.#handles, portOf });
    this.#simBridges[handle] = bridge;
    if (bridge.missing.length > 0) this.#incomplete.add(handle);
    return bridge;
  }

  #compileRouter(handle: number): SimRouter | undefined {
    const record = this.#routers.get(handle);
    if (record?.object === undefined) return undefined;
    const isHere = (other: number): boolean => this.#ports[other] !== undefined || this.#routes.has(other);
    const { routes } = record;
    const sim = compileRouter(record.object, { handle, routes, handles: this.#handles, isHere });
    this.#simRouters[handle] = sim;
    if (sim.missing.length > 0) this.#incomplete.add(handle);
    return sim;
  }

  #compileChain(handle: number): SimChain | undefined {
    const chain = this.#chains.get(handle);
    if (chain === undefined) return undefined;
    const sim = compileChain(chain, handle, {
      ruleOf: (rule) => this.#rules.get(rule),
      handles: this.#handles,
    });
    this.#simChains[handle] = sim;
    if (sim.missing.length > 0) this.#incomplete.add(handle);
    return sim;
  }
}

interface BridgeRecord {
  object: Bridge | undefined;
  readonly tables: BridgeTables;
}

interface RouterRecord {
  object: Router | undefined;
  readonly routes: RouteTable;
}

function hasOtherSettings(a: Bridge | Router, b: Bridge | Router): boolean {
  return a.isUp !== b.isUp || a.inboundFilterId !== b.inboundFilterId || a.outboundFilterId !== b.outboundFilterId;
}
