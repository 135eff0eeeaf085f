import { FRAME_IP4 } from "../flow/layout.ts";
import { ETHERNET_LENGTH } from "../wire/ethernet.ts";
import { Ipv4View } from "../wire/ipv4.ts";
import { IPV6_LENGTH, Ipv6View } from "../wire/ipv6.ts";
import { VLAN_LENGTH } from "../wire/vlan.ts";
import { bytesOf } from "./frame-layers.ts";
import { sendIcmpError, sendTooBigFromPath } from "./icmp-error.ts";
import type { SimPort } from "./sim-port.ts";
import type { Hop, Walk } from "./walk.ts";

const FRAGMENT_UNIT = 8;
const MORE_FRAGMENTS = 0x2000;

/**
 * What becomes of a frame that is longer than its way allows; the walk has just forwarded it. IPv4 that may be fragmented is:
 * the fragments are returned. All else is refused by the first router whose port is too narrow, or, when only the
 * tunnel behind the last router is (`limit`), by the last router; undefined is returned.
 */
export function answerTooBig(walk: Walk, limit: number): readonly Uint8Array[] | undefined {
  const { packet, frame } = walk;
  if (frame === undefined || !packet.isIp) return undefined;
  const mtu = packet.maxLength === 0 ? limit : Math.min(limit, packet.maxLength);
  const at = ETHERNET_LENGTH + VLAN_LENGTH * packet.originalVlanCount;
  const bytes = bytesOf(frame);
  if (packet.frameClass === FRAME_IP4) {
    const header = new Ipv4View(bytes, at);
    if (!header.dontFragment) return fragmentsOf(bytes, at, mtu);
    refuse(walk, header.totalLength, limit);
    return undefined;
  }
  refuse(walk, IPV6_LENGTH + new Ipv6View(bytes, at).payloadLength, limit);
  return undefined;
}

function refuse(walk: Walk, length: number, limit: number): void {
  for (let i = 0; i < walk.hopCount; i++) {
    const hop = walk.hops[i] as Hop;
    const mtu = i === walk.hopCount - 1 ? Math.min(hop.mtu, limit) : hop.mtu;
    if (mtu >= length) continue;
    sendIcmpError(walk, hop, { kind: "too-big", mtu });
    return;
  }
  if (walk.firstPort !== undefined && walk.hopCount === 0) sendTooBigFromPath(walk, walk.firstPort as SimPort, limit);
}

/**
 * Cuts an IPv4 packet into fragments of at most `mtu` bytes (RFC 791 3.2). Options are copied to the first fragment only,
 * which is right for all that may be met; a fragment that comes in is cut further.
 */
function fragmentsOf(bytes: Uint8Array, at: number, mtu: number): readonly Uint8Array[] {
  const header = new Ipv4View(bytes, at);
  const start = at + header.headerLength;
  const end = at + header.totalLength;
  const { flagsAndFragment } = header;
  const isLastMore = (flagsAndFragment & MORE_FRAGMENTS) !== 0;
  const fragments: Uint8Array[] = [];
  for (let from = start; from < end; ) {
    const room = Math.floor((mtu - header.headerLength) / FRAGMENT_UNIT) * FRAGMENT_UNIT;
    if (room <= 0) return [];
    const to = Math.min(end, from + room);
    const piece = new Uint8Array(start + to - from);
    piece.set(bytes.subarray(0, start));
    piece.set(bytes.subarray(from, to), start);
    const view = new Ipv4View(piece, at);
    view.totalLength = header.headerLength + to - from;
    const offset = (flagsAndFragment & 0x1fff) + (from - start) / FRAGMENT_UNIT;
    view.flagsAndFragment = offset | (to < end || isLastMore ? MORE_FRAGMENTS : 0);
    view.fillChecksum();
    fragments.push(piece);
    from = to;
  }
  return fragments;
}
