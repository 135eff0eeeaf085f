import { FRAME_IP4 } from "../flow/layout.ts";
import { foldSum, pseudoSumV4 } from "../wire/checksum.ts";
import { ETHERNET_LENGTH } from "../wire/ethernet.ts";
import { type Frame, layerOf, parseFrame } from "../wire/frame.ts";
import { fillChecksums } from "../wire/frame-checksum.ts";
import { Ipv4View } from "../wire/ipv4.ts";
import { TcpView } from "../wire/tcp.ts";
import { UdpView } from "../wire/udp.ts";
import { VLAN_LENGTH } from "../wire/vlan.ts";
import { networkLengthOf } from "./fit.ts";
import { bytesOf } from "./frame-layers.ts";
import { frameTtl } from "./frame-ttl.ts";
import { sendIcmpError, sendTooBigFromPath } from "./icmp-error.ts";
import type { Step } from "./step.ts";
import type { Hop, Walk } from "./walk.ts";

const FRAGMENT_UNIT = 8;
const MORE_FRAGMENTS = 0x2000;
const FRAGMENT_MASK = 0x1fff;

/**
 * What becomes of a frame that is longer than its way allows; the walk has just forwarded it. IPv4 that may be fragmented is:
 * the fragments are returned. All else is refused by the first router whose port is too narrow, or, when only the
 * tunnel behind the last router is (`limit`), by the last router; the drop is returned. Of an offloaded frame
 * the segments count, and it is never fragmented. A router looks at the TTL first: what ends before the narrow port ends there.
 */
export function answerTooBig(walk: Walk, limit: number): readonly Uint8Array[] | Step {
  const { packet, frame } = walk;
  if (frame === undefined || !packet.isIp) return walk.dropOnce("too-big");
  const mtu = packet.maxLength === 0 ? limit : Math.min(limit, packet.maxLength);
  const at = ETHERNET_LENGTH + VLAN_LENGTH * packet.originalVlanCount;
  const bytes = bytesOf(frame);
  const isV4 = packet.frameClass === FRAME_IP4;
  const ttl = frameTtl(frame);
  const isCut = isV4 && frame.gsoSize === 0 && !new Ipv4View(bytes, at).dontFragment;
  if (isCut && ttl > packet.ttlDecrement) {
    const fragments = fragmentsOf(withChecksum(bytes), at, mtu);
    return fragments.length === 0 ? walk.dropOnce("too-big") : fragments;
  }
  return refuse(walk, { length: isCut ? 0 : networkLengthOf(walk), limit, ttl });
}

/**
 * The fragments of a frame that the network itself sends and whose way allows `limit` bytes; none for what may not be
 * fragmented (all but IPv4 without DF).
 */
export function fragmentsOfOwn(bytes: Uint8Array, limit: number): readonly Uint8Array[] {
  const ipv4 = layerOf(parseFrame(bytes), "ipv4");
  return ipv4 === undefined || ipv4.fields.dontFragment ? [] : fragmentsOf(bytes, ipv4.offset, limit);
}

function refuse(
  walk: Walk,
  { length, limit, ttl }: { readonly length: number; readonly limit: number; readonly ttl: number },
): Step {
  for (let i = 0; i < walk.hopCount; i++) {
    const hop = walk.hops[i] as Hop;
    // The walk ends at this router, whatever routers have forwarded behind it.
    walk.packet.ttlDecrement = hop.ttlDecrement;
    if (ttl <= hop.ttlDecrement + 1) {
      sendIcmpError(walk, hop, { kind: "ttl-expired" });
      return walk.dropOnce("ttl-expired");
    }
    walk.packet.spendTtl();
    const mtu = i === walk.hopCount - 1 ? Math.min(hop.mtu, limit) : hop.mtu;
    if (mtu >= length) continue;
    sendIcmpError(walk, hop, { kind: "too-big", mtu });
    return walk.dropOnce("too-big");
  }
  if (walk.firstPort !== undefined && walk.hopCount === 0) sendTooBigFromPath(walk, walk.firstPort, limit);
  return walk.dropOnce("too-big");
}

/** The frame with its transport checksum, which hardware was to complete; fragments come too late for that. */
function withChecksum(bytes: Uint8Array): Uint8Array {
  const frame = parseFrame(bytes);
  if (!isPartial(frame)) return bytes;
  const copy = bytes.slice();
  fillChecksums(parseFrame(copy));
  return copy;
}

/** True when the checksum field holds the sum of the pseudo header alone: that is how hardware wants to get it. */
function isPartial(frame: Frame): boolean {
  const ip = layerOf(frame, "ipv4")?.fields;
  const tcp = layerOf(frame, "tcp");
  const udp = layerOf(frame, "udp");
  const transport = tcp ?? udp;
  if (ip === undefined || transport === undefined) return false;
  const { src, dst, protocol, payloadLength } = ip;
  const view =
    tcp === undefined ? new UdpView(frame.bytes, transport.offset) : new TcpView(frame.bytes, transport.offset);
  return view.checksum === foldSum(pseudoSumV4({ src, dst, protocol, length: payloadLength }));
}

/**
 * Cuts an IPv4 packet into fragments of at most `mtu` bytes (RFC 791 3.2); a fragment that comes in is cut further. Options
 * are repeated in all fragments.
 */
function fragmentsOf(bytes: Uint8Array, at: number, mtu: number): readonly Uint8Array[] {
  const header = new Ipv4View(bytes, at);
  const start = at + header.headerLength;
  const end = at + header.totalLength;
  const { flagsAndFragment } = header;
  const isMore = (flagsAndFragment & MORE_FRAGMENTS) !== 0;
  const room = Math.floor((mtu - header.headerLength) / FRAGMENT_UNIT) * FRAGMENT_UNIT;
  const fragments: Uint8Array[] = [];
  if (room <= 0) return fragments;
  for (let from = start; from < end; from += room) {
    const to = Math.min(end, from + room);
    const piece = new Uint8Array(start + to - from);
    piece.set(bytes.subarray(0, start));
    piece.set(bytes.subarray(from, to), start);
    const view = new Ipv4View(piece, at);
    view.totalLength = header.headerLength + to - from;
    const offset = (flagsAndFragment & FRAGMENT_MASK) + (from - start) / FRAGMENT_UNIT;
    view.flagsAndFragment = offset | (to < end || isMore ? MORE_FRAGMENTS : 0);
    view.fillChecksum();
    fragments.push(piece);
  }
  return fragments;
}
