import { bridgeIngress, refuse } from "./bridge.ts";
import { evaluateFilter } from "./filter.ts";
import { endOfWay } from "./loop.ts";
import { prohibit, refuseAtRouter, routerIngress } from "./router.ts";
import type { SimBridge } from "./sim-bridge.ts";
import type { SimPort } from "./sim-port.ts";
import { checkSource } from "./source-guard.ts";
import { STEP, type Step, VERDICT } from "./step.ts";
import type { Hop, Walk } from "./walk.ts";

/**
 * A packet enters a device by a vport, and the walk goes on until it has left the topology or ended. Order of hooks: the
 * port's admin state, the port's in filter, the device (its in filter, its decision, its out filter), and at the port
 * by which it leaves: admin state, VLAN, out filter, then the interface or the linked port.
 */
export function ingress(walk: Walk, handle: number): Step {
  const port = walk.port(handle);
  if (port === undefined) return walk.lack(handle);
  if (!walk.enter()) return endOfWay(walk);
  if (walk.sink !== undefined) walk.note(`in ${port.label}`);
  walk.inPort = port;
  walk.outPort = undefined;
  const step = port.isRouter ? routerIngress(walk, port) : intoBridge(walk, port);
  if (step === STEP.egress) return leave(walk, port);
  return step === STEP.flood ? flood(walk, port) : step;
}

function intoBridge(walk: Walk, port: SimPort): Step {
  if (!port.isUp) return walk.drop("admin-down", port.label);
  const spoofed = port.guard === undefined ? undefined : checkSource(walk, port.guard);
  if (spoofed !== undefined) return spoofed;
  const verdict = evaluateFilter(walk, port.inFilter);
  return verdict === VERDICT.accept ? bridgeIngress(walk, port) : refuse(walk, verdict);
}

/** A packet leaves its device by a vport: to an interface, or through a link into the next device. */
export function egress(walk: Walk, handle: number): Step {
  const port = walk.port(handle);
  if (port === undefined) return walk.lack(handle);
  if (port.isUp) return egressThrough(walk, port);
  walk.outPort = port;
  return port.isRouter ? prohibit(walk, lastHop(walk), "admin-down") : walk.drop("admin-down", port.label);
}

/** A frame that the device at a vport sends itself: it may leave by a port that is down, to say so. */
export function egressOwn(walk: Walk, handle: number): Step {
  const port = walk.port(handle);
  return port === undefined ? walk.lack(handle) : egressThrough(walk, port);
}

function egressThrough(walk: Walk, port: SimPort): Step {
  walk.outPort = port;
  const verdict = evaluateFilter(walk, port.outFilter);
  if (verdict !== VERDICT.accept)
    return port.isRouter ? refuseAtRouter(walk, lastHop(walk), verdict) : refuse(walk, verdict);
  if (port.isBound) return isForUnderlay(walk, port) ? guardUnderlay(walk) : output(walk, port);
  if (port.peer === 0) return walk.drop("unplugged", port.label);
  return ingress(walk, port.peer);
}

/**
 * What leaves by an uplink, or by a bridge port on a physical network, may reach the network under the overlay, where a packet to a
 * host could pass for a frame of a peer. At other ports the address is not read: a tenant may use the same ones for itself.
 */
function isForUnderlay(walk: Walk, port: SimPort): boolean {
  return port.isExternal && walk.packet.isIp && walk.isUnderlay(walk.packet.dst);
}

function guardUnderlay(walk: Walk): Step {
  return walk.drop("underlay-guard", "addressed to a host on the underlay");
}

function output(walk: Walk, port: SimPort): Step {
  if (walk.placement(port)?.isActive !== true) return walk.drop("port-inactive", port.label);
  if (walk.sink !== undefined) walk.note(`out ${port.label}`);
  const { packet } = walk;
  walk.outputs.add(port.handle, packet.vlanOp, packet.vlanTags);
  return STEP.forward;
}

/** Out of a device by the port that it has chosen. */
function leave(walk: Walk, inPort: SimPort): Step {
  const { next } = walk;
  if (inPort.isRouter) return egress(walk, next);
  const port = walk.port(next);
  if (port === undefined) return walk.lack(next);
  const bridge = walk.bridge(inPort.device);
  if (bridge === undefined) return walk.lack(inPort.device);
  // The table may still name a port that has moved to another bridge.
  if (port.device !== bridge.handle) return walk.drop("unplugged", `${port.label} is no port of ${bridge.label}`);
  const verdict = leaveBridge(walk, bridge, port);
  return verdict === STEP.egress ? egress(walk, next) : verdict;
}

/** The bridge's out filter, then the tag with which frames leave by this port. */
function leaveBridge(walk: Walk, bridge: SimBridge, port: SimPort): Step {
  walk.outPort = port;
  const verdict = evaluateFilter(walk, bridge.outFilter);
  if (verdict !== VERDICT.accept) return refuse(walk, verdict);
  if (!bridge.isVlanAware) return STEP.egress;
  const vlan = walk.floodVlan;
  const { packet } = walk;
  const isTagged = packet.vlanCount > 0 && packet.vlan === vlan && vlan !== 0;
  if (port.vlan === 0) {
    if (vlan !== 0 && !isTagged) packet.pushVlan(vlan);
    return STEP.egress;
  }
  if (port.vlan !== vlan) return walk.drop("vlan-mismatch", `vlan ${vlan} at access port of vlan ${port.vlan}`);
  if (isTagged) packet.popVlan();
  return STEP.egress;
}

/**
 * To all members in the VLAN but the one by which the packet came through a link. The bound port by which it came is among the
 * outputs, so that all senders of a bridge share one group: the datapath leaves it out. Members that cannot take the
 * packet are left out in silence. A linked router that takes the packet as its own ends the flood: nobody else has the
 * address, whatever tables said.
 */
function flood(walk: Walk, inPort: SimPort): Step {
  const bridge = walk.floodBridge as SimBridge;
  const vlan = walk.floodVlan;
  if (walk.sink !== undefined) walk.note(vlan === 0 ? "flood" : `flood in vlan ${vlan}`);
  const members = walk.members(bridge);
  const { packet } = walk;
  const tags = packet.saveVlan();
  const { depth, hopCount, indent, isAccepted } = walk;
  const first = walk.outputs.count;
  walk.isAccepted = false;
  walk.indent = indent + 1;
  for (const member of members) {
    if (!isInFlood(walk, { bridge, vlan, member, inPort })) continue;
    const before = walk.outputs.count;
    walk.inPort = inPort;
    walk.floodVlan = vlan;
    let step: Step = leaveBridge(walk, bridge, member);
    if (step === STEP.egress) step = egressMember(walk, member);
    if (walk.isAccepted) {
      keepFrom(walk, first, before);
      walk.indent = indent;
      return step;
    }
    if (step === STEP.wait || step === STEP.needsFrame) return step;
    if (step === STEP.drop && walk.reason === "loop") return step;
    packet.restoreVlan(tags);
    walk.depth = depth;
    walk.hopCount = hopCount;
  }
  walk.indent = indent;
  walk.isTemporary = false;
  walk.isAccepted = isAccepted;
  return endOfFlood(walk, inPort, first);
}

function egressMember(walk: Walk, member: SimPort): Step {
  walk.outPort = member;
  const verdict = evaluateFilter(walk, member.outFilter);
  if (verdict !== VERDICT.accept) return refuse(walk, verdict);
  if (!member.isBound) return ingress(walk, member.peer);
  if (isForUnderlay(walk, member)) return guardUnderlay(walk);
  // The datapath leaves the sender of a flood out, whatever its outputs say.
  if (walk.sink !== undefined && member.handle !== walk.firstPort?.handle) walk.note(`out ${member.label}`);
  walk.outputs.add(member.handle, walk.packet.vlanOp, walk.packet.vlanTags);
  return STEP.forward;
}

interface FloodMember {
  readonly bridge: SimBridge;
  readonly vlan: number;
  readonly member: SimPort;
  readonly inPort: SimPort;
}

function isInFlood(walk: Walk, { bridge, vlan, member, inPort }: FloodMember): boolean {
  if (!member.isUp) return false;
  if (bridge.isVlanAware && member.vlan !== 0 && member.vlan !== vlan) return false;
  if (member.isBound) return walk.memberPlacement(member)?.isActive === true;
  return member.peer !== 0 && member.handle !== inPort.handle;
}

/** What a flood comes to: only outputs other than the port by which the packet came count. */
function endOfFlood(walk: Walk, inPort: SimPort, first: number): Step {
  const { outputs } = walk;
  if (outputs.isOverLimit) return walk.drop("group-limit");
  const count = outputs.count - first;
  const isOnlyBack = count === 1 && outputs.ports[first] === inPort.handle;
  if (isOnlyBack) outputs.truncate(first);
  if (count > (isOnlyBack ? 1 : 0)) return STEP.forward;
  return walk.isConsumed ? STEP.consume : walk.drop("no-recipient");
}

/** Forgets the outputs from `first` to `end` and keeps those after them. */
function keepFrom(walk: Walk, first: number, end: number): void {
  const { outputs } = walk;
  const kept: { port: number; op: number; tags: number }[] = [];
  for (let i = end; i < outputs.count; i++) {
    kept.push({
      port: outputs.ports[i] as number,
      op: outputs.vlanOps[i] as number,
      tags: outputs.vlanTags[i] as number,
    });
  }
  outputs.truncate(first);
  for (const { port, op, tags } of kept) outputs.add(port, op, tags);
}

function lastHop(walk: Walk): Hop | undefined {
  return walk.hopCount === 0 ? undefined : walk.hops[walk.hopCount - 1];
}
