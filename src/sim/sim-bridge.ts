import type { Ip } from "../addr/ip.ts";
import type { Mac } from "../addr/mac.ts";
import { type FlowTag, hashIp, tagBridgeNeighbor, tagFlood, tagObject } from "../flow/tag.ts";
import type { Bridge, Id } from "../model/objects.ts";
import { IpTable } from "../state/ip-table.ts";
import { MacTable } from "../state/mac-table.ts";
import type { Handles } from "./handles.ts";
import { isV4Words } from "./ip-words.ts";
import type { SimPort } from "./sim-port.ts";

/** A router port that is linked to a port of this bridge. */
export interface RouterBinding {
  readonly bridgePort: SimPort;
  readonly routerPort: SimPort;
}

/** A bridge as the walk reads it. Immutable but for the tables, which the world keeps up to date. */
export interface SimBridge {
  readonly handle: number;
  readonly id: Id;
  readonly label: string;
  readonly tag: FlowTag;
  readonly floodTag: FlowTag;
  readonly isUp: boolean;
  readonly inFilter: number;
  readonly outFilter: number;
  readonly isVlanAware: boolean;
  /** In the order of the bridge's list: outputs of a flood come in it. */
  readonly members: readonly SimPort[];
  /** Ids of ports (members and their peers) that this thread does not have yet. */
  readonly missing: readonly Id[];
  /** MAC addresses of linked router ports, by VLAN of the bridge port: handle of the bridge port. */
  readonly routerMacs: MacTable;
  /** IP addresses of linked router ports. */
  readonly routerIps: IpTable<RouterBinding>;
  readonly tables: BridgeTables;
}

/** What a bridge knows from its replicated maps; lives as long as the bridge, whatever version of it is compiled. */
export class BridgeTables {
  /** MAC to handle of the port. */
  readonly fdb = new MacTable();
  readonly #macs = new IpTable<Mac>();
  /** How many IPv6 entries share a solicited-node group. */
  readonly #groups = new IpTable<number>();

  /** The MAC of an IP address. */
  macOf(ip: Ip): Mac | undefined {
    return this.#macs.get(ip);
  }

  /** True when some entry is in this solicited-node group. */
  hasGroup(group: Ip): boolean {
    return this.#groups.get(group) !== undefined;
  }

  /** Sets or removes an entry. Returns the tags of flows that it may concern. */
  setMac(bridge: number, ip: Ip, mac: Mac | undefined): readonly FlowTag[] {
    const before = this.#macs.set(ip, mac);
    if (isV4Words(ip)) return [tagBridgeNeighbor(bridge, hashIp(ip))];
    const group = solicitedNodeOf(ip);
    const change = (mac === undefined ? 0 : 1) - (before === undefined ? 0 : 1);
    const count = (this.#groups.get(group) ?? 0) + change;
    this.#groups.set(group, count === 0 ? undefined : count);
    return [tagBridgeNeighbor(bridge, hashIp(ip)), tagBridgeNeighbor(bridge, hashIp(group))];
  }
}

/** The solicited-node group of an address: ff02::1:ff00:0/104 and its last 24 bits (RFC 4291 2.7.1). */
export function solicitedNodeOf(ip: Ip): Ip {
  return { w0: 0xff02_0000, w1: 0, w2: 1, w3: (0xff00_0000 | (ip.w3 & 0xff_ffff)) >>> 0 };
}

/** What compiling a bridge needs to look up. */
export interface BridgeParts {
  readonly handle: number;
  readonly tables: BridgeTables;
  readonly handles: Handles;
  readonly portOf: (handle: number) => SimPort | undefined;
}

/** Prepares a bridge from its object and the ports that are here. */
export function compileBridge(bridge: Bridge, parts: BridgeParts): SimBridge {
  const { handles } = parts;
  const members: SimPort[] = [];
  const missing: Id[] = [];
  const routerMacs = new MacTable();
  const routerIps = new IpTable<RouterBinding>();
  const require = (handle: number): SimPort | undefined => {
    const port = parts.portOf(handle);
    if (port === undefined && !handles.isAbsent(handle)) missing.push(handles.idOf(handle));
    return port;
  };
  for (const id of bridge.portIds) {
    const port = require(handles.of(id));
    if (port === undefined) continue;
    members.push(port);
    const peer = port.peer === 0 ? undefined : require(port.peer);
    if (peer?.isRouter !== true) continue;
    routerMacs.set(port.vlan, peer.mac, port.handle);
    for (const { ip } of peer.addresses) routerIps.set(ip, { bridgePort: port, routerPort: peer });
  }
  return {
    handle: parts.handle,
    id: bridge.id,
    label: bridge.name,
    tag: tagObject(parts.handle),
    floodTag: tagFlood(parts.handle),
    isUp: bridge.isUp,
    inFilter: handles.ofOptional(bridge.inboundFilterId),
    outFilter: handles.ofOptional(bridge.outboundFilterId),
    isVlanAware: members.some((port) => port.vlan !== 0),
    members,
    missing,
    routerMacs,
    routerIps,
    tables: parts.tables,
  };
}
