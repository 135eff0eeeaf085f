import { formatIpv4, type Ipv4 } from "../addr/ip.ts";
import { formatMac, type Mac } from "../addr/mac.ts";
import { ok, type Result } from "../base/result.ts";
import { assertRegion, macAt, setMac, setU8, setU16, setU32, u8At, u16At, u32At } from "./bytes.ts";
import { badValue, type ParseError, truncated } from "./parse-error.ts";

/** Bytes of an ARP message for IPv4 over Ethernet (RFC 826). */
export const ARP_LENGTH = 28;

const OFFSET = {
  hardwareType: 0,
  protocolType: 2,
  hardwareLength: 4,
  protocolLength: 5,
  operation: 6,
  senderMac: 8,
  senderIp: 14,
  targetMac: 18,
  targetIp: 24,
} as const;

const HARDWARE_ETHERNET = 1;
const PROTOCOL_IPV4 = 0x0800;

/** Operations (RFC 826). Others stay numbers. */
export const ARP_OPERATION = { request: 1, reply: 2 } as const;

/** A view over an ARP message for IPv4 over Ethernet. */
export class ArpView {
  readonly #bytes: Uint8Array;
  readonly #at: number;

  /** The message at `offset`; throws unless it lies in `bytes`. */
  constructor(bytes: Uint8Array, offset: number) {
    assertRegion(bytes, offset, ARP_LENGTH);
    this.#bytes = bytes;
    this.#at = offset;
  }

  get hardwareType(): number {
    return u16At(this.#bytes, this.#at + OFFSET.hardwareType);
  }
  set hardwareType(value: number) {
    setU16(this.#bytes, this.#at + OFFSET.hardwareType, value);
  }

  get protocolType(): number {
    return u16At(this.#bytes, this.#at + OFFSET.protocolType);
  }
  set protocolType(value: number) {
    setU16(this.#bytes, this.#at + OFFSET.protocolType, value);
  }

  get hardwareLength(): number {
    return u8At(this.#bytes, this.#at + OFFSET.hardwareLength);
  }
  set hardwareLength(value: number) {
    setU8(this.#bytes, this.#at + OFFSET.hardwareLength, value);
  }

  get protocolLength(): number {
    return u8At(this.#bytes, this.#at + OFFSET.protocolLength);
  }
  set protocolLength(value: number) {
    setU8(this.#bytes, this.#at + OFFSET.protocolLength, value);
  }

  get operation(): number {
    return u16At(this.#bytes, this.#at + OFFSET.operation);
  }
  set operation(value: number) {
    setU16(this.#bytes, this.#at + OFFSET.operation, value);
  }

  get senderMac(): Mac {
    return macAt(this.#bytes, this.#at + OFFSET.senderMac);
  }
  set senderMac(mac: Mac) {
    setMac(this.#bytes, this.#at + OFFSET.senderMac, mac);
  }

  get senderIp(): Ipv4 {
    return u32At(this.#bytes, this.#at + OFFSET.senderIp);
  }
  set senderIp(ip: Ipv4) {
    setU32(this.#bytes, this.#at + OFFSET.senderIp, ip);
  }

  get targetMac(): Mac {
    return macAt(this.#bytes, this.#at + OFFSET.targetMac);
  }
  set targetMac(mac: Mac) {
    setMac(this.#bytes, this.#at + OFFSET.targetMac, mac);
  }

  get targetIp(): Ipv4 {
    return u32At(this.#bytes, this.#at + OFFSET.targetIp);
  }
  set targetIp(ip: Ipv4) {
    setU32(this.#bytes, this.#at + OFFSET.targetIp, ip);
  }
}

/** The meaning of an ARP message for IPv4 over Ethernet; other kinds do not parse. */
export interface ArpFields {
  /** One of `ARP_OPERATION`, or another number as it came. */
  readonly operation: number;
  readonly senderMac: Mac;
  readonly senderIp: Ipv4;
  readonly targetMac: Mac;
  readonly targetIp: Ipv4;
}

/** Reads the message at `offset` of a region that ends before `end`; padding after it is ignored. */
export function parseArp(bytes: Uint8Array, offset: number, end: number): Result<ArpFields, ParseError> {
  if (end - offset < ARP_LENGTH) return truncated("arp", ARP_LENGTH, end - offset);
  const view = new ArpView(bytes, offset);
  if (view.hardwareType !== HARDWARE_ETHERNET) return badValue("arp", "hardware type", view.hardwareType);
  if (view.protocolType !== PROTOCOL_IPV4) return badValue("arp", "protocol type", view.protocolType);
  if (view.hardwareLength !== 6) return badValue("arp", "hardware length", view.hardwareLength);
  if (view.protocolLength !== 4) return badValue("arp", "protocol length", view.protocolLength);
  return ok({
    operation: view.operation,
    senderMac: view.senderMac,
    senderIp: view.senderIp,
    targetMac: view.targetMac,
    targetIp: view.targetIp,
  });
}

/** Writes the message at `offset`; returns where it ends. */
export function emitArp(fields: ArpFields, bytes: Uint8Array, offset: number): number {
  const view = new ArpView(bytes, offset);
  view.hardwareType = HARDWARE_ETHERNET;
  view.protocolType = PROTOCOL_IPV4;
  view.hardwareLength = 6;
  view.protocolLength = 4;
  view.operation = fields.operation;
  view.senderMac = fields.senderMac;
  view.senderIp = fields.senderIp;
  view.targetMac = fields.targetMac;
  view.targetIp = fields.targetIp;
  return offset + ARP_LENGTH;
}

/** One line, as tcpdump says it. */
export function formatArp(fields: ArpFields): string {
  const { operation, senderIp, senderMac, targetIp, targetMac } = fields;
  if (operation === ARP_OPERATION.request) return `arp who-has ${formatIpv4(targetIp)} tell ${formatIpv4(senderIp)}`;
  if (operation === ARP_OPERATION.reply) return `arp reply ${formatIpv4(senderIp)} is-at ${formatMac(senderMac)}`;
  const sender = `${formatIpv4(senderIp)} ${formatMac(senderMac)}`;
  return `arp operation ${operation} ${sender} > ${formatIpv4(targetIp)} ${formatMac(targetMac)}`;
}
