import { assertRegion, setU8, setU16, setU32, u8At, u16At, u32At } from "./bytes.ts";
import { checksumOf, sumIsGood, sumOf } from "./checksum.ts";

/** Bytes of an ICMP or ICMPv6 header; echo data or the quoted packet follows (RFC 792, RFC 4443 2.1). */
export const ICMP_LENGTH = 8;

const OFFSET = { type: 0, code: 1, checksum: 2, rest: 4, identifier: 4, sequence: 6 } as const;

/** A view over the eight bytes of an ICMP or ICMPv6 header. `pseudoSum` is 0 for ICMP, which sums no pseudo header (RFC 4443 2.3). */
export class IcmpView {
  readonly #bytes: Uint8Array;
  readonly #at: number;

  /** The header at `offset`; throws unless it lies in `bytes`. */
  constructor(bytes: Uint8Array, offset: number) {
    assertRegion(bytes, offset, ICMP_LENGTH);
    this.#bytes = bytes;
    this.#at = offset;
  }

  get type(): number {
    return u8At(this.#bytes, this.#at + OFFSET.type);
  }
  set type(value: number) {
    setU8(this.#bytes, this.#at + OFFSET.type, value);
  }

  get code(): number {
    return u8At(this.#bytes, this.#at + OFFSET.code);
  }
  set code(value: number) {
    setU8(this.#bytes, this.#at + OFFSET.code, value);
  }

  get checksum(): number {
    return u16At(this.#bytes, this.#at + OFFSET.checksum);
  }
  set checksum(value: number) {
    setU16(this.#bytes, this.#at + OFFSET.checksum, value);
  }

  /** The four bytes whose meaning depends on the type. */
  get rest(): number {
    return u32At(this.#bytes, this.#at + OFFSET.rest);
  }
  set rest(value: number) {
    setU32(this.#bytes, this.#at + OFFSET.rest, value);
  }

  /** Echo only. */
  get identifier(): number {
    return u16At(this.#bytes, this.#at + OFFSET.identifier);
  }
  set identifier(value: number) {
    setU16(this.#bytes, this.#at + OFFSET.identifier, value);
  }

  /** Echo only. */
  get sequence(): number {
    return u16At(this.#bytes, this.#at + OFFSET.sequence);
  }
  set sequence(value: number) {
    setU16(this.#bytes, this.#at + OFFSET.sequence, value);
  }

  /** True when the checksum of the message that ends before `end` is right; `pseudoSum` covers the same length. */
  checksumIsGood(pseudoSum: number, end: number): boolean {
    return sumIsGood(pseudoSum + sumOf(this.#bytes, this.#at, end));
  }

  /** Computes and stores the checksum of the message that ends before `end`. */
  fillChecksum(pseudoSum: number, end: number): void {
    assertRegion(this.#bytes, this.#at, end - this.#at);
    this.checksum = 0;
    this.checksum = checksumOf(pseudoSum + sumOf(this.#bytes, this.#at, end));
  }
}
