import { formatIp, type Ip } from "../addr/ip.ts";
import { formatMac, type Mac } from "../addr/mac.ts";
import { buildFrame } from "../wire/build-frame.ts";
import { IP_PROTOCOL } from "../wire/ip-protocol.ts";
import { NDP_HOP_LIMIT, NDP_TYPE } from "../wire/ndp.ts";
import { announce, knownMac } from "./bridge-arp.ts";
import { headerOf } from "./frame-layers.ts";
import { equalIp, isUnspecified } from "./ip-words.ts";
import { ALL_NODES } from "./router-nd.ts";
import { type SimBridge, solicitedNodeOf } from "./sim-bridge.ts";
import type { Step } from "./step.ts";
import type { Walk } from "./walk.ts";

/** Upper 16 bits of the MAC address of an IPv6 group (RFC 2464 7). */
const GROUP_MAC_HIGH = 0x3333;

/**
 * An IPv6 packet to a group address at a bridge: what ARP does in `bridge-arp.ts`, for neighbor discovery. The target of a
 * solicitation is in the payload, the key has only its group; so where nothing in the group is known the flood is a flow,
 * and where something is, each solicitation is looked at.
 */
export function ndAtBridge(walk: Walk, bridge: SimBridge, vlan: number): Step {
  const { packet } = walk;
  if (packet.dstMacHigh !== GROUP_MAC_HIGH) return walk.floodIn(bridge, vlan);
  if (packet.dstMacLow >>> 24 === 0xff) return maybeSolicitation(walk, bridge, vlan);
  if (packet.dstMacLow === 1) return maybeAnnouncement(walk, bridge, vlan);
  return walk.floodIn(bridge, vlan);
}

function maybeSolicitation(walk: Walk, bridge: SimBridge, vlan: number): Step {
  const { packet } = walk;
  const group = packet.dst;
  walk.readAddress(bridge, group);
  if (!knowsGroup(bridge, group) || !isNd(walk, NDP_TYPE.neighborSolicitation)) return walk.floodIn(bridge, vlan);
  if (walk.isCheck) return walk.needFrame();
  walk.isTransient = true;
  const message = headerOf(walk, "ndp")?.fields;
  if (message?.kind !== "neighbor-solicitation") return walk.dropOnce("malformed");
  const router = bridge.routerIps.get(message.target);
  if (router !== undefined && router.bridgePort.vlan === vlan && router.bridgePort !== walk.inPort) {
    if (walk.sink !== undefined) walk.note(`${formatIp(message.target)} is router port ${router.routerPort.label}`);
    walk.floodVlan = vlan;
    return walk.leaveBy(router.bridgePort.handle);
  }
  if (packet.vlanCount > 0) return walk.floodIn(bridge, vlan);
  const mac = knownMac(walk, bridge, { ip: message.target, vlan });
  return mac === undefined ? walk.floodIn(bridge, vlan) : answer(walk, message.target, mac);
}

/** An unsolicited advertisement to all nodes (RFC 4861 7.2.6), the gratuitous ARP of IPv6. */
function maybeAnnouncement(walk: Walk, bridge: SimBridge, vlan: number): Step {
  if (!isNd(walk, NDP_TYPE.neighborAdvertisement)) return walk.floodIn(bridge, vlan);
  if (walk.isCheck) return walk.needFrame();
  walk.isTransient = true;
  const message = headerOf(walk, "ndp")?.fields;
  if (message?.kind !== "neighbor-advertisement") return walk.dropOnce("malformed");
  if (walk.packet.vlanCount > 0 || bridge.routerIps.get(message.target) !== undefined)
    return walk.floodIn(bridge, vlan);
  if (!message.isOverride) return walk.floodIn(bridge, vlan);
  walk.readAddress(bridge, message.target);
  return announce(walk, bridge, message.target) ?? walk.floodIn(bridge, vlan);
}

function answer(walk: Walk, target: Ip, mac: Mac): Step {
  const { packet } = walk;
  if (walk.sink !== undefined) walk.note(`answered: ${formatIp(target)} is ${formatMac(mac)}`);
  if (walk.inPort === undefined) return walk.dropOnce("malformed");
  // RFC 4861 7.2.4: to all nodes when the asker has no address yet.
  const isProbe = isUnspecified(packet.src);
  const bytes = buildFrame({
    eth: { dst: isProbe ? 0x3333_0000_0001 : packet.srcMac, src: mac },
    ipv6: { src: target, dst: isProbe ? ALL_NODES : copyOf(packet.src), hopLimit: NDP_HOP_LIMIT },
    ndp: {
      kind: "neighbor-advertisement",
      isRouter: false,
      isSolicited: !isProbe,
      isOverride: true,
      target,
      options: [{ kind: "target-mac", mac }],
    },
  });
  walk.emit(walk.inPort, bytes);
  return walk.consume();
}

function knowsGroup(bridge: SimBridge, group: Ip): boolean {
  if (bridge.tables.hasGroup(group)) return true;
  for (const [ip] of bridge.routerIps.entries()) if (equalIp(solicitedNodeOf(ip), group)) return true;
  return false;
}

function isNd(walk: Walk, type: number): boolean {
  return walk.packet.protocol === IP_PROTOCOL.icmpv6 && walk.packet.icmpType === type;
}

function copyOf(ip: Ip): Ip {
  return { w0: ip.w0 >>> 0, w1: ip.w1 >>> 0, w2: ip.w2 >>> 0, w3: ip.w3 >>> 0 };
}
