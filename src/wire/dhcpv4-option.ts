import { formatIpv4, type Ipv4 } from "../addr/ip.ts";
import { assert, unreachable } from "../base/assert.ts";
import { ok, type Result } from "../base/result.ts";
import { assertRegion, setU8, setU16, setU32, u8At, u16At, u32At } from "./bytes.ts";
import { badOption, type ParseError } from "./parse-error.ts";

const CODE = {
  pad: 0,
  subnetMask: 1,
  routers: 3,
  dnsServers: 6,
  hostName: 12,
  domainName: 15,
  mtu: 26,
  broadcast: 28,
  requestedAddress: 50,
  leaseTime: 51,
  messageType: 53,
  serverIdentifier: 54,
  parameterRequest: 55,
  renewalTime: 58,
  rebindingTime: 59,
  clientIdentifier: 61,
  classlessRoutes: 121,
  end: 255,
} as const;

const CONTENT_MAX = 255;

/** Message types of option 53 (RFC 2132 9.6). Others stay numbers. */
export const DHCPV4_MESSAGE = {
  discover: 1,
  offer: 2,
  request: 3,
  decline: 4,
  ack: 5,
  nak: 6,
  release: 7,
  inform: 8,
} as const;

/** Code of each option that carries one IPv4 address. */
const ADDRESS_CODE = {
  "subnet-mask": CODE.subnetMask,
  broadcast: CODE.broadcast,
  "requested-address": CODE.requestedAddress,
  "server-identifier": CODE.serverIdentifier,
} as const;
/** Code of each option that carries a list of IPv4 addresses. */
const ADDRESSES_CODE = { routers: CODE.routers, "dns-servers": CODE.dnsServers } as const;
/** Code of each option that carries a time in seconds. */
const TIME_CODE = {
  "lease-time": CODE.leaseTime,
  "renewal-time": CODE.renewalTime,
  "rebinding-time": CODE.rebindingTime,
} as const;
/** Code of each option that carries text. */
const TEXT_CODE = { "host-name": CODE.hostName, "domain-name": CODE.domainName } as const;

/** A route of option 121 (RFC 3442): destination prefix of 0..32 bits and router; router 0.0.0.0 means on-link. */
export interface ClasslessRoute {
  readonly destination: Ipv4;
  readonly length: number;
  readonly router: Ipv4;
}

/** The meaning of a DHCP option (RFC 2132). Padding and end are never listed. */
export type Dhcpv4Option =
  /** One of `DHCPV4_MESSAGE`, or another number. */
  | { readonly kind: "message-type"; readonly message: number }
  | { readonly kind: keyof typeof ADDRESS_CODE; readonly ip: Ipv4 }
  | { readonly kind: keyof typeof ADDRESSES_CODE; readonly ips: readonly Ipv4[] }
  | { readonly kind: keyof typeof TIME_CODE; readonly seconds: number }
  | { readonly kind: keyof typeof TEXT_CODE; readonly text: string }
  | { readonly kind: "mtu"; readonly mtu: number }
  | { readonly kind: "parameter-request"; readonly codes: readonly number[] }
  | { readonly kind: "client-identifier"; readonly identifier: Uint8Array }
  | { readonly kind: "classless-routes"; readonly routes: readonly ClasslessRoute[] }
  /** Unknown, or of a known code but another size. */
  | { readonly kind: "other"; readonly code: number; readonly content: Uint8Array };

/** The code number of an option. */
export function dhcpv4OptionCode(option: Dhcpv4Option): number {
  switch (option.kind) {
    case "message-type":
      return CODE.messageType;
    case "subnet-mask":
    case "broadcast":
    case "requested-address":
    case "server-identifier":
      return ADDRESS_CODE[option.kind];
    case "routers":
    case "dns-servers":
      return ADDRESSES_CODE[option.kind];
    case "lease-time":
    case "renewal-time":
    case "rebinding-time":
      return TIME_CODE[option.kind];
    case "host-name":
    case "domain-name":
      return TEXT_CODE[option.kind];
    case "mtu":
      return CODE.mtu;
    case "parameter-request":
      return CODE.parameterRequest;
    case "client-identifier":
      return CODE.clientIdentifier;
    case "classless-routes":
      return CODE.classlessRoutes;
    case "other":
      return option.code;
    default:
      return unreachable(option);
  }
}

/**
 * Reads options from `offset` to `end` or to the end option. Instances of one code are joined first, as RFC 3396 asks,
 * and the option stands where its first instance stood.
 */
export function parseDhcpv4Options(bytes: Uint8Array, offset: number, end: number): Result<Dhcpv4Option[], ParseError> {
  const contents = new Map<number, Uint8Array>();
  for (let at = offset; at < end; ) {
    const code = u8At(bytes, at);
    if (code === CODE.end) break;
    if (code === CODE.pad) {
      at++;
      continue;
    }
    const next = at + 1 < end ? at + 2 + u8At(bytes, at + 1) : end + 1;
    if (next > end) return badOption("dhcpv4", code, at - offset);
    contents.set(code, joined(contents.get(code), bytes.slice(at + 2, next)));
    at = next;
  }
  return ok(Array.from(contents, ([code, content]) => parseContent(code, content)));
}

/** Bytes that `emitDhcpv4Options` writes, end option included. */
export function dhcpv4OptionsLength(options: readonly Dhcpv4Option[]): number {
  let length = 1;
  for (const option of options) {
    const content = contentOf(option).length;
    length += content + 2 * Math.max(1, Math.ceil(content / CONTENT_MAX));
  }
  return length;
}

/** Writes the options and the end option at `offset`; one longer than 255 bytes is split (RFC 3396). Returns the end. */
export function emitDhcpv4Options(options: readonly Dhcpv4Option[], bytes: Uint8Array, offset: number): number {
  assertRegion(bytes, offset, dhcpv4OptionsLength(options));
  let at = offset;
  for (const option of options) {
    const content = contentOf(option);
    let done = 0;
    do {
      const part = content.subarray(done, done + CONTENT_MAX);
      setU8(bytes, at, dhcpv4OptionCode(option));
      setU8(bytes, at + 1, part.length);
      bytes.set(part, at + 2);
      at += 2 + part.length;
      done += part.length;
    } while (done < content.length);
  }
  setU8(bytes, at, CODE.end);
  return at + 1;
}

/** A few words. */
export function formatDhcpv4Option(option: Dhcpv4Option): string {
  const name = option.kind;
  switch (option.kind) {
    case "message-type":
      return `${name} ${option.message}`;
    case "subnet-mask":
    case "broadcast":
    case "requested-address":
    case "server-identifier":
      return `${name} ${formatIpv4(option.ip)}`;
    case "routers":
    case "dns-servers":
      return `${name} ${option.ips.map(formatIpv4).join(" ")}`;
    case "lease-time":
    case "renewal-time":
    case "rebinding-time":
      return `${name} ${option.seconds}s`;
    case "host-name":
    case "domain-name":
      return `${name} ${JSON.stringify(option.text)}`;
    case "mtu":
      return `${name} ${option.mtu}`;
    case "parameter-request":
      return `${name} ${option.codes.join(",")}`;
    case "client-identifier":
      return `${name} ${option.identifier.length} bytes`;
    case "classless-routes":
      return `routes ${option.routes.map(formatRoute).join(" ")}`;
    case "other":
      return `option ${option.code}`;
    default:
      return unreachable(option);
  }
}

function formatRoute(route: ClasslessRoute): string {
  return `${formatIpv4(route.destination)}/${route.length} via ${formatIpv4(route.router)}`;
}

function joined(head: Uint8Array | undefined, tail: Uint8Array): Uint8Array {
  if (head === undefined) return tail;
  const whole = new Uint8Array(head.length + tail.length);
  whole.set(head);
  whole.set(tail, head.length);
  return whole;
}

function keyOf<Kind extends string>(table: Readonly<Record<Kind, number>>, code: number): Kind | undefined {
  for (const kind in table) if (table[kind] === code) return kind;
  return undefined;
}

function parseContent(code: number, content: Uint8Array): Dhcpv4Option {
  const { length } = content;
  if (length === 4) {
    const address = keyOf(ADDRESS_CODE, code);
    if (address !== undefined) return { kind: address, ip: u32At(content, 0) };
    const time = keyOf(TIME_CODE, code);
    if (time !== undefined) return { kind: time, seconds: u32At(content, 0) };
  }
  if (length > 0 && length % 4 === 0) {
    const kind = keyOf(ADDRESSES_CODE, code);
    if (kind !== undefined) return { kind, ips: addressesOf(content) };
  }
  const text = keyOf(TEXT_CODE, code);
  if (text !== undefined && length > 0 && isText(content)) return { kind: text, text: String.fromCharCode(...content) };
  if (code === CODE.messageType && length === 1) return { kind: "message-type", message: u8At(content, 0) };
  if (code === CODE.mtu && length === 2) return { kind: "mtu", mtu: u16At(content, 0) };
  if (code === CODE.parameterRequest && length > 0) return { kind: "parameter-request", codes: Array.from(content) };
  if (code === CODE.clientIdentifier && length >= 2) return { kind: "client-identifier", identifier: content };
  const routes = code === CODE.classlessRoutes ? parseRoutes(content) : undefined;
  if (routes !== undefined) return { kind: "classless-routes", routes };
  return { kind: "other", code, content };
}

function contentOf(option: Dhcpv4Option): Uint8Array {
  switch (option.kind) {
    case "message-type":
      return Uint8Array.of(option.message);
    case "subnet-mask":
    case "broadcast":
    case "requested-address":
    case "server-identifier":
      return words([option.ip]);
    case "routers":
    case "dns-servers":
      return words(option.ips);
    case "lease-time":
    case "renewal-time":
    case "rebinding-time":
      return words([option.seconds]);
    case "host-name":
    case "domain-name":
      return Uint8Array.from(option.text, (character) => character.charCodeAt(0));
    case "mtu": {
      const content = new Uint8Array(2);
      setU16(content, 0, option.mtu);
      return content;
    }
    case "parameter-request":
      return Uint8Array.from(option.codes);
    case "client-identifier":
      return option.identifier;
    case "classless-routes":
      return contentOfRoutes(option.routes);
    case "other":
      return option.content;
    default:
      return unreachable(option);
  }
}

/** Printable ASCII (RFC 2132 2: NVT ASCII); other bytes keep the option as it came. */
function isText(content: Uint8Array): boolean {
  return content.every((byte) => byte >= 0x20 && byte < 0x7f);
}

function addressesOf(content: Uint8Array): Ipv4[] {
  const ips: Ipv4[] = [];
  for (let at = 0; at < content.length; at += 4) ips.push(u32At(content, at));
  return ips;
}

function words(values: readonly number[]): Uint8Array {
  const content = new Uint8Array(4 * values.length);
  for (const [i, value] of values.entries()) setU32(content, 4 * i, value);
  return content;
}

/** The routes, or undefined when the content is malformed: only significant octets are sent (RFC 3442). */
function parseRoutes(content: Uint8Array): ClasslessRoute[] | undefined {
  const routes: ClasslessRoute[] = [];
  for (let at = 0; at < content.length; ) {
    const length = u8At(content, at);
    const octets = (length + 7) >>> 3;
    if (length > 32 || at + 1 + octets + 4 > content.length) return undefined;
    let destination = 0;
    for (let i = 0; i < octets; i++) destination += u8At(content, at + 1 + i) * 2 ** (24 - 8 * i);
    routes.push({ destination, length, router: u32At(content, at + 1 + octets) });
    at += 1 + octets + 4;
  }
  return routes.length > 0 ? routes : undefined;
}

function contentOfRoutes(routes: readonly ClasslessRoute[]): Uint8Array {
  const content: number[] = [];
  for (const { destination, length, router } of routes) {
    assert(length >= 0 && length <= 32, "prefix length out of range", { length });
    content.push(length);
    for (let i = 0; i < length; i += 8) content.push((destination >>> (24 - i)) & 0xff);
    content.push(router >>> 24, (router >>> 16) & 0xff, (router >>> 8) & 0xff, router & 0xff);
  }
  return Uint8Array.from(content);
}
