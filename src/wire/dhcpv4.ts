import { formatIpv4, type Ipv4 } from "../addr/ip.ts";
import { formatMac, type Mac } from "../addr/mac.ts";
import { ok, type Result } from "../base/result.ts";
import { assertRegion, macAt, setMac, setU8, setU16, setU32, u8At, u16At, u32At } from "./bytes.ts";
import {
  DHCPV4_MESSAGE,
  type Dhcpv4Option,
  dhcpv4OptionsLength,
  emitDhcpv4Options,
  formatDhcpv4Option,
  parseDhcpv4Options,
} from "./dhcpv4-option.ts";
import { badValue, type ParseError, truncated } from "./parse-error.ts";

/** Bytes of a DHCP message before its options, magic cookie included (RFC 2131 2). */
export const DHCPV4_LENGTH_MIN = 240;
/** Bytes to which `emitDhcpv4` pads: BOOTP relays drop shorter messages (RFC 1542 2.1). */
export const DHCPV4_LENGTH_SENT_MIN = 300;

const OFFSET = {
  operation: 0,
  hardwareType: 1,
  hardwareLength: 2,
  hops: 3,
  transaction: 4,
  seconds: 8,
  flags: 10,
  clientIp: 12,
  yourIp: 16,
  serverIp: 20,
  relayIp: 24,
  clientMac: 28,
  cookie: 236,
  options: 240,
} as const;

const HARDWARE_ETHERNET = 1;
const FLAG_BROADCAST = 0x8000;
const COOKIE = 0x6382_5363;

/** Values of the first byte (RFC 2131 2). */
export const DHCPV4_OPERATION = { request: 1, reply: 2 } as const;

/** A view over the fixed part of a DHCP message. */
export class Dhcpv4View {
  readonly #bytes: Uint8Array;
  readonly #at: number;

  /** The message at `offset`; throws unless its first 240 bytes lie in `bytes`. */
  constructor(bytes: Uint8Array, offset: number) {
    assertRegion(bytes, offset, DHCPV4_LENGTH_MIN);
    this.#bytes = bytes;
    this.#at = offset;
  }

  get operation(): number {
    return u8At(this.#bytes, this.#at + OFFSET.operation);
  }
  set operation(value: number) {
    setU8(this.#bytes, this.#at + OFFSET.operation, value);
  }

  get hardwareType(): number {
    return u8At(this.#bytes, this.#at + OFFSET.hardwareType);
  }
  set hardwareType(value: number) {
    setU8(this.#bytes, this.#at + OFFSET.hardwareType, value);
  }

  get hardwareLength(): number {
    return u8At(this.#bytes, this.#at + OFFSET.hardwareLength);
  }
  set hardwareLength(value: number) {
    setU8(this.#bytes, this.#at + OFFSET.hardwareLength, value);
  }

  get hops(): number {
    return u8At(this.#bytes, this.#at + OFFSET.hops);
  }
  set hops(value: number) {
    setU8(this.#bytes, this.#at + OFFSET.hops, value);
  }

  get transaction(): number {
    return u32At(this.#bytes, this.#at + OFFSET.transaction);
  }
  set transaction(value: number) {
    setU32(this.#bytes, this.#at + OFFSET.transaction, value);
  }

  get seconds(): number {
    return u16At(this.#bytes, this.#at + OFFSET.seconds);
  }
  set seconds(value: number) {
    setU16(this.#bytes, this.#at + OFFSET.seconds, value);
  }

  get flags(): number {
    return u16At(this.#bytes, this.#at + OFFSET.flags);
  }
  set flags(value: number) {
    setU16(this.#bytes, this.#at + OFFSET.flags, value);
  }

  get clientIp(): Ipv4 {
    return u32At(this.#bytes, this.#at + OFFSET.clientIp);
  }
  set clientIp(ip: Ipv4) {
    setU32(this.#bytes, this.#at + OFFSET.clientIp, ip);
  }

  get yourIp(): Ipv4 {
    return u32At(this.#bytes, this.#at + OFFSET.yourIp);
  }
  set yourIp(ip: Ipv4) {
    setU32(this.#bytes, this.#at + OFFSET.yourIp, ip);
  }

  get serverIp(): Ipv4 {
    return u32At(this.#bytes, this.#at + OFFSET.serverIp);
  }
  set serverIp(ip: Ipv4) {
    setU32(this.#bytes, this.#at + OFFSET.serverIp, ip);
  }

  get relayIp(): Ipv4 {
    return u32At(this.#bytes, this.#at + OFFSET.relayIp);
  }
  set relayIp(ip: Ipv4) {
    setU32(this.#bytes, this.#at + OFFSET.relayIp, ip);
  }

  get clientMac(): Mac {
    return macAt(this.#bytes, this.#at + OFFSET.clientMac);
  }
  set clientMac(mac: Mac) {
    setMac(this.#bytes, this.#at + OFFSET.clientMac, mac);
  }

  get cookie(): number {
    return u32At(this.#bytes, this.#at + OFFSET.cookie);
  }
  set cookie(value: number) {
    setU32(this.#bytes, this.#at + OFFSET.cookie, value);
  }
}

/** The meaning of a DHCP message over Ethernet. Server name and boot file are not read and are written as zeros. */
export interface Dhcpv4Fields {
  readonly operation: "request" | "reply";
  readonly hops: number;
  /** Transaction identifier, echoed by the server. */
  readonly transaction: number;
  /** Seconds since the client began. */
  readonly seconds: number;
  /** The client cannot receive unicast before it is configured (RFC 2131 4.1). */
  readonly isBroadcast: boolean;
  readonly clientIp: Ipv4;
  readonly yourIp: Ipv4;
  readonly serverIp: Ipv4;
  readonly relayIp: Ipv4;
  readonly clientMac: Mac;
  readonly options: readonly Dhcpv4Option[];
}

/** The message type of option 53, or undefined for plain BOOTP. */
export function dhcpv4Message(fields: Dhcpv4Fields): number | undefined {
  for (const option of fields.options) if (option.kind === "message-type") return option.message;
  return undefined;
}

/** Reads the message at `offset` that ends before `end`. */
export function parseDhcpv4(bytes: Uint8Array, offset: number, end: number): Result<Dhcpv4Fields, ParseError> {
  const have = end - offset;
  if (have < DHCPV4_LENGTH_MIN) return truncated("dhcpv4", DHCPV4_LENGTH_MIN, have);
  const view = new Dhcpv4View(bytes, offset);
  const operation = operationOf(view.operation);
  if (operation === undefined) return badValue("dhcpv4", "operation", view.operation);
  if (view.hardwareType !== HARDWARE_ETHERNET) return badValue("dhcpv4", "hardware type", view.hardwareType);
  if (view.hardwareLength !== 6) return badValue("dhcpv4", "hardware length", view.hardwareLength);
  if (view.cookie !== COOKIE) return badValue("dhcpv4", "magic cookie", view.cookie);
  const options = parseDhcpv4Options(bytes, offset + OFFSET.options, end);
  if (!options.ok) return options;
  return ok({
    operation,
    hops: view.hops,
    transaction: view.transaction,
    seconds: view.seconds,
    isBroadcast: (view.flags & FLAG_BROADCAST) !== 0,
    clientIp: view.clientIp,
    yourIp: view.yourIp,
    serverIp: view.serverIp,
    relayIp: view.relayIp,
    clientMac: view.clientMac,
    options: options.value,
  });
}

/** Bytes that `emitDhcpv4` writes. */
export function dhcpv4Length(fields: Pick<Dhcpv4Fields, "options">): number {
  return Math.max(DHCPV4_LENGTH_SENT_MIN, DHCPV4_LENGTH_MIN + dhcpv4OptionsLength(fields.options));
}

/** Writes the message at `offset`; returns where it ends, padding included. */
export function emitDhcpv4(fields: Dhcpv4Fields, bytes: Uint8Array, offset: number): number {
  const end = offset + dhcpv4Length(fields);
  assertRegion(bytes, offset, end - offset);
  bytes.fill(0, offset, end);
  const view = new Dhcpv4View(bytes, offset);
  view.operation = DHCPV4_OPERATION[fields.operation];
  view.hardwareType = HARDWARE_ETHERNET;
  view.hardwareLength = 6;
  view.hops = fields.hops;
  view.transaction = fields.transaction;
  view.seconds = fields.seconds;
  view.flags = fields.isBroadcast ? FLAG_BROADCAST : 0;
  view.clientIp = fields.clientIp;
  view.yourIp = fields.yourIp;
  view.serverIp = fields.serverIp;
  view.relayIp = fields.relayIp;
  view.clientMac = fields.clientMac;
  view.cookie = COOKIE;
  emitDhcpv4Options(fields.options, bytes, offset + OFFSET.options);
  return end;
}

/** One line: message, client, address and the options. */
export function formatDhcpv4(fields: Dhcpv4Fields): string {
  const options = fields.options.filter((option) => option.kind !== "message-type").map(formatDhcpv4Option);
  const your = fields.yourIp === 0 ? "" : ` your ${formatIpv4(fields.yourIp)}`;
  const list = options.length === 0 ? "" : ` [${options.join(", ")}]`;
  return `dhcp ${formatMessage(fields)} ${formatMac(fields.clientMac)}${your}${list}`;
}

function operationOf(value: number): "request" | "reply" | undefined {
  if (value === DHCPV4_OPERATION.request) return "request";
  return value === DHCPV4_OPERATION.reply ? "reply" : undefined;
}

function formatMessage(fields: Dhcpv4Fields): string {
  const message = dhcpv4Message(fields);
  for (const [name, value] of Object.entries(DHCPV4_MESSAGE)) if (value === message) return name;
  return message === undefined ? "bootp" : `message ${message}`;
}
