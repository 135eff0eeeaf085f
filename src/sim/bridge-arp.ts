import { formatIp, type Ip } from "../addr/ip.ts";
import { formatMac, MAC_BROADCAST, type Mac, macHigh, macLow } from "../addr/mac.ts";
import { ARP_OPERATION } from "../wire/arp.ts";
import { buildFrame } from "../wire/build-frame.ts";
import { headerOf } from "./frame-layers.ts";
import { equalIp } from "./ip-words.ts";
import type { SimBridge } from "./sim-bridge.ts";
import type { Step } from "./step.ts";
import type { Walk } from "./walk.ts";

/**
 * An ARP message to a group address at a bridge. A request for a linked router's address goes to that router alone; one for
 * an address that the bridge's table knows is answered here; the rest floods. A gratuitous request (RFC 5227 3)
 * is believed whatever the table said, so that a takeover of an address works, and floods, without a flow: each is seen.
 */
export function arpAtBridge(walk: Walk, bridge: SimBridge, vlan: number): Step {
  const { packet } = walk;
  if (!isBroadcast(walk) || !asksOrAnnounces(walk)) return walk.floodIn(bridge, vlan);
  const target = packet.dst;
  walk.readAddress(bridge, target);
  const router = bridge.routerIps.get(target);
  if (router !== undefined && router.bridgePort.vlan === vlan && router.bridgePort !== walk.inPort) {
    if (walk.sink !== undefined) walk.note(`${formatIp(target)} is router port ${router.routerPort.label}`);
    walk.floodVlan = vlan;
    return walk.leaveBy(router.bridgePort.handle);
  }
  if (packet.vlanCount > 0) return walk.floodIn(bridge, vlan);
  if (equalIp(target, packet.src)) return gratuitous(walk, bridge, vlan);
  const mac = knownMac(walk, bridge, { ip: target, vlan });
  return mac === undefined ? walk.floodIn(bridge, vlan) : answer(walk, bridge, mac);
}

/**
 * The MAC address with which the bridge answers for an IP address: from its address table, as long as a station with that
 * MAC is known. Nobody is told his own address: who asks for it wants to know of others that have it.
 */
export function knownMac(
  walk: Walk,
  bridge: SimBridge,
  of: { readonly ip: Ip; readonly vlan: number },
): Mac | undefined {
  const mac = bridge.tables.macOf(of.ip);
  if (mac === undefined) return undefined;
  const high = macHigh(mac);
  const low = macLow(mac) | 0;
  const { packet } = walk;
  if (packet.srcMacHigh === high && packet.srcMacLow === low) return undefined;
  return walk.portOfMac(bridge, (of.vlan << 16) | high, low) === 0 ? undefined : mac;
}

/** The frame announces an address: the bridge's table takes it, from the Ethernet source, for a virtual MAC moves too. */
export function announce(walk: Walk, bridge: SimBridge, ip: Ip): Step | undefined {
  if (walk.isCheck) return walk.needFrame();
  walk.isTransient = true;
  const mac = walk.packet.srcMac;
  if (bridge.tables.macOf(ip) === mac) return undefined;
  const copy = { w0: ip.w0 >>> 0, w1: ip.w1 >>> 0, w2: ip.w2 >>> 0, w3: ip.w3 >>> 0 };
  walk.write({ kind: "bridge-neighbor", bridge: bridge.handle, ip: copy, mac });
  if (walk.sink !== undefined) walk.note(`${formatIp(copy)} is announced at ${formatMac(mac)}`);
  return undefined;
}

function gratuitous(walk: Walk, bridge: SimBridge, vlan: number): Step {
  const end = announce(walk, bridge, walk.packet.dst);
  return end ?? walk.floodIn(bridge, vlan);
}

function answer(walk: Walk, bridge: SimBridge, mac: Mac): Step {
  if (walk.sink !== undefined) walk.note(`${bridge.label} answers: ${formatIp(walk.packet.dst)} is ${formatMac(mac)}`);
  if (walk.isCheck) return walk.needFrame();
  const arp = headerOf(walk, "arp")?.fields;
  if (arp === undefined || walk.inPort === undefined) return walk.dropOnce("malformed");
  const { senderMac, senderIp, targetIp } = arp;
  const reply = { senderMac: mac, senderIp: targetIp, targetMac: senderMac, targetIp: senderIp };
  const bytes = buildFrame({
    eth: { dst: walk.packet.srcMac, src: mac },
    arp: { operation: ARP_OPERATION.reply, ...reply },
  });
  walk.emit(walk.inPort, bytes);
  return walk.consume();
}

function asksOrAnnounces(walk: Walk): boolean {
  const { packet } = walk;
  if (packet.arpOperation === ARP_OPERATION.request) return true;
  return packet.arpOperation === ARP_OPERATION.reply && equalIp(packet.dst, packet.src);
}

function isBroadcast(walk: Walk): boolean {
  const { packet } = walk;
  return packet.dstMacHigh === macHigh(MAC_BROADCAST) && packet.dstMacLow === (macLow(MAC_BROADCAST) | 0);
}
