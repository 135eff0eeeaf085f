import { err, ok, type Result } from "../base/result.ts";
import type { AddrError } from "./addr-error.ts";

/**
 * A MAC address (EUI-48) as one number, most significant octet first: 02:00:00:00:00:01 is 0x0200_0000_0001.
 * 48 bits fit a double exactly; bit operations work on `macHigh` and `macLow`.
 */
export type Mac = number;

/** ff:ff:ff:ff:ff:ff. */
export const MAC_BROADCAST: Mac = 0xffff_ffff_ffff;

/** The upper 16 bits. */
export function macHigh(mac: Mac): number {
  return Math.floor(mac / 0x1_0000_0000);
}

/** The lower 32 bits, unsigned. */
export function macLow(mac: Mac): number {
  return mac >>> 0;
}

/** Joins 16 upper and 32 lower bits. */
export function macFrom(high: number, low: number): Mac {
  return high * 0x1_0000_0000 + (low >>> 0);
}

/** True for group addresses, broadcast included (IEEE 802: least significant bit of the first octet). */
export function isMulticastMac(mac: Mac): boolean {
  return (macHigh(mac) & 0x0100) !== 0;
}

/** Six octets in lower-case hexadecimal with colons. */
export function formatMac(mac: Mac): string {
  const hex = mac.toString(16).padStart(12, "0");
  return `${hex.slice(0, 2)}:${hex.slice(2, 4)}:${hex.slice(4, 6)}:${hex.slice(6, 8)}:${hex.slice(8, 10)}:${hex.slice(10)}`;
}

/** Reads six octets separated by colons or by dashes, upper or lower case. */
export function parseMac(text: string): Result<Mac, AddrError> {
  const hex = /^([0-9a-f]{2})([:-])([0-9a-f]{2})\2([0-9a-f]{2})\2([0-9a-f]{2})\2([0-9a-f]{2})\2([0-9a-f]{2})$/i.exec(
    text,
  );
  if (hex === null) return err({ kind: "bad-mac", text, expected: "six octets such as 02:00:00:00:00:01" });
  return ok(Number.parseInt(text.replace(/[:-]/g, ""), 16));
}
