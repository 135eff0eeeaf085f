import {
  ACTION_DEC_TTL,
  ACTION_POP_SHIFT,
  ACTION_PUSH_SHIFT,
  ACTION_SET_DSCP,
  ACTION_SET_DST,
  ACTION_SET_MAC,
  ACTION_SET_PORTS,
  ACTION_SET_SRC,
  FRAGMENT_LATER,
  FRAME_IP4,
  FRAME_IP6,
  W0_FRAGMENT_SHIFT,
  W0_FRAME_SHIFT,
} from "../../flow/layout.ts";
import { setU16, setU32, u8At, u16At, u32At } from "../../wire/bytes.ts";
import { updateChecksum16, updateChecksum32 } from "../../wire/checksum.ts";

const MAC_BYTES = 12;
const TPID = 0x8100;
const TPID_SERVICE = 0x88a8;
const TCP = 6;
const UDP = 17;
const ICMPV4 = 1;
const ICMPV6 = 58;
const AH = 51;

/** Where the headers of a frame are and what it is, as far as rewriting needs to know. */
export interface FrameShape {
  /** Offset of the network header. */
  readonly l3: number;
  readonly frameClass: number;
  readonly protocol: number;
  /** Offset of the transport header; -1 when there is none in this frame (later fragments). */
  readonly l4: number;
}

/** The shape of a frame from its bytes; `keyWord0` is word 0 of its flow key, or of the key of its flow. */
export function shapeOf(frame: Uint8Array, keyWord0: number): FrameShape {
  const frameClass = (keyWord0 >>> W0_FRAME_SHIFT) & 3;
  const isLater = ((keyWord0 >>> W0_FRAGMENT_SHIFT) & 3) === FRAGMENT_LATER;
  const l3 = networkOffset(frame);
  if (frameClass === FRAME_IP4) {
    const l4 = l3 + (u8At(frame, l3) & 15) * 4;
    return { l3, frameClass, protocol: u8At(frame, l3 + 9), l4: isLater ? -1 : l4 };
  }
  if (frameClass !== FRAME_IP6) return { l3, frameClass, protocol: 0, l4: -1 };
  const upper = upperHeader(frame, l3);
  return { l3, frameClass, protocol: upper.protocol, l4: isLater ? -1 : upper.at };
}

/** Offset of the network header, behind at most two VLAN tags. */
export function networkOffset(frame: Uint8Array): number {
  let at = MAC_BYTES;
  for (let tags = 0; tags < 2; tags++) {
    const type = u16At(frame, at);
    if (type !== TPID && type !== TPID_SERVICE) break;
    at += 4;
  }
  return at + 2;
}

/** TTL or hop limit; undefined for frames that have none. */
export function ttlOf(frame: Uint8Array, shape: FrameShape): number | undefined {
  if (shape.frameClass === FRAME_IP4) return u8At(frame, shape.l3 + 8);
  return shape.frameClass === FRAME_IP6 ? u8At(frame, shape.l3 + 7) : undefined;
}

/** A copy of the frame with the rewrites of the action at `offset` applied; checksums are kept right (RFC 1624). */
export function rewrite(frame: Uint8Array, shape: FrameShape, { action, offset }: { readonly action: Uint32Array; readonly offset: number }): Uint8Array {
  const flags = action[offset] as number;
  const out = frame.slice();
  if (shape.frameClass === FRAME_IP4) rewriteV4(out, shape, { action, offset });
  else if (shape.frameClass === FRAME_IP6) rewriteV6(out, shape, { action, offset });
  if ((flags & ACTION_SET_MAC) !== 0) {
    for (let i = 0; i < MAC_BYTES; i++) out[i] = (action[offset + 4 + (i >> 2)] as number) >>> (8 * (i & 3));
  }
  return retag(out, { pop: (flags >>> ACTION_POP_SHIFT) & 3, push: (flags >>> ACTION_PUSH_SHIFT) & 3, tcis: action[offset + 7] as number });
}

/** Takes `pop` VLAN tags off and puts `push` tags on: TCIs outer in the low half, inner in the high half. */
export function retag(frame: Uint8Array, vlan: { readonly pop: number; readonly push: number; readonly tcis: number }): Uint8Array {
  let body = frame;
  for (let i = 0; i < vlan.pop; i++) {
    const type = u16At(body, MAC_BYTES);
    if (type === TPID || type === TPID_SERVICE) body = splice(body, undefined);
  }
  if (vlan.push === 2) body = splice(body, { tpid: TPID, tci: vlan.tcis >>> 16 });
  if (vlan.push >= 1) body = splice(body, { tpid: vlan.push === 2 ? TPID_SERVICE : TPID, tci: vlan.tcis & 0xffff });
  return body;
}

function splice(frame: Uint8Array, tag: { readonly tpid: number; readonly tci: number } | undefined): Uint8Array {
  const out = new Uint8Array(frame.length + (tag === undefined ? -4 : 4));
  out.set(frame.subarray(0, MAC_BYTES));
  if (tag === undefined) {
    out.set(frame.subarray(MAC_BYTES + 4), MAC_BYTES);
    return out;
  }
  setU16(out, MAC_BYTES, tag.tpid);
  setU16(out, MAC_BYTES + 2, tag.tci);
  out.set(frame.subarray(MAC_BYTES), MAC_BYTES + 4);
  return out;
}

interface Program {
  readonly action: Uint32Array;
  readonly offset: number;
}

function rewriteV4(out: Uint8Array, shape: FrameShape, program: Program): void {
  const { action, offset } = program;
  const flags = action[offset] as number;
  const { l3 } = shape;
  if ((flags & ACTION_SET_SRC) !== 0) setV4Address(out, shape, { at: l3 + 12, wire: action[offset + 8] as number });
  if ((flags & ACTION_SET_DST) !== 0) setV4Address(out, shape, { at: l3 + 16, wire: action[offset + 12] as number });
  if ((flags & ACTION_SET_PORTS) !== 0) setPorts(out, shape, action[offset + 16] as number);
  if ((flags & ACTION_DEC_TTL) !== 0) {
    const ttl = u8At(out, l3 + 8) - (((action[offset + 3] as number) >>> 16) & 0xff);
    setHeader16(out, l3, { at: l3 + 8, value: (ttl << 8) | u8At(out, l3 + 9) });
  }
  if ((flags & ACTION_SET_DSCP) !== 0) {
    const tos = (((action[offset + 3] as number) >>> 24) << 2) | (u8At(out, l3 + 1) & 3);
    setHeader16(out, l3, { at: l3, value: (u8At(out, l3) << 8) | (tos & 0xff) });
  }
}

/** Writes a 16-bit word of an IPv4 header and keeps the header's checksum. */
function setHeader16(out: Uint8Array, l3: number, word: { readonly at: number; readonly value: number }): void {
  const from = u16At(out, word.at);
  setU16(out, word.at, word.value);
  setU16(out, l3 + 10, updateChecksum16(u16At(out, l3 + 10), { from, to: word.value }));
}

function setV4Address(out: Uint8Array, shape: FrameShape, to: { readonly at: number; readonly wire: number }): void {
  const from = u32At(out, to.at);
  const value = swap32(to.wire);
  setU32(out, to.at, value);
  setU16(out, shape.l3 + 10, updateChecksum32(u16At(out, shape.l3 + 10), { from, to: value }));
  fixL4(out, shape, { from, to: value, bits: 32 });
}

function rewriteV6(out: Uint8Array, shape: FrameShape, program: Program): void {
  const { action, offset } = program;
  const flags = action[offset] as number;
  const { l3 } = shape;
  for (const [flag, at, word] of [[ACTION_SET_SRC, l3 + 8, 8], [ACTION_SET_DST, l3 + 24, 12]] as const) {
    if ((flags & flag) === 0) continue;
    for (let i = 0; i < 4; i++) {
      const from = u32At(out, at + 4 * i);
      const to = swap32(action[offset + word + i] as number);
      setU32(out, at + 4 * i, to);
      fixL4(out, shape, { from, to, bits: 32 });
    }
  }
  if ((flags & ACTION_SET_PORTS) !== 0) setPorts(out, shape, action[offset + 16] as number);
  if ((flags & ACTION_DEC_TTL) !== 0) out[l3 + 7] = u8At(out, l3 + 7) - (((action[offset + 3] as number) >>> 16) & 0xff);
  if ((flags & ACTION_SET_DSCP) !== 0) {
    const trafficClass = (((action[offset + 3] as number) >>> 24) << 2) | ((u16At(out, l3) >>> 4) & 3);
    setU16(out, l3, (u16At(out, l3) & 0xf00f) | ((trafficClass & 0xff) << 4));
  }
}

/** Ports of TCP and UDP; of an ICMP echo its identifier, which is the upper half of the word. */
function setPorts(out: Uint8Array, shape: FrameShape, wire: number): void {
  if (shape.l4 < 0) return;
  if (shape.protocol === ICMPV4 || shape.protocol === ICMPV6) return setIdentifier(out, shape, swap32(wire) & 0xffff);
  const from = u32At(out, shape.l4);
  const to = swap32(wire);
  setU32(out, shape.l4, to);
  fixL4(out, shape, { from, to, bits: 32 });
}

function setIdentifier(out: Uint8Array, shape: FrameShape, to: number): void {
  const at = shape.l4 + 4;
  const from = u16At(out, at);
  setU16(out, at, to);
  setU16(out, shape.l4 + 2, updateChecksum16(u16At(out, shape.l4 + 2), { from, to }));
}

/** Keeps the transport checksum right; a UDP checksum of zero means none (RFC 768) and stays. */
function fixL4(out: Uint8Array, shape: FrameShape, change: { readonly from: number; readonly to: number; readonly bits: number }): void {
  const at = checksumField(shape);
  if (at === undefined) return;
  const before = u16At(out, at);
  if (shape.protocol === UDP && before === 0) return;
  const after = updateChecksum32(before, change);
  setU16(out, at, shape.protocol === UDP && after === 0 ? 0xffff : after);
}

function checksumField(shape: FrameShape): number | undefined {
  if (shape.l4 < 0) return undefined;
  if (shape.protocol === TCP) return shape.l4 + 16;
  if (shape.protocol === UDP) return shape.l4 + 6;
  return shape.protocol === ICMPV6 ? shape.l4 + 2 : undefined;
}

function upperHeader(frame: Uint8Array, l3: number): { readonly protocol: number; readonly at: number } {
  let protocol = u8At(frame, l3 + 6);
  let at = l3 + 40;
  for (let i = 0; i < 8; i++) {
    if (protocol === 44) {
      protocol = u8At(frame, at);
      at += 8;
    } else if (protocol === 0 || protocol === 43 || protocol === 60 || protocol === AH) {
      const next = u8At(frame, at);
      // The authentication header counts words of four bytes, less two (RFC 4302 2.2).
      at += protocol === AH ? 8 + 4 * u8At(frame, at + 1) : 8 + 8 * u8At(frame, at + 1);
      protocol = next;
    } else break;
  }
  return { protocol, at };
}

function swap32(word: number): number {
  return (((word & 0xff) << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;
}
