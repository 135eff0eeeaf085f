import { ok, type Result } from "../base/result.ts";
import { assertRegion, setU16, u16At } from "./bytes.ts";
import { checksumOf, sumIsGood, sumOf } from "./checksum.ts";
import { badLength, type ParseError, truncated } from "./parse-error.ts";

/** Bytes of a UDP header (RFC 768). */
export const UDP_LENGTH = 8;

const OFFSET = { srcPort: 0, dstPort: 2, length: 4, checksum: 6 } as const;

/** UDP ports whose payload weft reads. */
export const UDP_PORT = { dhcpServer: 67, dhcpClient: 68, vxlan: 4789 } as const;

/** A view over the eight bytes of a UDP header. */
export class UdpView {
  readonly #bytes: Uint8Array;
  readonly #at: number;

  /** The header at `offset`; throws unless it lies in `bytes`. */
  constructor(bytes: Uint8Array, offset: number) {
    assertRegion(bytes, offset, UDP_LENGTH);
    this.#bytes = bytes;
    this.#at = offset;
  }

  get srcPort(): number {
    return u16At(this.#bytes, this.#at + OFFSET.srcPort);
  }
  set srcPort(value: number) {
    setU16(this.#bytes, this.#at + OFFSET.srcPort, value);
  }

  get dstPort(): number {
    return u16At(this.#bytes, this.#at + OFFSET.dstPort);
  }
  set dstPort(value: number) {
    setU16(this.#bytes, this.#at + OFFSET.dstPort, value);
  }

  /** Bytes of header and payload. */
  get length(): number {
    return u16At(this.#bytes, this.#at + OFFSET.length);
  }
  set length(value: number) {
    setU16(this.#bytes, this.#at + OFFSET.length, value);
  }

  /** Zero means that the sender computed none (IPv4 only). */
  get checksum(): number {
    return u16At(this.#bytes, this.#at + OFFSET.checksum);
  }
  set checksum(value: number) {
    setU16(this.#bytes, this.#at + OFFSET.checksum, value);
  }

  /** True when the checksum is right or absent; `pseudoSum` is `pseudoSumV4` or `pseudoSumV6` over `length`. */
  checksumIsGood(pseudoSum: number): boolean {
    return this.checksum === 0 || sumIsGood(pseudoSum + sumOf(this.#bytes, this.#at, this.#at + this.length));
  }

  /** Computes and stores the checksum over header and payload; a zero is sent as 0xffff (RFC 768). */
  fillChecksum(pseudoSum: number): void {
    assertRegion(this.#bytes, this.#at, this.length);
    this.checksum = 0;
    this.checksum = checksumOf(pseudoSum + sumOf(this.#bytes, this.#at, this.#at + this.length)) || 0xffff;
  }
}

/** The meaning of a UDP header. The checksum belongs to header and payload together: see `UdpView`. */
export interface UdpFields {
  readonly srcPort: number;
  readonly dstPort: number;
  /** Bytes after the header. */
  readonly payloadLength: number;
}

/**
 * Reads the header at `offset` of a region that ends before `end`. The checksum is not looked at: fragments and frames
 * whose checksum is left to hardware legitimately carry another.
 */
export function parseUdp(bytes: Uint8Array, offset: number, end: number): Result<UdpFields, ParseError> {
  const have = end - offset;
  if (have < UDP_LENGTH) return truncated("udp", UDP_LENGTH, have);
  const view = new UdpView(bytes, offset);
  const { length } = view;
  if (length < UDP_LENGTH) return badLength("udp", "length", length);
  if (have < length) return truncated("udp", length, have);
  return ok({ srcPort: view.srcPort, dstPort: view.dstPort, payloadLength: length - UDP_LENGTH });
}

/** Writes the header at `offset` with checksum zero; returns where it ends. See `UdpView.fillChecksum`. */
export function emitUdp(fields: UdpFields, bytes: Uint8Array, offset: number): number {
  const view = new UdpView(bytes, offset);
  view.srcPort = fields.srcPort;
  view.dstPort = fields.dstPort;
  view.length = UDP_LENGTH + fields.payloadLength;
  view.checksum = 0;
  return offset + UDP_LENGTH;
}

/** One line: ports and payload. */
export function formatUdp(fields: UdpFields): string {
  return `udp ${fields.srcPort} > ${fields.dstPort} length ${fields.payloadLength}`;
}
