import { formatIpv4, type Ipv4 } from "../addr/ip.ts";
import { assert } from "../base/assert.ts";
import { err, ok, type Result } from "../base/result.ts";
import { assertRegion, setU8, setU16, setU32, u8At, u16At, u32At } from "./bytes.ts";
import { checksumOf, sumIsGood, sumOf } from "./checksum.ts";
import { formatIpProtocol } from "./ip-protocol.ts";
import { badLength, badOption, type ParseError, truncated } from "./parse-error.ts";

/** Bytes of an IPv4 header without options (RFC 791 3.1). */
export const IPV4_LENGTH_MIN = 20;
/** Bytes of an IPv4 header with all options that fit. */
export const IPV4_LENGTH_MAX = 60;

const OFFSET = {
  versionAndLength: 0,
  trafficClass: 1,
  totalLength: 2,
  identification: 4,
  flagsAndFragment: 6,
  ttl: 8,
  protocol: 9,
  checksum: 10,
  src: 12,
  dst: 16,
  options: 20,
} as const;

const FLAG_DONT_FRAGMENT = 0x4000;
const FLAG_MORE_FRAGMENTS = 0x2000;
const FRAGMENT_MASK = 0x1fff;

/** Option types that end or fill the options (RFC 791 3.1); both are one byte. */
export const IPV4_OPTION = {
  end: 0,
  nop: 1,
  recordRoute: 7,
  timestamp: 68,
  looseSource: 131,
  strictSource: 137,
} as const;

/** A view over an IPv4 header; the getters of the options need `headerLength` to have been checked by `parseIpv4`. */
export class Ipv4View {
  readonly #bytes: Uint8Array;
  readonly #at: number;

  /** The header at `offset`; throws unless its first twenty bytes lie in `bytes`. */
  constructor(bytes: Uint8Array, offset: number) {
    assertRegion(bytes, offset, IPV4_LENGTH_MIN);
    this.#bytes = bytes;
    this.#at = offset;
  }

  get version(): number {
    return u8At(this.#bytes, this.#at + OFFSET.versionAndLength) >>> 4;
  }

  /** Bytes of header and options as the header says, 0..60; below 20 is malformed. Setting it sets the version to 4. */
  get headerLength(): number {
    return (u8At(this.#bytes, this.#at + OFFSET.versionAndLength) & 0xf) * 4;
  }
  set headerLength(bytes: number) {
    setU8(this.#bytes, this.#at + OFFSET.versionAndLength, 0x40 | (bytes >>> 2));
  }

  /** DSCP in the upper six bits, ECN in the lower two (RFC 2474, RFC 3168). */
  get trafficClass(): number {
    return u8At(this.#bytes, this.#at + OFFSET.trafficClass);
  }
  set trafficClass(value: number) {
    setU8(this.#bytes, this.#at + OFFSET.trafficClass, value);
  }

  /** Bytes of header and payload. */
  get totalLength(): number {
    return u16At(this.#bytes, this.#at + OFFSET.totalLength);
  }
  set totalLength(value: number) {
    setU16(this.#bytes, this.#at + OFFSET.totalLength, value);
  }

  get identification(): number {
    return u16At(this.#bytes, this.#at + OFFSET.identification);
  }
  set identification(value: number) {
    setU16(this.#bytes, this.#at + OFFSET.identification, value);
  }

  /** The three flags and the fragment offset in units of eight bytes, as they stand. */
  get flagsAndFragment(): number {
    return u16At(this.#bytes, this.#at + OFFSET.flagsAndFragment);
  }
  set flagsAndFragment(value: number) {
    setU16(this.#bytes, this.#at + OFFSET.flagsAndFragment, value);
  }

  get dontFragment(): boolean {
    return (this.flagsAndFragment & FLAG_DONT_FRAGMENT) !== 0;
  }

  get moreFragments(): boolean {
    return (this.flagsAndFragment & FLAG_MORE_FRAGMENTS) !== 0;
  }

  /** Bytes of the original payload that precede this fragment. */
  get fragmentOffset(): number {
    return (this.flagsAndFragment & FRAGMENT_MASK) * 8;
  }

  get ttl(): number {
    return u8At(this.#bytes, this.#at + OFFSET.ttl);
  }
  set ttl(value: number) {
    setU8(this.#bytes, this.#at + OFFSET.ttl, value);
  }

  get protocol(): number {
    return u8At(this.#bytes, this.#at + OFFSET.protocol);
  }
  set protocol(value: number) {
    setU8(this.#bytes, this.#at + OFFSET.protocol, value);
  }

  get checksum(): number {
    return u16At(this.#bytes, this.#at + OFFSET.checksum);
  }
  set checksum(value: number) {
    setU16(this.#bytes, this.#at + OFFSET.checksum, value);
  }

  get src(): Ipv4 {
    return u32At(this.#bytes, this.#at + OFFSET.src);
  }
  set src(ip: Ipv4) {
    setU32(this.#bytes, this.#at + OFFSET.src, ip);
  }

  get dst(): Ipv4 {
    return u32At(this.#bytes, this.#at + OFFSET.dst);
  }
  set dst(ip: Ipv4) {
    setU32(this.#bytes, this.#at + OFFSET.dst, ip);
  }

  /** True when the stored checksum is the one of header and options. */
  checksumIsGood(): boolean {
    return sumIsGood(sumOf(this.#bytes, this.#at, this.#at + this.headerLength));
  }

  /** Computes and stores the checksum over header and options. */
  fillChecksum(): void {
    this.checksum = 0;
    this.checksum = checksumOf(sumOf(this.#bytes, this.#at, this.#at + this.headerLength));
  }
}

/** One option: its type and what follows type and length. `end` is never listed; `nop` has no bytes. */
export interface Ipv4Option {
  readonly type: number;
  readonly content: Uint8Array;
}

/** No options, shared. */
export const NO_IPV4_OPTIONS: readonly Ipv4Option[] = [];

/** The meaning of an IPv4 header. */
export interface Ipv4Fields {
  /** 0..63 (RFC 2474). */
  readonly dscp: number;
  /** 0..3 (RFC 3168). */
  readonly ecn: number;
  readonly identification: number;
  readonly dontFragment: boolean;
  readonly moreFragments: boolean;
  /** Bytes of the original payload before this fragment, a multiple of 8. */
  readonly fragmentOffset: number;
  readonly ttl: number;
  readonly protocol: number;
  readonly src: Ipv4;
  readonly dst: Ipv4;
  readonly options: readonly Ipv4Option[];
  /** Bytes after the header. */
  readonly payloadLength: number;
}

/** True for every fragment of a packet, the first included. */
export function isIpv4Fragment(fields: Ipv4Fields): boolean {
  return fields.moreFragments || fields.fragmentOffset !== 0;
}

/**
 * Reads the header at `offset` of a region that ends before `end`: version, lengths, header checksum and options are
 * checked. Bytes after the packet's total length are padding. The payload starts at `offset` + `ipv4Length(fields)`
 * when options are in canonical form; `Ipv4View.headerLength` is right always.
 */
export function parseIpv4(bytes: Uint8Array, offset: number, end: number): Result<Ipv4Fields, ParseError> {
  const have = end - offset;
  if (have < IPV4_LENGTH_MIN) return truncated("ipv4", IPV4_LENGTH_MIN, have);
  const view = new Ipv4View(bytes, offset);
  if (view.version !== 4) return err({ kind: "bad-version", header: "ipv4", version: view.version });
  const { headerLength, totalLength } = view;
  if (headerLength < IPV4_LENGTH_MIN) return badLength("ipv4", "header length", headerLength);
  if (totalLength < headerLength) return badLength("ipv4", "total length", totalLength);
  if (have < totalLength) return truncated("ipv4", totalLength, have);
  if (!view.checksumIsGood()) return badChecksum(bytes, offset, view);
  const options = parseOptions(bytes, offset, headerLength);
  if (!options.ok) return options;
  return ok(fieldsOf(view, options.value, totalLength - headerLength));
}

/**
 * Reads the header of a packet quoted in an ICMP error: the same, but the payload may be cut short and the checksum is
 * not looked at, because routers on the way may have changed the header (RFC 1812 4.3.2.3).
 */
export function parseQuotedIpv4(bytes: Uint8Array, offset: number, end: number): Result<Ipv4Fields, ParseError> {
  const have = end - offset;
  if (have < IPV4_LENGTH_MIN) return truncated("ipv4", IPV4_LENGTH_MIN, have);
  const view = new Ipv4View(bytes, offset);
  if (view.version !== 4) return err({ kind: "bad-version", header: "ipv4", version: view.version });
  const { headerLength, totalLength } = view;
  if (headerLength < IPV4_LENGTH_MIN) return badLength("ipv4", "header length", headerLength);
  if (have < headerLength) return truncated("ipv4", headerLength, have);
  const options = parseOptions(bytes, offset, headerLength);
  if (!options.ok) return options;
  return ok(fieldsOf(view, options.value, Math.max(0, totalLength - headerLength)));
}

/** Bytes of the header that `emitIpv4` writes: options are padded to a multiple of four. */
export function ipv4Length(fields: Pick<Ipv4Fields, "options">): number {
  let length = 0;
  for (const option of fields.options) length += optionLength(option);
  return IPV4_LENGTH_MIN + ((length + 3) & ~3);
}

/** Writes header, options and checksum at `offset`; returns where the payload starts. */
export function emitIpv4(fields: Ipv4Fields, bytes: Uint8Array, offset: number): number {
  const length = ipv4Length(fields);
  assert(length <= IPV4_LENGTH_MAX, "too many IPv4 options", { length });
  assert(fields.fragmentOffset % 8 === 0, "unaligned fragment", { fragmentOffset: fields.fragmentOffset });
  assertRegion(bytes, offset, length);
  const view = new Ipv4View(bytes, offset);
  view.headerLength = length;
  view.trafficClass = (fields.dscp << 2) | fields.ecn;
  view.totalLength = length + fields.payloadLength;
  view.identification = fields.identification;
  const flags = (fields.dontFragment ? FLAG_DONT_FRAGMENT : 0) | (fields.moreFragments ? FLAG_MORE_FRAGMENTS : 0);
  view.flagsAndFragment = flags | (fields.fragmentOffset >>> 3);
  view.ttl = fields.ttl;
  view.protocol = fields.protocol;
  view.src = fields.src;
  view.dst = fields.dst;
  emitOptions(fields.options, bytes, { at: offset + OFFSET.options, end: offset + length });
  view.fillChecksum();
  return offset + length;
}

/** One line: addresses, protocol, TTL and what is unusual. */
export function formatIpv4Header(fields: Ipv4Fields): string {
  const parts = [`${formatIpv4(fields.src)} > ${formatIpv4(fields.dst)} ${formatIpProtocol(fields.protocol)}`];
  parts.push(`ttl ${fields.ttl}`);
  if (fields.dscp !== 0) parts.push(`dscp ${fields.dscp}`);
  if (fields.dontFragment) parts.push("df");
  if (isIpv4Fragment(fields)) {
    const range = `${fields.fragmentOffset}+${fields.payloadLength}${fields.moreFragments ? "+" : ""}`;
    parts.push(`frag ${fields.identification}:${range}`);
  }
  if (fields.options.length > 0) parts.push(`options ${fields.options.map((o) => o.type).join(",")}`);
  return `${parts.join(" ")} length ${fields.payloadLength}`;
}

function fieldsOf(view: Ipv4View, options: readonly Ipv4Option[], payloadLength: number): Ipv4Fields {
  const { trafficClass } = view;
  return {
    dscp: trafficClass >>> 2,
    ecn: trafficClass & 3,
    identification: view.identification,
    dontFragment: view.dontFragment,
    moreFragments: view.moreFragments,
    fragmentOffset: view.fragmentOffset,
    ttl: view.ttl,
    protocol: view.protocol,
    src: view.src,
    dst: view.dst,
    options,
    payloadLength,
  };
}

function badChecksum(bytes: Uint8Array, offset: number, view: Ipv4View): { ok: false; error: ParseError } {
  const found = view.checksum;
  const expected = checksumOf(sumOf(bytes, offset, offset + view.headerLength) - found);
  return err<ParseError>({ kind: "bad-checksum", header: "ipv4", found, expected });
}

function optionLength(option: Ipv4Option): number {
  return option.type === IPV4_OPTION.nop ? 1 : 2 + option.content.length;
}

function parseOptions(
  bytes: Uint8Array,
  offset: number,
  headerLength: number,
): Result<readonly Ipv4Option[], ParseError> {
  if (headerLength === IPV4_LENGTH_MIN) return ok(NO_IPV4_OPTIONS);
  const options: Ipv4Option[] = [];
  const end = offset + headerLength;
  for (let at = offset + OFFSET.options; at < end; ) {
    const type = u8At(bytes, at);
    if (type === IPV4_OPTION.end) break;
    if (type === IPV4_OPTION.nop) {
      options.push({ type, content: new Uint8Array(0) });
      at++;
      continue;
    }
    const length = at + 1 < end ? u8At(bytes, at + 1) : 0;
    if (length < 2 || at + length > end) return badOption("ipv4", type, at - offset);
    options.push({ type, content: bytes.slice(at + 2, at + length) });
    at += length;
  }
  return ok(options);
}

function emitOptions(options: readonly Ipv4Option[], bytes: Uint8Array, to: { at: number; end: number }): void {
  let { at } = to;
  for (const option of options) {
    setU8(bytes, at, option.type);
    if (option.type !== IPV4_OPTION.nop) {
      setU8(bytes, at + 1, optionLength(option));
      bytes.set(option.content, at + 2);
    }
    at += optionLength(option);
  }
  bytes.fill(IPV4_OPTION.end, at, to.end);
}
