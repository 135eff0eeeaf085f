import { err, ok, type Result } from "../base/result.ts";

/**
 * Jute, ZooKeeper's encoding: big-endian int and long, boolean in one byte, and int-length-prefixed bytes, UTF-8 strings and
 * vectors, where the length -1 means absent.
 *
 * The reader never throws and never reads past its end. The first thing that is wrong is remembered, everything read after it
 * is zero or empty, and `finish` reports it: a decoder is straight-line code that ends in one check.
 */
export class JuteReader {
  readonly #bytes: Buffer;
  #at: number;
  #failure: JuteError | undefined;

  constructor(bytes: Uint8Array, offset = 0) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = offset;
  }

  /** Offset of the next byte. */
  get at(): number {
    return this.#at;
  }

  /** Bytes that are left. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** Whether something was wrong already. */
  get failed(): boolean {
    return this.#failure !== undefined;
  }

  /** Remembers that `field` is wrong; only the first call counts. */
  fail(field: string, why: string): void {
    this.#failure ??= { field, at: this.#at, why };
  }

  /** A signed 32-bit number. */
  int(field: string): number {
    if (!this.#need(4, field)) return 0;
    const value = this.#bytes.readInt32BE(this.#at);
    this.#at += 4;
    return value;
  }

  /** A signed 64-bit id. */
  long(field: string): bigint {
    if (!this.#need(8, field)) return 0n;
    const value = this.#bytes.readBigInt64BE(this.#at);
    this.#at += 8;
    return value;
  }

  /** A signed 64-bit quantity (a time, a TTL) as a number; exact up to 2^53. */
  longNumber(field: string): number {
    if (!this.#need(8, field)) return 0;
    const value = this.#bytes.readInt32BE(this.#at) * 0x1_0000_0000 + this.#bytes.readUInt32BE(this.#at + 4);
    this.#at += 8;
    return value;
  }

  /** One byte, 0 or 1; any other value is malformed. */
  boolean(field: string): boolean {
    if (!this.#need(1, field)) return false;
    const value = this.#bytes[this.#at];
    this.#at += 1;
    if (value !== undefined && value > 1) this.fail(field, `a boolean is 0 or 1, not ${value}`);
    return value === 1;
  }

  /** A copy of length-prefixed bytes, or undefined for length -1. */
  buffer(field: string): Uint8Array | undefined {
    const length = this.#length(field);
    if (length < 0) return undefined;
    const value = new Uint8Array(length);
    this.#bytes.copy(value, 0, this.#at, this.#at + length);
    this.#at += length;
    return value;
  }

  /** A string; an absent one reads as the empty string, as the servers treat it. */
  string(field: string): string {
    const length = this.#length(field);
    if (length <= 0) return "";
    const value = this.#bytes.toString("utf8", this.#at, this.#at + length);
    this.#at += length;
    return value;
  }

  /** A vector. `minBytes` is the least that one element takes, so that a lying count cannot make us loop. */
  vector<T>(field: string, minBytes: number, element: (reader: JuteReader) => T): T[] {
    const count = this.int(field);
    if (count < -1 || count * minBytes > this.left) {
      this.fail(field, `a count of ${count} elements does not fit the ${this.left} bytes that follow`);
      return [];
    }
    const values: T[] = [];
    for (let i = 0; i < count && this.#failure === undefined; i++) values.push(element(this));
    return values;
  }

  /** A vector of strings. */
  strings(field: string): string[] {
    return this.vector(field, 4, (reader) => reader.string(field));
  }

  /** Ends reading: `value`, or the first thing that was wrong. Bytes that nobody read are wrong too. */
  finish<T>(value: T): Result<T, JuteError> {
    if (this.#failure === undefined && this.left > 0) this.fail("end of frame", `${this.left} bytes too many`);
    return this.#failure === undefined ? ok(value) : err(this.#failure);
  }

  #need(count: number, field: string): boolean {
    if (this.#failure !== undefined) return false;
    if (this.left >= count) return true;
    this.fail(field, `needs ${count} bytes, has ${this.left}`);
    return false;
  }

  #length(field: string): number {
    const length = this.int(field);
    if (length < -1) this.fail(field, `a length of ${length}`);
    if (length > this.left) this.fail(field, `a length of ${length}, has ${this.left} bytes`);
    return this.#failure === undefined ? length : -1;
  }
}

/** Why bytes are not the record that they should be. `at` is the offset in the frame. */
export interface JuteError {
  readonly field: string;
  readonly at: number;
  readonly why: string;
}

/** A growing buffer of frames. `take` hands out what was written and starts afresh. */
export class JuteWriter {
  #bytes: Buffer;
  #at = 0;
  readonly #initial: number;

  constructor(initialBytes = 4096) {
    this.#initial = initialBytes;
    this.#bytes = Buffer.allocUnsafeSlow(initialBytes);
  }

  /** Bytes written since the last `take`. */
  get length(): number {
    return this.#at;
  }

  /** Writes a signed 32-bit number. */
  int(value: number): void {
    this.#room(4);
    this.#at = this.#bytes.writeInt32BE(value | 0, this.#at);
  }

  /** Writes a signed 64-bit id. */
  long(value: bigint): void {
    this.#room(8);
    this.#at = this.#bytes.writeBigInt64BE(value, this.#at);
  }

  /** Writes an integer of at most 2^53 as 64 bits. */
  longNumber(value: number): void {
    this.#room(8);
    const high = Math.floor(value / 0x1_0000_0000);
    this.#bytes.writeInt32BE(high | 0, this.#at);
    this.#at = this.#bytes.writeUInt32BE(value - high * 0x1_0000_0000, this.#at + 4);
  }

  /** Writes one byte. */
  boolean(value: boolean): void {
    this.#room(1);
    this.#bytes[this.#at++] = value ? 1 : 0;
  }

  /** Writes bytes with their length, or -1 for undefined. */
  buffer(value: Uint8Array | undefined): void {
    if (value === undefined) return this.int(-1);
    this.int(value.length);
    this.#room(value.length);
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
  }

  /** Writes a string as UTF-8 with its length, or -1 for undefined. */
  string(value: string | undefined): void {
    if (value === undefined) return this.int(-1);
    this.#room(4 + value.length * 3);
    const written = this.#bytes.write(value, this.#at + 4, "utf8");
    this.#bytes.writeInt32BE(written, this.#at);
    this.#at += 4 + written;
  }

  /** Writes a count and the elements. */
  vector<T>(values: readonly T[], element: (writer: JuteWriter, value: T) => void): void {
    this.int(values.length);
    for (const value of values) element(this, value);
  }

  /** Writes a vector of strings. */
  strings(values: readonly string[]): void {
    this.int(values.length);
    for (const value of values) this.string(value);
  }

  /** Starts a frame: reserves its length. Give the answer to `end`. */
  begin(): number {
    this.int(0);
    return this.#at;
  }

  /** Ends the frame that `begin` started and returns its length without the prefix. */
  end(start: number): number {
    const length = this.#at - start;
    this.#bytes.writeInt32BE(length, start - 4);
    return length;
  }

  /** Forgets what was written from `offset` on (a frame that turned out to be too long). */
  truncate(offset: number): void {
    this.#at = Math.min(this.#at, offset);
  }

  /** What was written, which the caller owns from now on. */
  take(): Uint8Array {
    const bytes = this.#bytes.subarray(0, this.#at);
    this.#bytes = Buffer.allocUnsafeSlow(this.#initial);
    this.#at = 0;
    return bytes;
  }

  #room(count: number): void {
    const wanted = this.#at + count;
    if (wanted <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(wanted, this.#bytes.length * 2));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }
}
