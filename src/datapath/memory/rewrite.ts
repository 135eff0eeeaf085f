import {
  ACTION_DEC_TTL,
  ACTION_POP_SHIFT,
  ACTION_PUSH_SHIFT,
  ACTION_SET_DSCP,
  ACTION_SET_DST,
  ACTION_SET_MAC,
  ACTION_SET_PORTS,
  ACTION_SET_SRC,
  FRAME_IP4,
  FRAME_IP6,
} from "../../flow/layout.ts";
import { setU16, setU32, u8At, u16At, u32At } from "../../wire/bytes.ts";
import { foldSum } from "../../wire/checksum.ts";
import { IP_PROTOCOL } from "../../wire/ip-protocol.ts";
import { frameClassOf, type MemoryPacket, popTags, pushTags } from "./packet.ts";

/**
 * The rewrites of an action, checksums kept right by RFC 1624: the twin of bpf/rewrite.h, down to what is refused. Changes of a
 * checksum are sums of `~from + to` over 16-bit words, applied once for the addresses and once for the ports.
 */

const MAC_BYTES = 12;
const IPV4_BYTES = 20;
const IPV4 = { tos: 1, ttl: 8, checksum: 10, src: 12, dst: 16 } as const;
const IPV6 = { hopLimit: 7, src: 8, dst: 24 } as const;
const CHECKSUM_AT = { tcp: 16, udp: 6, icmp: 2 } as const;
const IDENTIFIER_AT = 4;

/** Does everything that the action (24 words) says before its output. False: a header that it names is not there or not rewritable. */
export function rewrite(packet: MemoryPacket, action: Uint32Array): boolean {
  const flags = action[0] as number;
  packet.bytes = packet.bytes.slice();
  if (!popTags(packet, (flags >>> ACTION_POP_SHIFT) & 3)) return false;
  const frameClass = frameClassOf(packet);
  const isIp = frameClass === FRAME_IP4 || frameClass === FRAME_IP6;
  if (frameClass === FRAME_IP4 && !rewriteV4(packet, action)) return false;
  if (frameClass === FRAME_IP6 && !rewriteV6(packet, action)) return false;
  if (isIp && (flags & ACTION_SET_PORTS) !== 0 && !setPorts(packet, action[16] as number)) return false;
  if ((flags & ACTION_SET_MAC) !== 0) {
    for (let i = 0; i < MAC_BYTES; i++) packet.bytes[i] = (action[4 + (i >> 2)] as number) >>> (8 * (i & 3));
  }
  pushTags(packet, (flags >>> ACTION_PUSH_SHIFT) & 3, action[7] as number);
  return true;
}

function rewriteV4(packet: MemoryPacket, action: Uint32Array): boolean {
  const flags = action[0] as number;
  if ((flags & (ACTION_SET_SRC | ACTION_SET_DST | ACTION_DEC_TTL | ACTION_SET_DSCP)) === 0) return true;
  const { bytes, l3 } = packet;
  if (l3 + IPV4_BYTES > bytes.length) return false;
  let addresses = 0;
  if ((flags & ACTION_SET_SRC) !== 0) addresses += setWord(bytes, l3 + IPV4.src, swap32(action[8] as number));
  if ((flags & ACTION_SET_DST) !== 0) addresses += setWord(bytes, l3 + IPV4.dst, swap32(action[12] as number));
  let others = 0;
  if ((flags & ACTION_DEC_TTL) !== 0) {
    const ttl = (u8At(bytes, l3 + IPV4.ttl) - decrementOf(action)) & 0xff;
    others += setHalf(bytes, l3 + IPV4.ttl, (ttl << 8) | u8At(bytes, l3 + IPV4.ttl + 1));
  }
  if ((flags & ACTION_SET_DSCP) !== 0) {
    const tos = newTos(action, u8At(bytes, l3 + IPV4.tos));
    others += setHalf(bytes, l3, (u8At(bytes, l3) << 8) | tos);
  }
  const header = ~u16At(bytes, l3 + IPV4.checksum) & 0xffff;
  setU16(bytes, l3 + IPV4.checksum, ~foldSum(header + addresses + others) & 0xffff);
  return addresses === 0 || fixTransport(packet, addresses, true);
}

function rewriteV6(packet: MemoryPacket, action: Uint32Array): boolean {
  const flags = action[0] as number;
  const { bytes, l3 } = packet;
  let addresses = 0;
  for (const [flag, at, word] of [
    [ACTION_SET_SRC, IPV6.src, 8],
    [ACTION_SET_DST, IPV6.dst, 12],
  ] as const) {
    if ((flags & flag) === 0) continue;
    if (l3 + at + 16 > bytes.length) return false;
    for (let i = 0; i < 4; i++) addresses += setWord(bytes, l3 + at + 4 * i, swap32(action[word + i] as number));
  }
  if (addresses !== 0 && !fixTransport(packet, addresses, true)) return false;
  if ((flags & (ACTION_DEC_TTL | ACTION_SET_DSCP)) === 0) return true;
  if (l3 + 8 > bytes.length) return false;
  if ((flags & ACTION_DEC_TTL) !== 0) bytes[l3 + IPV6.hopLimit] = u8At(bytes, l3 + IPV6.hopLimit) - decrementOf(action);
  if ((flags & ACTION_SET_DSCP) !== 0) {
    const first = u16At(bytes, l3);
    setU16(bytes, l3, (first & 0xf00f) | (newTos(action, (first >>> 4) & 0xff) << 4));
  }
  return true;
}

/** Ports of TCP and UDP; the identifier of an ICMP echo, which is the upper half of the word. Nothing else has any. */
function setPorts(packet: MemoryPacket, wire: number): boolean {
  const { bytes, l4 } = packet;
  if (l4 === 0) return true;
  const protocol = protocolOf(packet);
  const value = swap32(wire);
  if (protocol === IP_PROTOCOL.tcp || protocol === IP_PROTOCOL.udp) {
    return fixTransport(packet, setWord(bytes, l4, value), false);
  }
  return isEcho(packet) && fixTransport(packet, setHalf(bytes, l4 + IDENTIFIER_AT, value & 0xffff), false);
}

function isEcho(packet: MemoryPacket): boolean {
  const type = u8At(packet.bytes, packet.l4);
  if (frameClassOf(packet) === FRAME_IP4)
    return protocolOf(packet) === IP_PROTOCOL.icmpv4 && (type === 8 || type === 0);
  return protocolOf(packet) === IP_PROTOCOL.icmpv6 && (type === 128 || type === 129);
}

/**
 * Brings the transport checksum up to date. `isPseudo`: the change is one of addresses, which ICMPv4 does not cover. A UDP checksum
 * of zero means none (RFC 768) and stays; one that becomes zero is sent as 0xffff.
 */
function fixTransport(packet: MemoryPacket, change: number, isPseudo: boolean): boolean {
  const field = checksumField(packet, isPseudo);
  if (packet.l4 === 0 || field === 0) return true;
  const at = packet.l4 + field;
  const { bytes } = packet;
  if (at + 2 > bytes.length) return false;
  const before = u16At(bytes, at);
  const isUdp = protocolOf(packet) === IP_PROTOCOL.udp;
  if (isUdp && before === 0) return true;
  // 0xffff is zero in ones' complement: with it the sum is never plain zero, and so the checksum never 0xffff but for UDP.
  const after = ~foldSum(0xffff + (~before & 0xffff) + change) & 0xffff;
  setU16(bytes, at, isUdp && after === 0 ? 0xffff : after);
  return true;
}

function checksumField(packet: MemoryPacket, isPseudo: boolean): number {
  switch (protocolOf(packet)) {
    case IP_PROTOCOL.tcp:
      return CHECKSUM_AT.tcp;
    case IP_PROTOCOL.udp:
      return CHECKSUM_AT.udp;
    case IP_PROTOCOL.icmpv6:
      return frameClassOf(packet) === FRAME_IP6 ? CHECKSUM_AT.icmp : 0;
    case IP_PROTOCOL.icmpv4:
      return isPseudo || frameClassOf(packet) !== FRAME_IP4 ? 0 : CHECKSUM_AT.icmp;
    default:
      return 0;
  }
}

function protocolOf(packet: MemoryPacket): number {
  return (packet.key[14] as number) & 0xff;
}

function decrementOf(action: Uint32Array): number {
  return ((action[3] as number) >>> 16) & 0xff;
}

/** The action's DSCP with the ECN bits of `tos`. */
function newTos(action: Uint32Array, tos: number): number {
  return ((((action[3] as number) >>> 24) & 0x3f) << 2) | (tos & 3);
}

/** Writes 16 bits and returns the change of the ones' complement sum. */
function setHalf(bytes: Uint8Array, at: number, value: number): number {
  const from = u16At(bytes, at);
  setU16(bytes, at, value);
  return (~from & 0xffff) + value;
}

/** Writes 32 bits and returns the change of the ones' complement sum. */
function setWord(bytes: Uint8Array, at: number, value: number): number {
  const from = u32At(bytes, at);
  setU32(bytes, at, value);
  return (~from & 0xffff) + (~(from >>> 16) & 0xffff) + (value & 0xffff) + (value >>> 16);
}

function swap32(word: number): number {
  return (((word & 0xff) << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;
}
