import { formatIp, type Ip, isLinkLocalV6 } from "../addr/ip.ts";
import { formatMac, type Mac, macHigh, macLow } from "../addr/mac.ts";
import { hashIp, tagNeighbor, tagNeighborAbsent } from "../flow/tag.ts";
import { NEIGHBOR_WAIT } from "../state/neighbor-resolver.ts";
import { isV4Words } from "./ip-words.ts";
import type { MacWords } from "./packet.ts";
import type { SimPort } from "./sim-port.ts";
import type { SimRouter } from "./sim-router.ts";
import type { Walk } from "./walk.ts";

/**
 * The MAC address of the next hop `ip`, out of `walk.outPort` of `router`: that of a linked router port; what a linked
 * bridge knows of its routers and from its address table, without a question to anyone; else what the resolver says.
 * `wait` is set in the walk. `failed`: the neighbor is outside all subnets of the port, or did not answer.
 */
export function nextHopMac(walk: Walk, router: SimRouter, ip: Ip): MacWords | "wait" | "failed" {
  const outPort = walk.outPort as SimPort;
  if (outPort.peer !== 0) {
    const peer = walk.port(outPort.peer);
    if (peer === undefined) {
      walk.lack(outPort.peer);
      return walk.isAbsent(outPort.peer) ? "failed" : "wait";
    }
    if (peer.isRouter) return peer;
    const known = macAtBridge(walk, peer, ip);
    if (known !== undefined) return known;
  }
  return isOnLink(outPort, ip) ? resolve(walk, router, ip) : "failed";
}

/** True when a neighbor with this address can be behind the port. */
export function isOnLink(port: SimPort, ip: Ip): boolean {
  const isV4 = isV4Words(ip);
  for (const address of port.addresses) {
    if (address.isV4 !== isV4) continue;
    if (address.subnet.contains(ip) || (!isV4 && isLinkLocalV6(ip))) return true;
  }
  return false;
}

function macAtBridge(walk: Walk, bridgePort: SimPort, ip: Ip): MacWords | undefined {
  const bridge = walk.bridge(bridgePort.device);
  if (bridge === undefined) return undefined;
  walk.readAddress(bridge, ip);
  const router = bridge.routerIps.get(ip);
  if (router !== undefined && router.bridgePort.vlan === bridgePort.vlan) return router.routerPort;
  const mac = bridge.tables.macOf(ip);
  if (mac === undefined) return undefined;
  if (walk.portOfMac(bridge, (bridgePort.vlan << 16) | macHigh(mac), macLow(mac)) === 0) return undefined;
  if (walk.sink !== undefined) walk.note(`bridge ${bridge.label} knows ${formatIp(ip)}: ${formatMac(mac)}`);
  return walk.macWords(mac);
}

function resolve(walk: Walk, router: SimRouter, ip: Ip): MacWords | "wait" | "failed" {
  const table = router.handle;
  const port = (walk.outPort as SimPort).handle;
  const hash = hashIp(ip);
  const key = walk.neighborKey(table, ip);
  // Who has been told that nobody answers does not ask again at once.
  const isUnresolved = walk.isUnresolved(table, ip);
  const mayAsk = walk.mayAsk && !isUnresolved;
  const mac: Mac = mayAsk ? walk.neighbors.get(key, port, walk.now) : walk.neighbors.peek(key, walk.now);
  if (mac >= 0) {
    walk.tags.add(tagNeighbor(table, hash));
    if (walk.sink !== undefined)
      walk.sink.reads?.(tagNeighbor(table, hash), `neighbor ${router.label} ${formatIp(ip)}`);
    if (walk.sink !== undefined) walk.note(`neighbor ${formatIp(freeze(ip))} is ${formatMac(mac)}`);
    return walk.macWords(mac);
  }
  const absent = tagNeighborAbsent(table, hash);
  walk.tags.add(absent);
  if (walk.sink !== undefined) walk.sink.reads?.(absent, `no neighbor ${router.label} ${formatIp(ip)}`);
  if (mac !== NEIGHBOR_WAIT || isUnresolved) return "failed";
  walk.waitForNeighbor(table, ip);
  return "wait";
}

function freeze(ip: Ip): Ip {
  return { w0: ip.w0 >>> 0, w1: ip.w1 >>> 0, w2: ip.w2 >>> 0, w3: ip.w3 >>> 0 };
}
