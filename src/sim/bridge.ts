import { FRAME_ARP, FRAME_IP6 } from "../flow/layout.ts";
import { arpAtBridge } from "./bridge-arp.ts";
import { ndAtBridge } from "./bridge-nd.ts";
import { dropReasonOfFilter, evaluateFilter } from "./filter.ts";
import type { SimBridge } from "./sim-bridge.ts";
import type { SimPort } from "./sim-port.ts";
import { STEP, type Step, VERDICT } from "./step.ts";
import type { Walk } from "./walk.ts";

/** Least significant bit of the first octet, seen in the upper 16 bits of a MAC address. */
const GROUP_BIT = 0x0100;

/**
 * A frame enters a bridge: VLAN, learning, in filter, then where it goes. IEEE 802.1Q without spanning tree; on a bridge that
 * is not VLAN-aware tags are payload. A frame that the in filter drops has still taught where its source is.
 */
export function bridgeIngress(walk: Walk, port: SimPort): Step {
  const bridge = walk.bridge(port.device);
  if (bridge === undefined) return walk.lack(port.device);
  if (walk.sink !== undefined) walk.note(`bridge ${bridge.label}`);
  if (bridge.missing.length > 0) return walk.waitFor(bridge.missing);
  if (!bridge.isUp) return walk.drop("admin-down", `bridge ${bridge.label}`);
  const { packet } = walk;
  if ((packet.srcMacHigh & GROUP_BIT) !== 0) return walk.drop("bad-source-mac");
  if ((packet.srcMacHigh | packet.srcMacLow) === 0) return walk.drop("bad-source-mac");
  const vlan = bridge.isVlanAware ? enterVlan(walk, port) : 0;
  if (vlan < 0) return walk.drop("vlan-mismatch", `tag ${packet.vlan} at access port of vlan ${port.vlan}`);
  if (!walk.learn(bridge, vlan, port)) return walk.needFrame();
  const verdict = evaluateFilter(walk, bridge.inFilter);
  if (verdict !== VERDICT.accept) return refuse(walk, verdict);
  return (packet.dstMacHigh & GROUP_BIT) !== 0 ? toGroup(walk, bridge, vlan) : toStation(walk, bridge, vlan);
}

/** The step of a filter at a bridge or bridge port that did not accept. */
export function refuse(walk: Walk, verdict: number): Step {
  if (verdict === VERDICT.wait) return STEP.wait;
  return walk.drop(verdict === VERDICT.drop ? dropReasonOfFilter(walk) : "rejected");
}

/** The VLAN that a frame is in, taking a priority tag off; -1: the port is not for it. */
function enterVlan(walk: Walk, port: SimPort): number {
  const { packet } = walk;
  const tag = packet.vlanCount > 0 ? packet.vlan : 0;
  if (port.vlan === 0) return tag;
  if (tag !== 0) return -1;
  if (packet.vlanCount > 0) packet.popVlan();
  return port.vlan;
}

function toGroup(walk: Walk, bridge: SimBridge, vlan: number): Step {
  const { packet } = walk;
  if (packet.frameClass === FRAME_ARP) return arpAtBridge(walk, bridge, vlan);
  if (packet.frameClass === FRAME_IP6) return ndAtBridge(walk, bridge, vlan);
  return walk.floodIn(bridge, vlan);
}

function toStation(walk: Walk, bridge: SimBridge, vlan: number): Step {
  const { packet } = walk;
  const { dstMacHigh, dstMacLow } = packet;
  const port = walk.portOfMac(bridge, (vlan << 16) | dstMacHigh, dstMacLow);
  if (walk.sink !== undefined) noteStation(walk, bridge, port);
  if (port === 0) return walk.floodIn(bridge, vlan);
  if (port === walk.inPort?.handle) return walk.drop("hairpin");
  walk.floodVlan = vlan;
  return walk.leaveBy(port);
}

function noteStation(walk: Walk, bridge: SimBridge, port: number): void {
  const mac = walk.macText(walk.packet.dstMacHigh, walk.packet.dstMacLow);
  walk.note(port === 0 ? `${mac} is not known in ${bridge.label}` : `${mac} is behind ${walk.labelOf(port)}`);
}
