import { formatIp, type Ip } from "../addr/ip.ts";
import { formatMac, type Mac } from "../addr/mac.ts";
import { assert, unreachable } from "../base/assert.ts";
import { ok, type Result } from "../base/result.ts";
import { assertRegion, ipAt, macAt, setIp, setMac, setU8, setU32, u8At, u32At } from "./bytes.ts";
import { badOption, type ParseError, truncated } from "./parse-error.ts";

/** Option lengths count units of eight bytes, type and length included (RFC 4861 4.6). */
const UNIT = 8;

const OFFSET = {
  type: 0,
  length: 1,
  content: 2,
  mac: 2,
  prefixLength: 2,
  prefixFlags: 3,
  validLifetime: 4,
  preferredLifetime: 8,
  prefix: 16,
  redirected: 8,
  mtu: 4,
  rdnssLifetime: 4,
  rdnssServers: 8,
} as const;

const TYPE = { sourceMac: 1, targetMac: 2, prefix: 3, redirectedHeader: 4, mtu: 5, rdnss: 25 } as const;
const PREFIX_ON_LINK = 0x80;
const PREFIX_AUTONOMOUS = 0x40;

/** A view over type and length of an option. */
export class NdpOptionView {
  readonly #bytes: Uint8Array;
  readonly #at: number;

  /** The option at `offset`; throws unless its first eight bytes lie in `bytes`. */
  constructor(bytes: Uint8Array, offset: number) {
    assertRegion(bytes, offset, UNIT);
    this.#bytes = bytes;
    this.#at = offset;
  }

  get type(): number {
    return u8At(this.#bytes, this.#at + OFFSET.type);
  }
  set type(value: number) {
    setU8(this.#bytes, this.#at + OFFSET.type, value);
  }

  /** Bytes of the option as it says; 0 is malformed. */
  get length(): number {
    return u8At(this.#bytes, this.#at + OFFSET.length) * UNIT;
  }
  set length(bytes: number) {
    setU8(this.#bytes, this.#at + OFFSET.length, bytes / UNIT);
  }
}

/** The meaning of an option of neighbor discovery (RFC 4861 4.6, RFC 8106 5.1). Lifetimes are in seconds. */
export type NdpOption =
  | { readonly kind: "source-mac" | "target-mac"; readonly mac: Mac }
  | {
      readonly kind: "prefix";
      readonly prefix: Ip;
      /** Bits, 0..128. */
      readonly length: number;
      readonly isOnLink: boolean;
      readonly isAutonomous: boolean;
      readonly validLifetimeS: number;
      readonly preferredLifetimeS: number;
    }
  /** The start of the packet that is redirected; a multiple of eight bytes. */
  | { readonly kind: "redirected-header"; readonly packet: Uint8Array }
  | { readonly kind: "mtu"; readonly mtu: number }
  | { readonly kind: "rdnss"; readonly lifetimeS: number; readonly servers: readonly Ip[] }
  /** Unknown, or of a known type but another size; six bytes more than a multiple of eight. */
  | { readonly kind: "other"; readonly type: number; readonly content: Uint8Array };

/** Reads all options from `offset` to `end`; one of length zero makes the message malformed (RFC 4861 4.6). */
export function parseNdpOptions(bytes: Uint8Array, offset: number, end: number): Result<NdpOption[], ParseError> {
  const options: NdpOption[] = [];
  for (let at = offset; at < end; ) {
    if (end - at < UNIT) return truncated("ndp", UNIT, end - at);
    const view = new NdpOptionView(bytes, at);
    const { length } = view;
    if (length === 0) return badOption("ndp", view.type, at - offset);
    if (end - at < length) return truncated("ndp", length, end - at);
    options.push(parseOption(bytes, at, length));
    at += length;
  }
  return ok(options);
}

/** Bytes that `emitNdpOption` writes. */
export function ndpOptionLength(option: NdpOption): number {
  switch (option.kind) {
    case "source-mac":
    case "target-mac":
    case "mtu":
      return UNIT;
    case "prefix":
      return 4 * UNIT;
    case "redirected-header":
      return OFFSET.redirected + option.packet.length;
    case "rdnss":
      return OFFSET.rdnssServers + 16 * option.servers.length;
    case "other":
      return OFFSET.content + option.content.length;
    default:
      return unreachable(option);
  }
}

/** Writes the option at `offset`, reserved bytes as zeros; returns where it ends. */
export function emitNdpOption(option: NdpOption, bytes: Uint8Array, offset: number): number {
  const length = ndpOptionLength(option);
  assert(length % UNIT === 0 && length <= 255 * UNIT, "option must fill units of eight bytes", { length });
  assertRegion(bytes, offset, length);
  bytes.fill(0, offset, offset + length);
  const view = new NdpOptionView(bytes, offset);
  view.type = typeOf(option);
  view.length = length;
  switch (option.kind) {
    case "source-mac":
    case "target-mac":
      setMac(bytes, offset + OFFSET.mac, option.mac);
      break;
    case "mtu":
      setU32(bytes, offset + OFFSET.mtu, option.mtu);
      break;
    case "prefix":
      emitPrefix(option, bytes, offset);
      break;
    case "redirected-header":
      bytes.set(option.packet, offset + OFFSET.redirected);
      break;
    case "rdnss":
      setU32(bytes, offset + OFFSET.rdnssLifetime, option.lifetimeS);
      for (const [i, server] of option.servers.entries()) setIp(bytes, offset + OFFSET.rdnssServers + 16 * i, server);
      break;
    case "other":
      bytes.set(option.content, offset + OFFSET.content);
      break;
    default:
      unreachable(option);
  }
  return offset + length;
}

/** A few words. */
export function formatNdpOption(option: NdpOption): string {
  switch (option.kind) {
    case "source-mac":
    case "target-mac":
      return `${option.kind} ${formatMac(option.mac)}`;
    case "mtu":
      return `mtu ${option.mtu}`;
    case "prefix": {
      const flags = `${option.isOnLink ? "L" : ""}${option.isAutonomous ? "A" : ""}`;
      return `prefix ${formatIp(option.prefix)}/${option.length} ${flags}`;
    }
    case "redirected-header":
      return `redirected ${option.packet.length} bytes`;
    case "rdnss":
      return `rdnss ${option.servers.map(formatIp).join(" ")}`;
    case "other":
      return `option ${option.type}`;
    default:
      return unreachable(option);
  }
}

function typeOf(option: NdpOption): number {
  switch (option.kind) {
    case "source-mac":
      return TYPE.sourceMac;
    case "target-mac":
      return TYPE.targetMac;
    case "mtu":
      return TYPE.mtu;
    case "prefix":
      return TYPE.prefix;
    case "redirected-header":
      return TYPE.redirectedHeader;
    case "rdnss":
      return TYPE.rdnss;
    case "other":
      return option.type;
    default:
      return unreachable(option);
  }
}

function parseOption(bytes: Uint8Array, at: number, length: number): NdpOption {
  const type = u8At(bytes, at + OFFSET.type);
  if (type === TYPE.sourceMac && length === UNIT) return { kind: "source-mac", mac: macAt(bytes, at + OFFSET.mac) };
  if (type === TYPE.targetMac && length === UNIT) return { kind: "target-mac", mac: macAt(bytes, at + OFFSET.mac) };
  if (type === TYPE.mtu && length === UNIT) return { kind: "mtu", mtu: u32At(bytes, at + OFFSET.mtu) };
  if (type === TYPE.prefix && length === 4 * UNIT && u8At(bytes, at + OFFSET.prefixLength) <= 128) {
    return parsePrefixOption(bytes, at);
  }
  if (type === TYPE.redirectedHeader) {
    return { kind: "redirected-header", packet: bytes.slice(at + OFFSET.redirected, at + length) };
  }
  if (type === TYPE.rdnss && length % 16 === OFFSET.rdnssServers && length > OFFSET.rdnssServers) {
    const servers: Ip[] = [];
    for (let s = at + OFFSET.rdnssServers; s < at + length; s += 16) servers.push(ipAt(bytes, s));
    return { kind: "rdnss", lifetimeS: u32At(bytes, at + OFFSET.rdnssLifetime), servers };
  }
  return { kind: "other", type, content: bytes.slice(at + OFFSET.content, at + length) };
}

function parsePrefixOption(bytes: Uint8Array, at: number): NdpOption {
  const flags = u8At(bytes, at + OFFSET.prefixFlags);
  return {
    kind: "prefix",
    prefix: ipAt(bytes, at + OFFSET.prefix),
    length: u8At(bytes, at + OFFSET.prefixLength),
    isOnLink: (flags & PREFIX_ON_LINK) !== 0,
    isAutonomous: (flags & PREFIX_AUTONOMOUS) !== 0,
    validLifetimeS: u32At(bytes, at + OFFSET.validLifetime),
    preferredLifetimeS: u32At(bytes, at + OFFSET.preferredLifetime),
  };
}

function emitPrefix(option: Extract<NdpOption, { kind: "prefix" }>, bytes: Uint8Array, at: number): void {
  const flags = (option.isOnLink ? PREFIX_ON_LINK : 0) | (option.isAutonomous ? PREFIX_AUTONOMOUS : 0);
  setU8(bytes, at + OFFSET.prefixLength, option.length);
  setU8(bytes, at + OFFSET.prefixFlags, flags);
  setU32(bytes, at + OFFSET.validLifetime, option.validLifetimeS);
  setU32(bytes, at + OFFSET.preferredLifetime, option.preferredLifetimeS);
  setIp(bytes, at + OFFSET.prefix, option.prefix);
}
