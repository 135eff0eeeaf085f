import { formatMac, type Mac } from "../addr/mac.ts";
import { ok, type Result } from "../base/result.ts";
import { assertRegion, macAt, setMac, setU16, u16At } from "./bytes.ts";
import { type ParseError, truncated } from "./parse-error.ts";

/** Bytes of an Ethernet header, without preamble, tags and frame check sequence (IEEE 802.3 3.1). */
export const ETHERNET_LENGTH = 14;

const OFFSET = { dst: 0, src: 6, etherType: 12 } as const;

/** EtherTypes that weft reads (IANA ieee-802-numbers). Others stay numbers. */
export const ETHER_TYPE = {
  ipv4: 0x0800,
  arp: 0x0806,
  vlan: 0x8100,
  ipv6: 0x86dd,
  serviceVlan: 0x88a8,
  lldp: 0x88cc,
} as const;

/** Smallest EtherType; below it the field is the length of an LLC frame (IEEE 802.3 3.2.6). */
export const ETHER_TYPE_MIN = 0x0600;

/** A view over the fourteen bytes of an Ethernet header: getters and setters write through. */
export class EthernetView {
  readonly #bytes: Uint8Array;
  readonly #at: number;

  /** The header at `offset`; throws unless it lies in `bytes`. */
  constructor(bytes: Uint8Array, offset: number) {
    assertRegion(bytes, offset, ETHERNET_LENGTH);
    this.#bytes = bytes;
    this.#at = offset;
  }

  get dst(): Mac {
    return macAt(this.#bytes, this.#at + OFFSET.dst);
  }
  set dst(mac: Mac) {
    setMac(this.#bytes, this.#at + OFFSET.dst, mac);
  }

  get src(): Mac {
    return macAt(this.#bytes, this.#at + OFFSET.src);
  }
  set src(mac: Mac) {
    setMac(this.#bytes, this.#at + OFFSET.src, mac);
  }

  /** EtherType, or the length of an LLC frame when below `ETHER_TYPE_MIN`. */
  get etherType(): number {
    return u16At(this.#bytes, this.#at + OFFSET.etherType);
  }
  set etherType(value: number) {
    setU16(this.#bytes, this.#at + OFFSET.etherType, value);
  }
}

/** The meaning of an Ethernet header. `etherType` below `ETHER_TYPE_MIN` is the length of an LLC frame. */
export interface EthernetFields {
  readonly dst: Mac;
  readonly src: Mac;
  readonly etherType: number;
}

/** Reads the header at `offset` of a region that ends before `end`. */
export function parseEthernet(bytes: Uint8Array, offset: number, end: number): Result<EthernetFields, ParseError> {
  if (end - offset < ETHERNET_LENGTH) return truncated("ethernet", ETHERNET_LENGTH, end - offset);
  const view = new EthernetView(bytes, offset);
  return ok({ dst: view.dst, src: view.src, etherType: view.etherType });
}

/** Writes the header at `offset`; returns where it ends. */
export function emitEthernet(fields: EthernetFields, bytes: Uint8Array, offset: number): number {
  const view = new EthernetView(bytes, offset);
  view.dst = fields.dst;
  view.src = fields.src;
  view.etherType = fields.etherType;
  return offset + ETHERNET_LENGTH;
}

/** One line: source, destination, EtherType. */
export function formatEthernet(fields: EthernetFields): string {
  return `${formatMac(fields.src)} > ${formatMac(fields.dst)} ${formatEtherType(fields.etherType)}`;
}

/** The name of an EtherType, or its number; `llc` below `ETHER_TYPE_MIN`. */
export function formatEtherType(etherType: number): string {
  if (etherType < ETHER_TYPE_MIN) return "llc";
  for (const [name, value] of Object.entries(ETHER_TYPE)) if (value === etherType) return name;
  return `0x${etherType.toString(16).padStart(4, "0")}`;
}
