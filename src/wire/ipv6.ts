import { formatIp, type Ip } from "../addr/ip.ts";
import { err, ok, type Result } from "../base/result.ts";
import { assertRegion, ipAt, setIp, setU8, setU16, setU32, u8At, u16At, u32At } from "./bytes.ts";
import { formatIpProtocol } from "./ip-protocol.ts";
import { type ParseError, truncated } from "./parse-error.ts";

/** Bytes of an IPv6 header without extension headers (RFC 8200 3). */
export const IPV6_LENGTH = 40;

const OFFSET = { versionClassLabel: 0, payloadLength: 4, nextHeader: 6, hopLimit: 7, src: 8, dst: 24 } as const;

const VERSION_BITS = 0x6000_0000;

/** A view over the forty bytes of an IPv6 header. */
export class Ipv6View {
  readonly #bytes: Uint8Array;
  readonly #at: number;

  /** The header at `offset`; throws unless it lies in `bytes`. */
  constructor(bytes: Uint8Array, offset: number) {
    assertRegion(bytes, offset, IPV6_LENGTH);
    this.#bytes = bytes;
    this.#at = offset;
  }

  get version(): number {
    return u8At(this.#bytes, this.#at) >>> 4;
  }

  /** Version, traffic class and flow label as one word. */
  get versionClassLabel(): number {
    return u32At(this.#bytes, this.#at + OFFSET.versionClassLabel);
  }
  set versionClassLabel(value: number) {
    setU32(this.#bytes, this.#at + OFFSET.versionClassLabel, value);
  }

  /** DSCP in the upper six bits, ECN in the lower two. */
  get trafficClass(): number {
    return (this.versionClassLabel >>> 20) & 0xff;
  }

  get flowLabel(): number {
    return this.versionClassLabel & 0xf_ffff;
  }

  /** Bytes after this header, extension headers included. */
  get payloadLength(): number {
    return u16At(this.#bytes, this.#at + OFFSET.payloadLength);
  }
  set payloadLength(value: number) {
    setU16(this.#bytes, this.#at + OFFSET.payloadLength, value);
  }

  get nextHeader(): number {
    return u8At(this.#bytes, this.#at + OFFSET.nextHeader);
  }
  set nextHeader(value: number) {
    setU8(this.#bytes, this.#at + OFFSET.nextHeader, value);
  }

  get hopLimit(): number {
    return u8At(this.#bytes, this.#at + OFFSET.hopLimit);
  }
  set hopLimit(value: number) {
    setU8(this.#bytes, this.#at + OFFSET.hopLimit, value);
  }

  get src(): Ip {
    return ipAt(this.#bytes, this.#at + OFFSET.src);
  }
  set src(ip: Ip) {
    setIp(this.#bytes, this.#at + OFFSET.src, ip);
  }

  get dst(): Ip {
    return ipAt(this.#bytes, this.#at + OFFSET.dst);
  }
  set dst(ip: Ip) {
    setIp(this.#bytes, this.#at + OFFSET.dst, ip);
  }
}

/** The meaning of an IPv6 header. Extension headers are headers of their own (`ipv6-extension.ts`). */
export interface Ipv6Fields {
  /** 0..63 (RFC 2474). */
  readonly dscp: number;
  /** 0..3 (RFC 3168). */
  readonly ecn: number;
  /** Twenty bits (RFC 6437). */
  readonly flowLabel: number;
  /** Bytes after this header, extension headers included. */
  readonly payloadLength: number;
  readonly nextHeader: number;
  readonly hopLimit: number;
  readonly src: Ip;
  readonly dst: Ip;
}

/** Reads the header at `offset` of a region that ends before `end`; bytes after the payload are padding. */
export function parseIpv6(bytes: Uint8Array, offset: number, end: number): Result<Ipv6Fields, ParseError> {
  const fields = parseQuotedIpv6(bytes, offset, end);
  if (!fields.ok) return fields;
  const need = IPV6_LENGTH + fields.value.payloadLength;
  return end - offset < need ? truncated("ipv6", need, end - offset) : fields;
}

/** Reads the header of a packet quoted in an ICMPv6 error: the same, but the payload may be cut short. */
export function parseQuotedIpv6(bytes: Uint8Array, offset: number, end: number): Result<Ipv6Fields, ParseError> {
  if (end - offset < IPV6_LENGTH) return truncated("ipv6", IPV6_LENGTH, end - offset);
  const view = new Ipv6View(bytes, offset);
  if (view.version !== 6) return err({ kind: "bad-version", header: "ipv6", version: view.version });
  const { trafficClass } = view;
  return ok({
    dscp: trafficClass >>> 2,
    ecn: trafficClass & 3,
    flowLabel: view.flowLabel,
    payloadLength: view.payloadLength,
    nextHeader: view.nextHeader,
    hopLimit: view.hopLimit,
    src: view.src,
    dst: view.dst,
  });
}

/** Writes the header at `offset`; returns where it ends. */
export function emitIpv6(fields: Ipv6Fields, bytes: Uint8Array, offset: number): number {
  const view = new Ipv6View(bytes, offset);
  const trafficClass = (fields.dscp << 2) | fields.ecn;
  view.versionClassLabel = VERSION_BITS | (trafficClass << 20) | fields.flowLabel;
  view.payloadLength = fields.payloadLength;
  view.nextHeader = fields.nextHeader;
  view.hopLimit = fields.hopLimit;
  view.src = fields.src;
  view.dst = fields.dst;
  return offset + IPV6_LENGTH;
}

/** One line: addresses, next header, hop limit and what is unusual. */
export function formatIpv6Header(fields: Ipv6Fields): string {
  const parts = [`${formatIp(fields.src)} > ${formatIp(fields.dst)} ${formatIpProtocol(fields.nextHeader)}`];
  parts.push(`hlim ${fields.hopLimit}`);
  if (fields.dscp !== 0) parts.push(`dscp ${fields.dscp}`);
  if (fields.flowLabel !== 0) parts.push(`flowlabel 0x${fields.flowLabel.toString(16)}`);
  return `${parts.join(" ")} length ${fields.payloadLength}`;
}
