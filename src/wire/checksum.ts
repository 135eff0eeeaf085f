import type { Ip } from "../addr/ip.ts";
import { u16At } from "./bytes.ts";

/**
 * Checksums of the Internet protocols.
 *
 * A *sum* is an unfinished ones' complement sum: an unsigned number below 2^53 that may be added to others; `checksumOf`
 * folds and complements it. All sums are over 16-bit words in network order (RFC 1071).
 */

/** What the pseudo header of UDP, TCP and ICMPv6 covers; `length` is header and payload in bytes. */
export interface PseudoHeader<Address> {
  readonly src: Address;
  readonly dst: Address;
  readonly protocol: number;
  readonly length: number;
}

const CRC32C_POLYNOMIAL = 0x82f63b78;
const CRC32C_TABLE = crc32cTable();

/** The sum of the bytes from `start` to `end`; an odd last byte is padded with zero (RFC 1071 1). */
export function sumOf(bytes: Uint8Array, start: number, end: number): number {
  let sum = 0;
  let at = start;
  for (; at + 1 < end; at += 2) sum += u16At(bytes, at);
  if (at < end) sum += (bytes[at] ?? 0) << 8;
  return sum;
}

/** Folds a sum to sixteen bits (0..0xffff). */
export function foldSum(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded % 0x1_0000) + Math.floor(folded / 0x1_0000);
  return folded;
}

/** The checksum field that completes a sum: its folded complement. */
export function checksumOf(sum: number): number {
  return ~foldSum(sum) & 0xffff;
}

/** True when a sum that includes the stored checksum is the ones' complement of zero. */
export function sumIsGood(sum: number): boolean {
  return foldSum(sum) === 0xffff;
}

/** The sum of an IPv4 pseudo header (RFC 768, RFC 9293 3.1). */
export function pseudoSumV4(pseudo: PseudoHeader<number>): number {
  return sum32(pseudo.src) + sum32(pseudo.dst) + pseudo.protocol + pseudo.length;
}

/** The sum of an IPv6 pseudo header (RFC 8200 8.1); `protocol` is the upper layer's, after all extension headers. */
export function pseudoSumV6(pseudo: PseudoHeader<Ip>): number {
  return sumIp(pseudo.src) + sumIp(pseudo.dst) + pseudo.protocol + sum32(pseudo.length);
}

/** The checksum after one 16-bit word that it covers changed (RFC 1624 equation 3). */
export function updateChecksum16(checksum: number, change: { readonly from: number; readonly to: number }): number {
  return checksumOf((~checksum & 0xffff) + (~change.from & 0xffff) + change.to);
}

/** The checksum after one 32-bit word, aligned to 16 bits, that it covers changed (RFC 1624 equation 3). */
export function updateChecksum32(checksum: number, change: { readonly from: number; readonly to: number }): number {
  return checksumOf((~checksum & 0xffff) + sum32(~change.from >>> 0) + sum32(change.to));
}

/**
 * CRC32c of the bytes from `start` to `end` (Castagnoli), as SCTP has it (RFC 9260 appendix A). SCTP stores the result
 * least significant byte first; its own field counts as zero while summing.
 */
export function crc32c(bytes: Uint8Array, start: number, end: number): number {
  let crc = 0xffff_ffff;
  for (let at = start; at < end; at++) {
    crc = (CRC32C_TABLE[(crc ^ (bytes[at] ?? 0)) & 0xff] ?? 0) ^ (crc >>> 8);
  }
  return ~crc >>> 0;
}

function sum32(word: number): number {
  return (word >>> 16) + (word & 0xffff);
}

function sumIp(ip: Ip): number {
  return sum32(ip.w0) + sum32(ip.w1) + sum32(ip.w2) + sum32(ip.w3);
}

function crc32cTable(): Uint32Array {
  const table = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ CRC32C_POLYNOMIAL : crc >>> 1;
    table[byte] = crc >>> 0;
  }
  return table;
}
