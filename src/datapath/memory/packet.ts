import { extractKey } from "../../flow/key.ts";
import {
  FRAME_IP4,
  FRAME_IP6,
  FRAME_OTHER,
  KEY_WORDS,
  PARSE_SHORT,
  W0_FRAME_SHIFT,
  W0_PARSE_SHIFT,
  W0_VLAN_SHIFT,
} from "../../flow/layout.ts";
import { u8At, u16At } from "../../wire/bytes.ts";

/** Where the first VLAN tag, or the EtherType, stands. */
export const TAG_AT = 12;
/** Bytes of a VLAN tag: TPID and TCI. */
export const TAG_BYTES = 4;
const ETHERNET_BYTES = 14;
const TPID = 0x8100;
const TPID_SERVICE = 0x88a8;

/**
 * A frame on its way through the programs, with what the parser found: the twin of `struct weft_walk`. Offsets are places in `bytes`,
 * which hold all tags.
 */
export interface MemoryPacket {
  bytes: Uint8Array;
  /**
   * A kernel keeps the outer tag of a received or re-tagged frame beside its bytes: then the frame's length, wherever one is
   * counted or limited, is 4 less than that of `bytes`.
   */
  isTagBeside: boolean;
  /** The vport by which it came; 0: none. */
  readonly vport: number;
  readonly key: Uint32Array;
  /** The network header. */
  l3: number;
  /** The transport header; 0: this frame has none that could be rewritten. */
  l4: number;
  /** VLAN tags, at most 2 are counted. */
  tags: number;
}

/** Parses a frame. `isReceived`: it comes from a device, and not from the agent. */
export function packetOf(
  bytes: Uint8Array,
  from: { readonly vport: number; readonly isReceived: boolean },
): MemoryPacket {
  const key = new Uint32Array(KEY_WORDS);
  const l4 = extractKey(bytes, { vportIndex: from.vport }, key);
  const word0 = key[0] as number;
  const isCutInTags =
    ((word0 >>> W0_PARSE_SHIFT) & 7) === PARSE_SHORT && ((word0 >>> W0_FRAME_SHIFT) & 3) === FRAME_OTHER;
  const tags = isCutInTags ? 0 : (word0 >>> W0_VLAN_SHIFT) & 3;
  const l3 = isCutInTags ? 0 : ETHERNET_BYTES + TAG_BYTES * tags;
  const isTagBeside = from.isReceived && isTagged(bytes) && bytes.length >= ETHERNET_BYTES + TAG_BYTES;
  return { bytes, isTagBeside, vport: from.vport, key, l3, l4, tags };
}

/** Length of the frame as a kernel counts it. */
export function lengthOf(packet: MemoryPacket): number {
  return packet.isTagBeside ? packet.bytes.length - TAG_BYTES : packet.bytes.length;
}

/** Length of the network packet, with whatever padding the frame has. */
export function networkLengthOf(packet: MemoryPacket): number {
  return packet.bytes.length - packet.l3;
}

/** Frame class of the packet's key. */
export function frameClassOf(packet: MemoryPacket): number {
  return ((packet.key[0] as number) >>> W0_FRAME_SHIFT) & 3;
}

/** Parse state of the packet's key. */
export function parseStateOf(packet: MemoryPacket): number {
  return ((packet.key[0] as number) >>> W0_PARSE_SHIFT) & 7;
}

/** TTL or hop limit of a well-formed packet; undefined for frames that have none. */
export function ttlOf(packet: MemoryPacket): number | undefined {
  const frameClass = frameClassOf(packet);
  if (frameClass === FRAME_IP4) return u8At(packet.bytes, packet.l3 + 8);
  return frameClass === FRAME_IP6 ? u8At(packet.bytes, packet.l3 + 7) : undefined;
}

/** Whether the frame's first tag is one of VLAN. */
export function isTagged(bytes: Uint8Array): boolean {
  const type = u16At(bytes, TAG_AT);
  return type === TPID || type === TPID_SERVICE;
}

/** VLAN tags at the beginning of a frame, 2 at most. */
export function tagsOf(bytes: Uint8Array): number {
  if (!isTagged(bytes)) return 0;
  return isTagged(bytes.subarray(TAG_BYTES)) ? 2 : 1;
}

/** The frame's first tag as word 4 of an upcall record. */
export function tagWordOf(bytes: Uint8Array): number {
  return u16At(bytes, TAG_AT + 2) | (1 << 16) | (u16At(bytes, TAG_AT) === TPID_SERVICE ? 1 << 17 : 0);
}

/**
 * Takes VLAN tags off, no more than are counted. Bytes become the packet's own. False: what is left begins with a tag that is cut
 * off, which a kernel cannot put beside the bytes.
 */
export function popTags(packet: MemoryPacket, wanted: number): boolean {
  const count = Math.min(wanted, packet.tags);
  if (count === 0) return true;
  const out = new Uint8Array(packet.bytes.length - TAG_BYTES * count);
  out.set(packet.bytes.subarray(0, TAG_AT));
  out.set(packet.bytes.subarray(TAG_AT + TAG_BYTES * count), TAG_AT);
  move(packet, out, -count);
  const isCut = packet.isTagBeside && out.length < ETHERNET_BYTES + TAG_BYTES;
  if (isCut) packet.isTagBeside = false;
  return !isCut;
}

/** Puts one or two VLAN tags on: TCIs outer in the low half, inner in the high half. Bytes become the packet's own. */
export function pushTags(packet: MemoryPacket, wanted: number, tcis: number): void {
  const count = Math.min(wanted, 2);
  if (count === 0) return;
  const out = new Uint8Array(packet.bytes.length + TAG_BYTES * count);
  out.set(packet.bytes.subarray(0, TAG_AT));
  if (count === 2) writeTag(out, TAG_AT + TAG_BYTES, { tpid: TPID, tci: tcis >>> 16 });
  writeTag(out, TAG_AT, { tpid: count === 2 ? TPID_SERVICE : TPID, tci: tcis & 0xffff });
  out.set(packet.bytes.subarray(TAG_AT), TAG_AT + TAG_BYTES * count);
  move(packet, out, count);
}

/** Takes over bytes that have so many tags more. */
function move(packet: MemoryPacket, bytes: Uint8Array, tags: number): void {
  packet.bytes = bytes;
  packet.tags += tags;
  packet.l3 += TAG_BYTES * tags;
  if (packet.l4 !== 0) packet.l4 += TAG_BYTES * tags;
  packet.isTagBeside = isTagged(bytes);
}

function writeTag(bytes: Uint8Array, at: number, tag: { readonly tpid: number; readonly tci: number }): void {
  bytes[at] = tag.tpid >>> 8;
  bytes[at + 1] = tag.tpid & 0xff;
  bytes[at + 2] = tag.tci >>> 8;
  bytes[at + 3] = tag.tci & 0xff;
}
