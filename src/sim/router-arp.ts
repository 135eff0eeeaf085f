import { formatIp, type Ip, ipFromV4 } from "../addr/ip.ts";
import { formatMac, isMulticastMac, MAC_BROADCAST, type Mac } from "../addr/mac.ts";
import { ARP_OPERATION, type ArpFields } from "../wire/arp.ts";
import { buildFrame } from "../wire/build-frame.ts";
import { headerOf } from "./frame-layers.ts";
import { equalIp, isUnspecified } from "./ip-words.ts";
import { isOnLink } from "./next-hop.ts";
import type { PortAddress, SimPort } from "./sim-port.ts";
import type { SimRouter } from "./sim-router.ts";
import { STEP, type Step } from "./step.ts";
import type { Walk } from "./walk.ts";

/**
 * An ARP message at a router port. Senders outside the port's subnets are ignored. A request for the port's address teaches
 * the sender and is answered once the neighbor table shows it; a reply to the port, or a gratuitous message, teaches.
 * Nobody else is answered for. What is learned is the sender's hardware address in the message.
 */
export function arpAtRouter(walk: Walk, router: SimRouter, port: SimPort): Step {
  const { packet } = walk;
  const operation = packet.arpOperation;
  const sender = packet.src;
  const target = packet.dst;
  const own = addressOf(port, target);
  if (addressOf(port, sender) !== undefined) return walk.drop("bad-neighbor-message", "sender has the port's address");
  const isProbe = isUnspecified(sender);
  if (!isProbe && !isOnLink(port, sender))
    return walk.drop("bad-neighbor-message", "sender is outside the port's subnets");
  const isGratuitous = equalIp(sender, target);
  if (operation === ARP_OPERATION.request) {
    if (!isGratuitous && own === undefined) return walk.drop("not-for-me", `arp for ${formatIp(target)}`);
  } else if (operation !== ARP_OPERATION.reply) {
    return walk.drop("bad-neighbor-message", "unknown operation");
  } else if (!isGratuitous && own === undefined) {
    return walk.drop("not-for-me", "reply to somebody else");
  }
  if (walk.isCheck) return walk.needFrame();
  const arp = headerOf(walk, "arp")?.fields;
  if (arp === undefined || !isStation(arp.senderMac)) return walk.dropOnce("bad-neighbor-message", "bad sender MAC");
  if (operation === ARP_OPERATION.reply) return acceptReply(walk, router, { port, arp, isGratuitous });
  if (isGratuitous) return teach(walk, router, { ip: sender, mac: arp.senderMac });
  return answer(walk, router, { port, arp, isProbe });
}

/** The port's own address that equals `ip`, or undefined. */
export function addressOf(port: SimPort, ip: Ip): PortAddress | undefined {
  for (const address of port.addresses) if (equalIp(address.ip, ip)) return address;
  return undefined;
}

/** The packet tells a neighbor's MAC address and is used up by it. */
export function teach(walk: Walk, router: SimRouter, lesson: { readonly ip: Ip; readonly mac: Mac }): Step {
  learnNeighbor(walk, router, lesson);
  return walk.consume();
}

/** True when the neighbor table shows the lesson (or nothing may be taught now, or waiting for it was given up). */
export function learnNeighbor(walk: Walk, router: SimRouter, lesson: { readonly ip: Ip; readonly mac: Mac }): boolean {
  const { ip, mac } = lesson;
  if (walk.sink !== undefined) walk.note(`learn neighbor ${formatIp(ip)} is ${formatMac(mac)}`);
  if (!walk.isLive) return true;
  const isVisible = walk.neighbors.learn(walk.neighborKey(router.handle, ip), mac, walk.now);
  return isVisible || walk.isUnresolved(router.handle, ip);
}

function acceptReply(
  walk: Walk,
  router: SimRouter,
  { port, arp, isGratuitous }: { port: SimPort; arp: ArpFields; isGratuitous: boolean },
): Step {
  const toPort = arp.targetMac === port.mac && walk.packet.dstMac === port.mac;
  const isAnnouncement = isGratuitous && (arp.targetMac === arp.senderMac || walk.packet.dstMac === MAC_BROADCAST);
  if (!toPort && !isAnnouncement) return walk.dropOnce("bad-neighbor-message", "reply to another MAC address");
  return teach(walk, router, { ip: ipFromV4(arp.senderIp), mac: arp.senderMac });
}

function answer(
  walk: Walk,
  router: SimRouter,
  { port, arp, isProbe }: { port: SimPort; arp: ArpFields; isProbe: boolean },
): Step {
  const sender = ipFromV4(arp.senderIp);
  if (!isProbe && !learnNeighbor(walk, router, { ip: sender, mac: arp.senderMac })) {
    walk.waitForNeighbor(router.handle, sender);
    return STEP.wait;
  }
  const { senderMac, senderIp, targetIp } = arp;
  if (walk.sink !== undefined) walk.note(`answer: ${formatIp(ipFromV4(targetIp))} is ${formatMac(port.mac)}`);
  const reply = { senderMac: port.mac, senderIp: targetIp, targetMac: senderMac, targetIp: senderIp };
  const bytes = buildFrame({
    eth: { dst: walk.packet.srcMac, src: port.mac },
    arp: { operation: ARP_OPERATION.reply, ...reply },
  });
  walk.emit(port, bytes);
  return walk.consume();
}

/** True for a MAC address that one station can have. */
export function isStation(mac: Mac): boolean {
  return mac !== 0 && !isMulticastMac(mac);
}

/** The frame that asks for an IPv4 neighbor: an ARP request to everybody. */
export function arpRequest(port: SimPort, own: Ip, target: Ip): Uint8Array {
  const { mac } = port;
  const arp = { senderMac: mac, senderIp: own.w3, targetMac: 0, targetIp: target.w3 };
  return buildFrame({ eth: { dst: MAC_BROADCAST, src: mac }, arp: { operation: ARP_OPERATION.request, ...arp } });
}
