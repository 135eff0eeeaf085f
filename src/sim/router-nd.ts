import { formatIp, type Ip, isLinkLocalV6, isMulticastIp } from "../addr/ip.ts";
import { formatMac, macFrom } from "../addr/mac.ts";
import { networkOf } from "../addr/prefix.ts";
import { FRAME_IP6 } from "../flow/layout.ts";
import { buildFrame } from "../wire/build-frame.ts";
import { layerOf } from "../wire/frame.ts";
import { IP_PROTOCOL } from "../wire/ip-protocol.ts";
import { isNdpType, NDP_HOP_LIMIT, NDP_TYPE, type NdpFields, ndpMac } from "../wire/ndp.ts";
import type { NdpOption } from "../wire/ndp-option.ts";
import { layersOf } from "./frame-layers.ts";
import { equalIp, isUnspecified } from "./ip-words.ts";
import { isOnLink } from "./next-hop.ts";
import { addressOf, isStation, learnNeighbor, teach } from "./router-arp.ts";
import { solicitedNodeOf } from "./sim-bridge.ts";
import { linkLocalOf, type SimPort } from "./sim-port.ts";
import type { SimRouter } from "./sim-router.ts";
import { STEP, type Step } from "./step.ts";
import type { Walk } from "./walk.ts";

/** ff02::1, all nodes of a link. */
export const ALL_NODES: Ip = { w0: 0xff02_0000, w1: 0, w2: 0, w3: 1 };
/** ff02::2, all routers of a link. */
const ALL_ROUTERS: Ip = { w0: 0xff02_0000, w1: 0, w2: 0, w3: 2 };
/** MAC address of `ALL_NODES`. */
const ALL_NODES_MAC = 0x3333_0000_0001;

/** Times of a router advertisement (RFC 4861 6.2.1 defaults). */
const ADVERTISED = {
  hopLimit: 64,
  routerLifetimeS: 1800,
  validLifetimeS: 2_592_000,
  preferredLifetimeS: 604_800,
} as const;
/** Prefix length with which hosts can make addresses of their own (RFC 4862). */
const AUTONOMOUS_LENGTH = 64;

/** True for neighbor discovery that this port must look at. Reads beyond the destination only when that is the port's. */
export function isForNd(walk: Walk, port: SimPort, isGroup: boolean): boolean {
  const { packet } = walk;
  if (packet.frameClass !== FRAME_IP6) return false;
  const { dst } = packet;
  if (isGroup ? !isGroupOf(port, dst) : addressOf(port, dst) === undefined) return false;
  return packet.protocol === IP_PROTOCOL.icmpv6 && isNdpType(packet.icmpType);
}

/** A message of neighbor discovery at a router port (RFC 4861 6 and 7), with the rules of `router-arp.ts`. */
export function ndAtRouter(walk: Walk, router: SimRouter, port: SimPort): Step {
  const { icmpType } = walk.packet;
  if (icmpType === NDP_TYPE.routerAdvertisement || icmpType === NDP_TYPE.redirect) {
    return walk.drop("bad-neighbor-message", "a router heeds no other router");
  }
  if (walk.isCheck) return walk.needFrame();
  const frame = layersOf(walk);
  const message = frame === undefined ? undefined : layerOf(frame, "ndp")?.fields;
  const header = frame === undefined ? undefined : layerOf(frame, "ipv6")?.fields;
  if (message === undefined || header === undefined) return walk.dropOnce("malformed");
  if (header.hopLimit !== NDP_HOP_LIMIT) return walk.dropOnce("bad-neighbor-message", "came through a router");
  const at = { router, port, src: header.src, dst: header.dst };
  switch (message.kind) {
    case "neighbor-solicitation":
      return solicited(walk, at, message);
    case "neighbor-advertisement":
      return advertised(walk, at, message);
    case "router-solicitation":
      return routerSolicited(walk, at, message);
    default:
      return walk.dropOnce("bad-neighbor-message");
  }
}

interface At {
  readonly router: SimRouter;
  readonly port: SimPort;
  readonly src: Ip;
  readonly dst: Ip;
}

type Message<Kind> = Extract<NdpFields, { readonly kind: Kind }>;

function solicited(walk: Walk, at: At, message: Message<"neighbor-solicitation">): Step {
  const { port, src } = at;
  const own = addressOf(port, message.target);
  if (own === undefined) return walk.dropOnce("not-for-me", `solicitation for ${formatIp(message.target)}`);
  if (addressOf(port, src) !== undefined) return walk.dropOnce("bad-neighbor-message", "sender has the port's address");
  const isProbe = isUnspecified(src);
  if (!isProbe) {
    if (!isOnLink(port, src)) return walk.dropOnce("bad-neighbor-message", "sender is outside the port's subnets");
    const end = learnSource(walk, at, message);
    if (end !== undefined) return end;
  }
  if (walk.sink !== undefined) walk.note(`answer: ${formatIp(message.target)} is ${formatMac(port.mac)}`);
  const options: readonly NdpOption[] = [{ kind: "target-mac", mac: port.mac }];
  const flags = { isRouter: true, isSolicited: !isProbe, isOverride: true };
  return reply(walk, at, { kind: "neighbor-advertisement", ...flags, target: message.target, options });
}

function advertised(walk: Walk, at: At, message: Message<"neighbor-advertisement">): Step {
  const { router, port, dst } = at;
  const { target } = message;
  const mac = ndpMac(message, "target-mac");
  if (addressOf(port, target) !== undefined)
    return walk.dropOnce("bad-neighbor-message", "target is the port's address");
  if (isMulticastIp(target) || !isOnLink(port, target))
    return walk.dropOnce("bad-neighbor-message", "target is not on link");
  // RFC 4861 7.1.2: an advertisement to a group cannot be an answer.
  if (message.isSolicited && isMulticastIp(dst))
    return walk.dropOnce("bad-neighbor-message", "solicited, but to a group");
  if (!message.isSolicited && !message.isOverride)
    return walk.dropOnce("bad-neighbor-message", "neither asked for nor final");
  // RFC 4861 4.4: the option may be left out only in a unicast answer, which then comes from the target itself.
  const sender = mac ?? (message.isSolicited ? walk.packet.srcMac : 0);
  if (!isStation(sender)) return walk.dropOnce("bad-neighbor-message", "no usable MAC address");
  return teach(walk, router, { ip: target, mac: sender });
}

function routerSolicited(walk: Walk, at: At, message: Message<"router-solicitation">): Step {
  if (!isUnspecified(at.src)) {
    if (!isOnLink(at.port, at.src))
      return walk.dropOnce("bad-neighbor-message", "sender is outside the port's subnets");
    const end = learnSource(walk, at, message);
    if (end !== undefined) return end;
  }
  if (walk.sink !== undefined) walk.note("answer: router advertisement");
  return reply(walk, at, advertisementOf(at.port));
}

/** Learns the sender from its option; a step if the answer must wait for that. */
function learnSource(walk: Walk, at: At, message: NdpFields): Step | undefined {
  const mac = ndpMac(message, "source-mac");
  if (mac === undefined || !isStation(mac)) return undefined;
  if (learnNeighbor(walk, at.router, { ip: at.src, mac })) return undefined;
  walk.waitForNeighbor(at.router.handle, at.src);
  return STEP.wait;
}

function reply(walk: Walk, at: At, message: NdpFields): Step {
  const { port, src } = at;
  const isToAll = isUnspecified(src);
  const own = message.kind === "neighbor-advertisement" ? message.target : linkLocalOf(port.mac);
  const { packet } = walk;
  const bytes = buildFrame({
    eth: { dst: isToAll ? ALL_NODES_MAC : macFrom(packet.srcMacHigh, packet.srcMacLow), src: port.mac },
    ipv6: { src: own, dst: isToAll ? ALL_NODES : src, hopLimit: NDP_HOP_LIMIT },
    ndp: message,
  });
  walk.emit(port, bytes);
  return walk.consume();
}

function advertisementOf(port: SimPort): NdpFields {
  const options: NdpOption[] = [
    { kind: "source-mac", mac: port.mac },
    { kind: "mtu", mtu: port.mtu },
  ];
  for (const { ip, length, isV4, isLinkLocal } of port.addresses) {
    if (isV4 || isLinkLocal) continue;
    const { validLifetimeS, preferredLifetimeS } = ADVERTISED;
    const lifetimes = { validLifetimeS, preferredLifetimeS };
    const flags = { isOnLink: true, isAutonomous: length === AUTONOMOUS_LENGTH };
    options.push({ kind: "prefix", prefix: networkOf({ ip, length }).ip, length, ...flags, ...lifetimes });
  }
  return {
    kind: "router-advertisement",
    hopLimit: ADVERTISED.hopLimit,
    isManaged: false,
    hasOtherConfig: false,
    routerLifetimeS: ADVERTISED.routerLifetimeS,
    reachableTimeMs: 0,
    retransTimerMs: 0,
    options,
  };
}

function isGroupOf(port: SimPort, group: Ip): boolean {
  const hasV6 = port.addresses.some((address) => !address.isV4);
  if (!hasV6) return false;
  if (equalIp(group, ALL_NODES) || equalIp(group, ALL_ROUTERS)) return true;
  return port.addresses.some(({ ip, isV4 }) => !isV4 && equalIp(solicitedNodeOf(ip), group));
}

/** The frame that asks for an IPv6 neighbor: a solicitation to its group (RFC 4861 7.2.2). */
export function neighborSolicitation(port: SimPort, own: Ip, target: Ip): Uint8Array {
  const group = solicitedNodeOf(target);
  return buildFrame({
    eth: { dst: macFrom(0x3333, group.w3), src: port.mac },
    ipv6: { src: isLinkLocalV6(target) ? linkLocalOf(port.mac) : own, dst: group, hopLimit: NDP_HOP_LIMIT },
    ndp: { kind: "neighbor-solicitation", target, options: [{ kind: "source-mac", mac: port.mac }] },
  });
}
