import { err, ok, type Result } from "../base/result.ts";
import type { AddrError } from "./addr-error.ts";
import { formatIp, type Ip, isV4, parseIp, sameIp } from "./ip.ts";

/**
 * An address with a prefix length, as an interface has it (10.0.0.1/24) or as a route has it (10.0.0.0/24).
 * `length` counts bits of the 128-bit form, so an IPv4 /24 has length 120; `formatPrefix` shows what people write.
 */
export interface Prefix {
  readonly ip: Ip;
  readonly length: number;
}

/** Bits that precede an IPv4 address in its mapped form. */
export const V4_PREFIX_BASE = 96;

const FULL = 0xffff_ffff;

/** Mask of word `index` (0..3) of a prefix of `length` bits. */
export function maskWord(length: number, index: number): number {
  const bits = Math.min(32, Math.max(0, length - 32 * index));
  return bits === 0 ? 0 : (FULL << (32 - bits)) >>> 0;
}

/** The prefix with its host bits cleared. */
export function networkOf(prefix: Prefix): Prefix {
  const { ip, length } = prefix;
  return {
    ip: {
      w0: (ip.w0 & maskWord(length, 0)) >>> 0,
      w1: (ip.w1 & maskWord(length, 1)) >>> 0,
      w2: (ip.w2 & maskWord(length, 2)) >>> 0,
      w3: (ip.w3 & maskWord(length, 3)) >>> 0,
    },
    length,
  };
}

/** True when `ip` lies in the prefix. An IPv4 address is never in an IPv6 prefix shorter than 96 bits. */
export function prefixContains(prefix: Prefix, ip: Ip): boolean {
  if (isV4(prefix.ip) !== isV4(ip)) return false;
  const { length } = prefix;
  return (
    ((prefix.ip.w0 ^ ip.w0) & maskWord(length, 0)) === 0 &&
    ((prefix.ip.w1 ^ ip.w1) & maskWord(length, 1)) === 0 &&
    ((prefix.ip.w2 ^ ip.w2) & maskWord(length, 2)) === 0 &&
    ((prefix.ip.w3 ^ ip.w3) & maskWord(length, 3)) === 0
  );
}

/** Equality by value, host bits included. */
export function samePrefix(a: Prefix, b: Prefix): boolean {
  return a.length === b.length && sameIp(a.ip, b.ip);
}

/** Canonical text, host bits kept. */
export function formatPrefix(prefix: Prefix): string {
  return `${formatIp(prefix.ip)}/${isV4(prefix.ip) ? prefix.length - V4_PREFIX_BASE : prefix.length}`;
}

/** Reads ADDRESS/LENGTH of either family; host bits are kept. */
export function parsePrefix(text: string): Result<Prefix, AddrError> {
  const slash = text.indexOf("/");
  const bad = err<AddrError>({ kind: "bad-prefix", text, expected: "a prefix such as 10.0.0.0/24 or fd00::/64" });
  if (slash < 0) return bad;
  const ip = parseIp(text.slice(0, slash));
  const digits = text.slice(slash + 1);
  if (!ip.ok || !/^(0|[1-9][0-9]{0,2})$/.test(digits)) return bad;
  const v4 = isV4(ip.value);
  const length = Number(digits);
  if (length > (v4 ? 32 : 128)) return bad;
  return ok({ ip: ip.value, length: v4 ? length + V4_PREFIX_BASE : length });
}
