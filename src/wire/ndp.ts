import { formatIp, type Ip } from "../addr/ip.ts";
import type { Mac } from "../addr/mac.ts";
import { unreachable } from "../base/assert.ts";
import { ok, type Result } from "../base/result.ts";
import { assertRegion, ipAt, setIp, setU8, setU16, setU32, u8At, u16At, u32At } from "./bytes.ts";
import { IcmpView } from "./icmp-view.ts";
import { emitNdpOption, formatNdpOption, type NdpOption, ndpOptionLength, parseNdpOptions } from "./ndp-option.ts";
import { badValue, type ParseError, truncated } from "./parse-error.ts";

/**
 * Bytes of the messages of neighbor discovery before their options, ICMPv6 header included (RFC 4861 4.1 to 4.5).
 * They are ICMPv6: checksum and pseudo header are those of `IcmpView`.
 */
const LENGTH = { solicitation: 8, advertisement: 16, neighbor: 24, redirect: 40 } as const;

const OFFSET = {
  hopLimit: 4,
  flags: 5,
  routerLifetime: 6,
  reachableTime: 8,
  retransTimer: 12,
  neighborFlags: 4,
  target: 8,
  destination: 24,
} as const;

/** ICMPv6 types of neighbor discovery. */
export const NDP_TYPE = {
  routerSolicitation: 133,
  routerAdvertisement: 134,
  neighborSolicitation: 135,
  neighborAdvertisement: 136,
  redirect: 137,
} as const;

/** The only hop limit with which a message of neighbor discovery is valid: it has crossed no router. */
export const NDP_HOP_LIMIT = 255;

const ROUTER_MANAGED = 0x80;
const ROUTER_OTHER = 0x40;
const NEIGHBOR_ROUTER = 0x80;
const NEIGHBOR_SOLICITED = 0x40;
const NEIGHBOR_OVERRIDE = 0x20;

/** A view over the target of a neighbor solicitation, neighbor advertisement or redirect, and over its flags. */
export class NdpNeighborView {
  readonly #bytes: Uint8Array;
  readonly #at: number;

  /** The message at `offset`; throws unless its first 24 bytes lie in `bytes`. */
  constructor(bytes: Uint8Array, offset: number) {
    assertRegion(bytes, offset, LENGTH.neighbor);
    this.#bytes = bytes;
    this.#at = offset;
  }

  /** Router, solicited and override in the upper three bits; only an advertisement has them. */
  get flags(): number {
    return u8At(this.#bytes, this.#at + OFFSET.neighborFlags);
  }
  set flags(value: number) {
    setU32(this.#bytes, this.#at + OFFSET.neighborFlags, value << 24);
  }

  get target(): Ip {
    return ipAt(this.#bytes, this.#at + OFFSET.target);
  }
  set target(ip: Ip) {
    setIp(this.#bytes, this.#at + OFFSET.target, ip);
  }
}

/** The meaning of a message of neighbor discovery. */
export type NdpFields =
  | { readonly kind: "router-solicitation"; readonly options: readonly NdpOption[] }
  | {
      readonly kind: "router-advertisement";
      /** Hop limit for hosts; 0 means unspecified. */
      readonly hopLimit: number;
      readonly isManaged: boolean;
      readonly hasOtherConfig: boolean;
      /** 0 means: no default router. */
      readonly routerLifetimeS: number;
      readonly reachableTimeMs: number;
      readonly retransTimerMs: number;
      readonly options: readonly NdpOption[];
    }
  | { readonly kind: "neighbor-solicitation"; readonly target: Ip; readonly options: readonly NdpOption[] }
  | {
      readonly kind: "neighbor-advertisement";
      readonly isRouter: boolean;
      readonly isSolicited: boolean;
      readonly isOverride: boolean;
      readonly target: Ip;
      readonly options: readonly NdpOption[];
    }
  | {
      readonly kind: "redirect";
      readonly target: Ip;
      readonly destination: Ip;
      readonly options: readonly NdpOption[];
    };

/** True for the ICMPv6 types that `parseNdp` reads. */
export function isNdpType(type: number): boolean {
  return type >= NDP_TYPE.routerSolicitation && type <= NDP_TYPE.redirect;
}

/** The address in the first option of a kind, or undefined. */
export function ndpMac(fields: NdpFields, kind: "source-mac" | "target-mac"): Mac | undefined {
  for (const option of fields.options) if (option.kind === kind) return option.mac;
  return undefined;
}

/**
 * Reads the message at `offset` that ends before `end`. Structure only: hop limit, checksum and the addresses of the
 * IPv6 header (RFC 4861 6.1, 7.1) are for whoever has that header.
 */
export function parseNdp(bytes: Uint8Array, offset: number, end: number): Result<NdpFields, ParseError> {
  const have = end - offset;
  if (have < LENGTH.solicitation) return truncated("ndp", LENGTH.solicitation, have);
  const { type, code } = new IcmpView(bytes, offset);
  if (!isNdpType(type)) return badValue("ndp", "type", type);
  if (code !== 0) return badValue("ndp", "code", code);
  const length = fixedLength(type);
  if (have < length) return truncated("ndp", length, have);
  const options = parseNdpOptions(bytes, offset + length, end);
  return options.ok ? ok(fieldsOf(bytes, offset, options.value)) : options;
}

/** Bytes that `emitNdp` writes. */
export function ndpLength(fields: NdpFields): number {
  let length = fixedLength(ndpType(fields));
  for (const option of fields.options) length += ndpOptionLength(option);
  return length;
}

/** Writes the whole message at `offset` with checksum zero; returns where it ends. */
export function emitNdp(fields: NdpFields, bytes: Uint8Array, offset: number): number {
  assertRegion(bytes, offset, ndpLength(fields));
  const header = new IcmpView(bytes, offset);
  header.type = ndpType(fields);
  header.code = 0;
  header.checksum = 0;
  header.rest = 0;
  if (fields.kind === "router-advertisement") emitRouterAdvertisement(fields, bytes, offset);
  else if (fields.kind !== "router-solicitation") emitNeighbor(fields, bytes, offset);
  let at = offset + fixedLength(ndpType(fields));
  for (const option of fields.options) at = emitNdpOption(option, bytes, at);
  return at;
}

/** The ICMPv6 type of a message. */
export function ndpType(fields: NdpFields): number {
  switch (fields.kind) {
    case "router-solicitation":
      return NDP_TYPE.routerSolicitation;
    case "router-advertisement":
      return NDP_TYPE.routerAdvertisement;
    case "neighbor-solicitation":
      return NDP_TYPE.neighborSolicitation;
    case "neighbor-advertisement":
      return NDP_TYPE.neighborAdvertisement;
    case "redirect":
      return NDP_TYPE.redirect;
    default:
      return unreachable(fields);
  }
}

/** One line. */
export function formatNdp(fields: NdpFields): string {
  const options = fields.options.map((option) => ` [${formatNdpOption(option)}]`).join("");
  switch (fields.kind) {
    case "router-solicitation":
      return `nd router-solicitation${options}`;
    case "router-advertisement":
      return `nd router-advertisement lifetime ${fields.routerLifetimeS}s${options}`;
    case "neighbor-solicitation":
      return `nd who-has ${formatIp(fields.target)}${options}`;
    case "neighbor-advertisement": {
      const flags = `${fields.isRouter ? "R" : ""}${fields.isSolicited ? "S" : ""}${fields.isOverride ? "O" : ""}`;
      return `nd target ${formatIp(fields.target)} flags [${flags}]${options}`;
    }
    case "redirect":
      return `nd redirect ${formatIp(fields.destination)} to ${formatIp(fields.target)}${options}`;
    default:
      return unreachable(fields);
  }
}

function fixedLength(type: number): number {
  if (type === NDP_TYPE.routerSolicitation) return LENGTH.solicitation;
  if (type === NDP_TYPE.routerAdvertisement) return LENGTH.advertisement;
  if (type === NDP_TYPE.redirect) return LENGTH.redirect;
  return LENGTH.neighbor;
}

function fieldsOf(bytes: Uint8Array, offset: number, options: readonly NdpOption[]): NdpFields {
  const { type } = new IcmpView(bytes, offset);
  if (type === NDP_TYPE.routerSolicitation) return { kind: "router-solicitation", options };
  if (type === NDP_TYPE.routerAdvertisement) return routerAdvertisementOf(bytes, offset, options);
  const { flags, target } = new NdpNeighborView(bytes, offset);
  if (type === NDP_TYPE.neighborSolicitation) return { kind: "neighbor-solicitation", target, options };
  if (type === NDP_TYPE.redirect) {
    return { kind: "redirect", target, destination: ipAt(bytes, offset + OFFSET.destination), options };
  }
  return {
    kind: "neighbor-advertisement",
    isRouter: (flags & NEIGHBOR_ROUTER) !== 0,
    isSolicited: (flags & NEIGHBOR_SOLICITED) !== 0,
    isOverride: (flags & NEIGHBOR_OVERRIDE) !== 0,
    target,
    options,
  };
}

function routerAdvertisementOf(bytes: Uint8Array, offset: number, options: readonly NdpOption[]): NdpFields {
  const flags = u8At(bytes, offset + OFFSET.flags);
  return {
    kind: "router-advertisement",
    hopLimit: u8At(bytes, offset + OFFSET.hopLimit),
    isManaged: (flags & ROUTER_MANAGED) !== 0,
    hasOtherConfig: (flags & ROUTER_OTHER) !== 0,
    routerLifetimeS: u16At(bytes, offset + OFFSET.routerLifetime),
    reachableTimeMs: u32At(bytes, offset + OFFSET.reachableTime),
    retransTimerMs: u32At(bytes, offset + OFFSET.retransTimer),
    options,
  };
}

function emitRouterAdvertisement(
  fields: Extract<NdpFields, { kind: "router-advertisement" }>,
  bytes: Uint8Array,
  offset: number,
): void {
  const flags = (fields.isManaged ? ROUTER_MANAGED : 0) | (fields.hasOtherConfig ? ROUTER_OTHER : 0);
  setU8(bytes, offset + OFFSET.hopLimit, fields.hopLimit);
  setU8(bytes, offset + OFFSET.flags, flags);
  setU16(bytes, offset + OFFSET.routerLifetime, fields.routerLifetimeS);
  setU32(bytes, offset + OFFSET.reachableTime, fields.reachableTimeMs);
  setU32(bytes, offset + OFFSET.retransTimer, fields.retransTimerMs);
}

function emitNeighbor(fields: Extract<NdpFields, { target: Ip }>, bytes: Uint8Array, offset: number): void {
  const view = new NdpNeighborView(bytes, offset);
  if (fields.kind === "neighbor-advertisement") {
    const router = fields.isRouter ? NEIGHBOR_ROUTER : 0;
    const solicited = fields.isSolicited ? NEIGHBOR_SOLICITED : 0;
    view.flags = router | solicited | (fields.isOverride ? NEIGHBOR_OVERRIDE : 0);
  }
  view.target = fields.target;
  if (fields.kind === "redirect") setIp(bytes, offset + OFFSET.destination, fields.destination);
}
