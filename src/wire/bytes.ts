import { type Ip, ipFromWords } from "../addr/ip.ts";
import { type Mac, macFrom, macHigh, macLow } from "../addr/mac.ts";
import { assert } from "../base/assert.ts";

/**
 * Big-endian reads and writes at a byte position: the only place where a frame is indexed by number.
 * Nothing here allocates except `ipAt`. The caller has checked the region (see `assertRegion`); a read past the end of
 * the array gives zeros and a write there is lost, so a missed check can never touch memory of anyone else.
 */
export function u8At(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}

/** Two bytes, unsigned. */
export function u16At(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

/** Three bytes, unsigned. */
export function u24At(bytes: Uint8Array, at: number): number {
  return (u16At(bytes, at) << 8) | (bytes[at + 2] ?? 0);
}

/** Four bytes, unsigned. */
export function u32At(bytes: Uint8Array, at: number): number {
  return ((u16At(bytes, at) << 16) | u16At(bytes, at + 2)) >>> 0;
}

/** A MAC address. */
export function macAt(bytes: Uint8Array, at: number): Mac {
  return macFrom(u16At(bytes, at), u32At(bytes, at + 2));
}

/** A 16-byte IP address. */
export function ipAt(bytes: Uint8Array, at: number): Ip {
  return ipFromWords(u32At(bytes, at), u32At(bytes, at + 4), [u32At(bytes, at + 8), u32At(bytes, at + 12)]);
}

/** Writes the low eight bits. */
export function setU8(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
}

/** Writes the low sixteen bits. */
export function setU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

/** Writes the low twenty-four bits. */
export function setU24(bytes: Uint8Array, at: number, value: number): void {
  setU16(bytes, at, value >>> 8);
  bytes[at + 2] = value;
}

/** Writes thirty-two bits. */
export function setU32(bytes: Uint8Array, at: number, value: number): void {
  setU16(bytes, at, value >>> 16);
  setU16(bytes, at + 2, value);
}

/** Writes a MAC address. */
export function setMac(bytes: Uint8Array, at: number, mac: Mac): void {
  setU16(bytes, at, macHigh(mac));
  setU32(bytes, at + 2, macLow(mac));
}

/** Writes a 16-byte IP address. */
export function setIp(bytes: Uint8Array, at: number, ip: Ip): void {
  setU32(bytes, at, ip.w0);
  setU32(bytes, at + 4, ip.w1);
  setU32(bytes, at + 8, ip.w2);
  setU32(bytes, at + 12, ip.w3);
}

/** Throws unless `length` bytes at `offset` lie in the array: every view asks once, when it is made. */
export function assertRegion(bytes: Uint8Array, offset: number, length: number): void {
  if (offset >= 0 && offset + length <= bytes.length) return;
  assert(false, "view outside its bytes", { offset, length, have: bytes.length });
}
