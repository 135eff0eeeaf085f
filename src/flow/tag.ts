import type { Ip } from "../addr/ip.ts";
import { type Mac, macHigh, macLow } from "../addr/mac.ts";
import { fmix32 } from "./hash.ts";

/**
 * Flow tags: what a flow depends on, as 32-bit numbers. A tag is the hash of a kind, the handle of an object and, for
 * entries of tables, the words of the entry's key. Two things that share a number by chance only make a change look at
 * more flows than it must; a flow is never missed. Never 0.
 *
 * A simulation earns the tag of everything that it reads, absent entries included; a change names the tags of everything
 * that it touches. Handles are interned per thread, so tags never leave the thread that made them.
 */
export type FlowTag = number;

/** Kinds of tags, mixed into the hash so that equal keys of different tables differ. */
const KIND = {
  object: 0x1b87_3593,
  placement: 0x52dc_e729,
  flood: 0x3849_5ab5,
  fdb: 0x7ed5_5d16,
  route: 0x2c1b_3c6d,
  neighbor: 0x297a_2d39,
  neighborAbsent: 0x165e_a3d1,
  bridgeNeighbor: 0x0e60_34c7,
} as const;

/** A topology object of any kind: its own fields, or that it is absent. */
export function tagObject(handle: number): FlowTag {
  return finish(mix(KIND.object, handle));
}

/** Where a vport is and whether it is active. */
export function tagPlacement(port: number): FlowTag {
  return finish(mix(KIND.placement, port));
}

/** Which ports a bridge floods to: its members, their fields and placements. */
export function tagFlood(bridge: number): FlowTag {
  return finish(mix(KIND.flood, bridge));
}

/** What a bridge knows of a MAC address in a VLAN (0: untagged, or not VLAN-aware), also that it knows nothing. */
export function tagFdb(bridge: number, vlan: number, mac: Mac): FlowTag {
  return tagFdbWords(bridge, (vlan << 16) | macHigh(mac), macLow(mac));
}

/** `tagFdb` for a key of two words: VLAN (bits 16..27) and MAC bits 32..47 (bits 0..15); MAC bits 0..31. */
export function tagFdbWords(bridge: number, vlanAndHigh: number, low: number): FlowTag {
  return finish(mix(mix(mix(KIND.fdb, bridge), vlanAndHigh), low));
}

/**
 * One bucket of one destination prefix of a router. A flow carries the tag of the longest prefix that matches its
 * destination (and of each shorter one that it fell back to), in the bucket that its destination's next bits select: see
 * `sim/route-table.ts`. `node` is the hash of the prefix.
 */
export function tagRoute(router: number, node: number, bucket: number): FlowTag {
  return finish(mix(mix(mix(KIND.route, router), node), bucket));
}

/** The MAC address that a router knows for a neighbor. `ipHash` is `hashIp` of the address. */
export function tagNeighbor(router: number, ipHash: number): FlowTag {
  return finish(mix(mix(KIND.neighbor, router), ipHash));
}

/** That a router knows no MAC address for a neighbor. */
export function tagNeighborAbsent(router: number, ipHash: number): FlowTag {
  return finish(mix(mix(KIND.neighborAbsent, router), ipHash));
}

/** What a bridge's address table says of an IP address, also that it says nothing. */
export function tagBridgeNeighbor(bridge: number, ipHash: number): FlowTag {
  return finish(mix(mix(KIND.bridgeNeighbor, bridge), ipHash));
}

/** The 32-bit hash of an IP address that neighbor tags take. The sign of the words does not matter. */
export function hashIp(ip: Ip): number {
  return mix(mix(mix(mix(0x9747_b28c, ip.w0), ip.w1), ip.w2), ip.w3);
}

function mix(hash: number, word: number): number {
  let h = hash ^ Math.imul(word, 0xcc9e_2d51);
  h = (h << 13) | (h >>> 19);
  return (Math.imul(h, 5) + 0xe654_6b64) | 0;
}

function finish(hash: number): FlowTag {
  return fmix32(hash) || 1;
}
