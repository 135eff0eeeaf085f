import { err, ok, type Result } from "../base/result.ts";
import type { AddrError } from "./addr-error.ts";

/** An IPv4 address as an unsigned 32-bit number, first octet most significant. */
export type Ipv4 = number;

/**
 * An IP address of either family as four unsigned 32-bit words, most significant first.
 * IPv4 addresses stand in their IPv4-mapped form, ::ffff:a.b.c.d (RFC 4291 2.5.5.2), so that one table and one trie
 * serve both families. Immutable; compare with `sameIp`, never by reference.
 */
export interface Ip {
  readonly w0: number;
  readonly w1: number;
  readonly w2: number;
  readonly w3: number;
}

/** Third word of every IPv4-mapped address. */
export const V4_MAPPED_W2 = 0xffff;

/** The address of an IPv4 number. */
export function ipFromV4(v4: Ipv4): Ip {
  return { w0: 0, w1: 0, w2: V4_MAPPED_W2, w3: v4 >>> 0 };
}

/** The address of four words. */
export function ipFromWords(w0: number, w1: number, [w2, w3]: readonly [number, number]): Ip {
  return { w0: w0 >>> 0, w1: w1 >>> 0, w2: w2 >>> 0, w3: w3 >>> 0 };
}

/** True for an IPv4 address. */
export function isV4(ip: Ip): boolean {
  return ip.w2 === V4_MAPPED_W2 && ip.w0 === 0 && ip.w1 === 0;
}

/** Equality by value. */
export function sameIp(a: Ip, b: Ip): boolean {
  return a.w3 === b.w3 && a.w2 === b.w2 && a.w1 === b.w1 && a.w0 === b.w0;
}

/** True for 224.0.0.0/4 and ff00::/8. */
export function isMulticastIp(ip: Ip): boolean {
  return isV4(ip) ? ip.w3 >>> 28 === 0xe : ip.w0 >>> 24 === 0xff;
}

/** True for fe80::/10 (RFC 4291 2.5.6). */
export function isLinkLocalV6(ip: Ip): boolean {
  return ip.w0 >>> 22 === 0x3fa;
}

/** Dotted quad. */
export function formatIpv4(v4: Ipv4): string {
  return `${v4 >>> 24}.${(v4 >>> 16) & 255}.${(v4 >>> 8) & 255}.${v4 & 255}`;
}

/** Canonical text: dotted quad, or RFC 5952. */
export function formatIp(ip: Ip): string {
  if (isV4(ip)) return formatIpv4(ip.w3);
  const groups = [ip.w0, ip.w1, ip.w2, ip.w3].flatMap((w) => [w >>> 16, w & 0xffff]);
  const run = longestZeroRun(groups);
  const hex = groups.map((g) => g.toString(16));
  if (run.length < 2) return hex.join(":");
  return `${hex.slice(0, run.start).join(":")}::${hex.slice(run.start + run.length).join(":")}`;
}

/** Reads a strict dotted quad: four decimal octets, no leading zeros. */
export function parseIpv4(text: string): Result<Ipv4, AddrError> {
  const parts = text.split(".");
  const bad = err<AddrError>({ kind: "bad-ipv4", text, expected: "four octets such as 10.0.0.1" });
  if (parts.length !== 4) return bad;
  let value = 0;
  for (const part of parts) {
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return bad;
    value = value * 256 + Number(part);
  }
  return ok(value);
}

/** Reads an address of either family (RFC 4291 2.2 text forms, no zone). */
export function parseIp(text: string): Result<Ip, AddrError> {
  if (!text.includes(":")) {
    const v4 = parseIpv4(text);
    return v4.ok ? ok(ipFromV4(v4.value)) : v4;
  }
  const groups = parseGroups(text);
  if (groups === undefined) return err({ kind: "bad-ipv6", text, expected: "an IPv6 address such as fd00::1" });
  const word = (i: number): number => (((groups[i] ?? 0) << 16) | (groups[i + 1] ?? 0)) >>> 0;
  return ok({ w0: word(0), w1: word(2), w2: word(4), w3: word(6) });
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let i = 0; i < groups.length; i++) {
    let n = 0;
    while (groups[i + n] === 0) n++;
    if (n > best.length) best = { start: i, length: n };
    i += n;
  }
  return best;
}

function parseGroups(text: string): number[] | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = parseHalf(halves[0] ?? "", halves.length === 1);
  const tail = halves.length === 2 ? parseHalf(halves[1] ?? "", true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  return [...head, ...new Array<number>(missing).fill(0), ...tail];
}

function parseHalf(text: string, mayEndInV4: boolean): number[] | undefined {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (const [i, part] of parts.entries()) {
    if (/^[0-9a-f]{1,4}$/i.test(part)) {
      groups.push(Number.parseInt(part, 16));
      continue;
    }
    const v4 = mayEndInV4 && i === parts.length - 1 ? parseIpv4(part) : undefined;
    if (v4 === undefined || !v4.ok) return undefined;
    groups.push(v4.value >>> 16, v4.value & 0xffff);
  }
  return groups;
}
