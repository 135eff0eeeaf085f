import { assert, unreachable } from "../base/assert.ts";
import { ok, type Result } from "../base/result.ts";
import { assertRegion, setU8, setU16, setU32, u8At, u16At, u32At } from "./bytes.ts";
import { formatIpProtocol, IP_PROTOCOL } from "./ip-protocol.ts";
import { badOption, type ParseError, truncated } from "./parse-error.ts";

/** Bytes of the shortest extension header (RFC 8200 4.3). */
export const IPV6_EXTENSION_LENGTH_MIN = 8;
/** Extension headers read before a chain counts as hostile; RFC 8200 4.1 knows seven, Destination Options twice. */
export const IPV6_EXTENSIONS_MAX = 8;

const OFFSET = {
  nextHeader: 0,
  length: 1,
  options: 2,
  routingType: 2,
  segmentsLeft: 3,
  routingContent: 4,
  fragment: 2,
  identification: 4,
  spi: 4,
  sequence: 8,
  integrity: 12,
} as const;

const OPTION_PAD1 = 0;
const OPTION_PADN = 1;

/** A view over the part that extension headers have in common: next header and length. */
export class Ipv6ExtensionView {
  readonly #bytes: Uint8Array;
  readonly #at: number;

  /** The header at `offset`; throws unless its first eight bytes lie in `bytes`. */
  constructor(bytes: Uint8Array, offset: number) {
    assertRegion(bytes, offset, IPV6_EXTENSION_LENGTH_MIN);
    this.#bytes = bytes;
    this.#at = offset;
  }

  get nextHeader(): number {
    return u8At(this.#bytes, this.#at + OFFSET.nextHeader);
  }
  set nextHeader(value: number) {
    setU8(this.#bytes, this.#at + OFFSET.nextHeader, value);
  }

  /** The length byte as it stands; its unit depends on the kind (see `headerLength`). */
  get lengthField(): number {
    return u8At(this.#bytes, this.#at + OFFSET.length);
  }
  set lengthField(value: number) {
    setU8(this.#bytes, this.#at + OFFSET.length, value);
  }

  /** Bytes of the header when it has number `protocol`: AH counts words of 4 less 2 (RFC 4302), others 8 less 1. */
  headerLength(protocol: number): number {
    if (protocol === IP_PROTOCOL.fragment) return IPV6_EXTENSION_LENGTH_MIN;
    if (protocol === IP_PROTOCOL.ah) return (this.lengthField + 2) * 4;
    return (this.lengthField + 1) * 8;
  }
}

/** One option of a hop-by-hop or destination options header; padding is never listed. */
export interface Ipv6Option {
  readonly type: number;
  readonly content: Uint8Array;
}

/** The meaning of an extension header. ESP is none: what follows its header cannot be read. */
export type Ipv6ExtensionFields =
  | {
      readonly kind: "hop-by-hop" | "destination-options";
      readonly nextHeader: number;
      readonly options: readonly Ipv6Option[];
    }
  | {
      readonly kind: "routing";
      readonly nextHeader: number;
      readonly routingType: number;
      readonly segmentsLeft: number;
      /** What follows the first four bytes; four bytes more than a multiple of eight. */
      readonly content: Uint8Array;
    }
  | {
      readonly kind: "fragment";
      readonly nextHeader: number;
      /** Bytes of the fragmentable part before this fragment, a multiple of 8. */
      readonly fragmentOffset: number;
      readonly moreFragments: boolean;
      readonly identification: number;
    }
  | {
      readonly kind: "authentication";
      readonly nextHeader: number;
      readonly spi: number;
      readonly sequence: number;
      readonly integrity: Uint8Array;
    };

/** True for the numbers that `parseIpv6Extension` reads; ESP and "no next header" end the chain. */
export function isIpv6Extension(protocol: number): boolean {
  return (
    protocol === IP_PROTOCOL.hopByHop ||
    protocol === IP_PROTOCOL.routing ||
    protocol === IP_PROTOCOL.fragment ||
    protocol === IP_PROTOCOL.destinationOptions ||
    protocol === IP_PROTOCOL.ah
  );
}

/**
 * Reads the extension header with number `protocol` at `region.offset`. It ends at
 * `new Ipv6ExtensionView(bytes, offset).headerLength(protocol)`.
 */
export function parseIpv6Extension(
  bytes: Uint8Array,
  region: { readonly offset: number; readonly end: number },
  protocol: number,
): Result<Ipv6ExtensionFields, ParseError> {
  const { offset, end } = region;
  const have = end - offset;
  if (have < IPV6_EXTENSION_LENGTH_MIN) return truncated("ipv6-extension", IPV6_EXTENSION_LENGTH_MIN, have);
  const view = new Ipv6ExtensionView(bytes, offset);
  const length = view.headerLength(protocol);
  if (have < length) return truncated("ipv6-extension", length, have);
  const { nextHeader } = view;
  if (protocol === IP_PROTOCOL.fragment) return ok(fragmentFields(bytes, offset));
  if (protocol === IP_PROTOCOL.ah) {
    if (length < OFFSET.integrity) return truncated("ipv6-extension", OFFSET.integrity, length);
    const spi = u32At(bytes, offset + OFFSET.spi);
    const integrity = bytes.slice(offset + OFFSET.integrity, offset + length);
    return ok({ kind: "authentication", nextHeader, spi, sequence: u32At(bytes, offset + OFFSET.sequence), integrity });
  }
  if (protocol === IP_PROTOCOL.routing) {
    const content = bytes.slice(offset + OFFSET.routingContent, offset + length);
    const routingType = u8At(bytes, offset + OFFSET.routingType);
    const segmentsLeft = u8At(bytes, offset + OFFSET.segmentsLeft);
    return ok({ kind: "routing", nextHeader, routingType, segmentsLeft, content });
  }
  assert(isIpv6Extension(protocol), "no IPv6 extension header", { protocol });
  const options = parseOptions(bytes, offset, length);
  if (!options.ok) return options;
  const kind = protocol === IP_PROTOCOL.hopByHop ? "hop-by-hop" : "destination-options";
  return ok({ kind, nextHeader, options: options.value });
}

/** The number that the header before must carry as its next header. */
export function ipv6ExtensionProtocol(fields: Ipv6ExtensionFields): number {
  switch (fields.kind) {
    case "hop-by-hop":
      return IP_PROTOCOL.hopByHop;
    case "destination-options":
      return IP_PROTOCOL.destinationOptions;
    case "routing":
      return IP_PROTOCOL.routing;
    case "fragment":
      return IP_PROTOCOL.fragment;
    case "authentication":
      return IP_PROTOCOL.ah;
    default:
      return unreachable(fields);
  }
}

/** Bytes that `emitIpv6Extension` writes: options are padded to a multiple of eight. */
export function ipv6ExtensionLength(fields: Ipv6ExtensionFields): number {
  switch (fields.kind) {
    case "hop-by-hop":
    case "destination-options": {
      let length: number = OFFSET.options;
      for (const option of fields.options) length += 2 + option.content.length;
      return (length + 7) & ~7;
    }
    case "routing":
      return OFFSET.routingContent + fields.content.length;
    case "fragment":
      return IPV6_EXTENSION_LENGTH_MIN;
    case "authentication":
      return OFFSET.integrity + fields.integrity.length;
    default:
      return unreachable(fields);
  }
}

/** Writes the header at `offset`; returns where it ends. */
export function emitIpv6Extension(fields: Ipv6ExtensionFields, bytes: Uint8Array, offset: number): number {
  const length = ipv6ExtensionLength(fields);
  assertRegion(bytes, offset, length);
  const view = new Ipv6ExtensionView(bytes, offset);
  view.nextHeader = fields.nextHeader;
  view.lengthField = length / 8 - 1;
  switch (fields.kind) {
    case "hop-by-hop":
    case "destination-options":
      emitOptions(fields.options, bytes, { at: offset + OFFSET.options, end: offset + length });
      break;
    case "routing":
      assert(length % 8 === 0, "routing header must fill units of eight bytes", { length });
      setU8(bytes, offset + OFFSET.routingType, fields.routingType);
      setU8(bytes, offset + OFFSET.segmentsLeft, fields.segmentsLeft);
      bytes.set(fields.content, offset + OFFSET.routingContent);
      break;
    case "fragment":
      view.lengthField = 0;
      setU16(bytes, offset + OFFSET.fragment, fields.fragmentOffset | (fields.moreFragments ? 1 : 0));
      setU32(bytes, offset + OFFSET.identification, fields.identification);
      break;
    case "authentication":
      view.lengthField = length / 4 - 2;
      setU16(bytes, offset + OFFSET.options, 0);
      setU32(bytes, offset + OFFSET.spi, fields.spi);
      setU32(bytes, offset + OFFSET.sequence, fields.sequence);
      bytes.set(fields.integrity, offset + OFFSET.integrity);
      break;
    default:
      unreachable(fields);
  }
  return offset + length;
}

/** One line: the kind and what a router looks at. */
export function formatIpv6Extension(fields: Ipv6ExtensionFields): string {
  const next = `> ${formatIpProtocol(fields.nextHeader)}`;
  switch (fields.kind) {
    case "hop-by-hop":
    case "destination-options":
      return `${fields.kind} options [${fields.options.map((o) => o.type).join(",")}] ${next}`;
    case "routing":
      return `routing type ${fields.routingType} left ${fields.segmentsLeft} ${next}`;
    case "fragment": {
      const more = fields.moreFragments ? "+" : "";
      return `frag 0x${fields.identification.toString(16)}:${fields.fragmentOffset}${more} ${next}`;
    }
    case "authentication":
      return `ah spi 0x${fields.spi.toString(16)} seq ${fields.sequence} ${next}`;
    default:
      return unreachable(fields);
  }
}

function fragmentFields(bytes: Uint8Array, offset: number): Ipv6ExtensionFields {
  const word = u16At(bytes, offset + OFFSET.fragment);
  return {
    kind: "fragment",
    nextHeader: u8At(bytes, offset + OFFSET.nextHeader),
    fragmentOffset: word & 0xfff8,
    moreFragments: (word & 1) !== 0,
    identification: u32At(bytes, offset + OFFSET.identification),
  };
}

function parseOptions(bytes: Uint8Array, offset: number, length: number): Result<Ipv6Option[], ParseError> {
  const options: Ipv6Option[] = [];
  const end = offset + length;
  for (let at = offset + OFFSET.options; at < end; ) {
    const type = u8At(bytes, at);
    if (type === OPTION_PAD1) {
      at++;
      continue;
    }
    const next = at + 1 < end ? at + 2 + u8At(bytes, at + 1) : end + 1;
    if (next > end) return badOption("ipv6-extension", type, at - offset);
    if (type !== OPTION_PADN) options.push({ type, content: bytes.slice(at + 2, next) });
    at = next;
  }
  return ok(options);
}

function emitOptions(options: readonly Ipv6Option[], bytes: Uint8Array, to: { at: number; end: number }): void {
  let { at } = to;
  for (const option of options) {
    setU8(bytes, at, option.type);
    setU8(bytes, at + 1, option.content.length);
    bytes.set(option.content, at + 2);
    at += 2 + option.content.length;
  }
  bytes.fill(OPTION_PAD1, at, to.end);
  if (to.end - at < 2) return;
  setU8(bytes, at, OPTION_PADN);
  setU8(bytes, at + 1, to.end - at - 2);
}
