import { formatIp, type Ip, isLinkLocalV6, isMulticastIp } from "../addr/ip.ts";
import { formatPrefix } from "../addr/prefix.ts";
import { FRAME_ARP, FRAME_IP6 } from "../flow/layout.ts";
import { dropReasonOfFilter, evaluateFilter } from "./filter.ts";
import { ttlOf } from "./fit.ts";
import { sendIcmpError } from "./icmp-error.ts";
import { equalIp, isUnspecified, isV4Words } from "./ip-words.ts";
import { nextHopMac } from "./next-hop.ts";
import { selectRoute } from "./route-select.ts";
import { ROUTE, type SimRoute } from "./route-table.ts";
import { arpAtRouter } from "./router-arp.ts";
import { atRouterItself } from "./router-local.ts";
import { isForNd, ndAtRouter } from "./router-nd.ts";
import type { SimPort } from "./sim-port.ts";
import type { SimRouter } from "./sim-router.ts";
import { STEP, type Step, VERDICT } from "./step.ts";
import type { Hop, Walk } from "./walk.ts";

const GROUP_BIT = 0x0100;

/**
 * A frame enters a router by a port: is it for this port, what do the in filters of port and router say, and if it is
 * IP, where does it go. Neighbor messages are looked at before the router's filter, as ARP has no such filter either.
 */
export function routerIngress(walk: Walk, port: SimPort): Step {
  const { packet } = walk;
  if (packet.vlanCount > 0) {
    if (packet.vlan !== 0) return walk.drop("vlan-mismatch", "a router takes no tagged frames");
    packet.popVlan();
  }
  const isGroup = (packet.dstMacHigh & GROUP_BIT) !== 0;
  if (!isGroup && (packet.dstMacHigh !== port.macHigh || packet.dstMacLow !== port.macLow))
    return walk.drop("not-for-me");
  // Who sends to a group is told nothing, and nothing keeps the others from getting it.
  const hop = isGroup ? undefined : arrive(walk, port);
  if (!port.isUp) return prohibit(walk, hop, "admin-down");
  const verdict = evaluateFilter(walk, port.inFilter);
  if (verdict !== VERDICT.accept) return refuseAtRouter(walk, hop, verdict);
  const router = walk.router(port.device);
  if (router === undefined) return walk.lack(port.device);
  if (walk.sink !== undefined) walk.note(`router ${router.label}`);
  if (router.missing.length > 0) return walk.waitFor(router.missing);
  if (!router.isUp) return prohibit(walk, hop, "admin-down");
  if (packet.frameClass === FRAME_ARP) return arpAtRouter(walk, router, port);
  if (!packet.isIp) return walk.drop("unsupported", "neither IP nor ARP");
  if (isForNd(walk, port, isGroup)) return ndAtRouter(walk, router, port);
  if (hop === undefined) return walk.drop("not-for-me", "group address");
  const decision = evaluateFilter(walk, router.inFilter);
  if (decision !== VERDICT.accept) return refuseAtRouter(walk, hop, decision);
  return route(walk, router, hop);
}

/** The step of a filter at a router or router port that did not accept: who is rejected is told. */
export function refuseAtRouter(walk: Walk, hop: Hop | undefined, verdict: number): Step {
  if (verdict === VERDICT.wait) return STEP.wait;
  if (verdict === VERDICT.drop) return walk.drop(dropReasonOfFilter(walk));
  return prohibit(walk, hop, "rejected");
}

/** Drops, and tells the sender, if there is one to tell, that it is forbidden. */
export function prohibit(walk: Walk, hop: Hop | undefined, reason: "admin-down" | "rejected"): Step {
  if (hop === undefined) return walk.drop(reason);
  sendIcmpError(walk, hop, { kind: "prohibited" });
  return walk.dropForNow(reason);
}

/** The packet is for this router: notes its arrival, for errors. */
function arrive(walk: Walk, port: SimPort): Hop {
  walk.isAccepted = true;
  const hop = walk.hops[walk.hopCount++] as Hop;
  const { packet } = walk;
  hop.port = port;
  hop.macHigh = packet.srcMacHigh;
  hop.macLow = packet.srcMacLow;
  hop.ttlDecrement = packet.ttlDecrement;
  hop.mtu = 0;
  return hop;
}

function route(walk: Walk, router: SimRouter, hop: Hop): Step {
  const { dst } = walk.packet;
  if (isMulticastWords(dst)) return walk.drop("unsupported", "multicast is not routed");
  const inPort = hop.port as SimPort;
  if (isLinkLocalV6(dst)) return toLinkLocal(walk, inPort, dst);
  const found = selectRoute(walk, router);
  if (found === undefined) {
    sendIcmpError(walk, hop, { kind: "no-route" });
    return walk.dropForNow("no-route", formatIp(dst));
  }
  if (walk.sink !== undefined) noteRoute(walk, found);
  switch (found.kind) {
    case ROUTE.local:
      return atRouterItself(walk, hop);
    case ROUTE.broadcast:
      return walk.drop("local-unhandled", "subnet broadcast");
    case ROUTE.blackhole:
      return walk.drop("blackhole");
    case ROUTE.reject:
      sendIcmpError(walk, hop, { kind: "reject-route" });
      return walk.dropForNow("reject-route");
    default:
      return forward(walk, router, found);
  }
}

function forward(walk: Walk, router: SimRouter, found: SimRoute): Step {
  const { packet } = walk;
  const hop = walk.hops[walk.hopCount - 1] as Hop;
  if (walk.exactTtl >= 0 && walk.exactTtl <= packet.ttlDecrement + 1) {
    sendIcmpError(walk, hop, { kind: "ttl-expired" });
    return walk.dropOnce("ttl-expired");
  }
  packet.spendTtl();
  if (walk.frame !== undefined && !walk.isSpent && ttlOf(packet, walk.frame) <= packet.ttlDecrement) walk.endFrame();
  if (packet.frameClass === FRAME_IP6 && !isRoutableSource(packet.src)) {
    return walk.drop("unsupported", "source that is not routed");
  }
  const outPort = walk.port(found.port);
  if (outPort === undefined) return walk.lack(found.port);
  walk.outPort = outPort;
  const verdict = evaluateFilter(walk, router.outFilter);
  if (verdict !== VERDICT.accept) return refuseAtRouter(walk, hop, verdict);
  const { gateway } = found;
  const answer = nextHopMac(walk, router, gateway ?? packet.dst);
  if (answer === "wait") return STEP.wait;
  if (answer === "failed") {
    sendIcmpError(walk, hop, { kind: gateway === undefined ? "host-unreachable" : "no-route" });
    return walk.dropForNow("neighbor-failed", formatIp(gateway ?? packet.dst));
  }
  packet.route(outPort, answer);
  hop.mtu = outPort.mtu;
  if (packet.maxLength === 0 || outPort.mtu < packet.maxLength) packet.maxLength = outPort.mtu;
  return walk.leaveBy(outPort.handle);
}

/** Link-local addresses are never routed (RFC 4291 2.5.6); only the port's own is for the router. */
function toLinkLocal(walk: Walk, inPort: SimPort, dst: Ip): Step {
  for (const address of inPort.addresses) {
    if (address.isLinkLocal && equalIp(address.ip, dst))
      return atRouterItself(walk, walk.hops[walk.hopCount - 1] as Hop);
  }
  return walk.drop("no-route", "link-local addresses are not routed");
}

/** IPv6 packets from link-local, unspecified and group addresses stay on their link (RFC 4291 2.5.2, 2.5.6, 2.7). */
function isRoutableSource(ip: Ip): boolean {
  return !isLinkLocalV6(ip) && !isUnspecified(ip) && !isMulticastIp(ip);
}

function isMulticastWords(ip: Ip): boolean {
  return isV4Words(ip) ? ip.w3 >>> 28 >= 0xe : isMulticastIp(ip);
}

function noteRoute(walk: Walk, found: SimRoute): void {
  const prefix = formatPrefix({ ip: found.destination, length: found.length });
  const names = Object.entries(ROUTE).find(([, code]) => code === found.kind);
  const via = found.gateway === undefined ? "" : ` via ${formatIp(found.gateway)}`;
  const by = found.kind === ROUTE.port ? `port ${walk.labelOf(found.port)}` : (names?.[0] ?? "?");
  walk.note(`route ${prefix} ${by}${via}`);
}
