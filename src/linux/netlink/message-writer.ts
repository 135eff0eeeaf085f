import { aligned, attributeHeaderBytes, headerBytes, nestedFlag } from "./protocol.ts";

/** The header of a message to be written; the length is filled in at the end. */
export interface MessageHeader {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
}

const encoder = new TextEncoder();

/**
 * Writes one netlink message into given memory: header, the family's own header, attributes. Integers are in the
 * machine's order (little-endian) unless the name says otherwise. A message that does not fit is not cut: writing goes
 * on without effect and `finish` answers undefined.
 */
export class MessageWriter {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #start: number;
  #limit: number;
  #end: number;
  #fits = true;

  /** Writes at `start` of `bytes`, at most up to `limit`. */
  constructor(bytes: Uint8Array, start = 0, limit = bytes.length) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#start = start;
    this.#limit = limit;
    this.#end = start;
  }

  /** Writes the next message elsewhere in the same memory. */
  moveTo(start: number, limit: number): this {
    this.#start = start;
    this.#limit = limit;
    return this;
  }

  /** Begins the message. */
  begin({ type, flags, sequence }: MessageHeader): this {
    this.#end = this.#start;
    this.#fits = true;
    return this.u32(0).u16(type).u16(flags).u32(sequence).u32(0);
  }

  /** Fills in the length and returns it (a multiple of 4), or undefined when the message did not fit. */
  finish(): number | undefined {
    if (!this.#fits || this.#end - this.#start < headerBytes) return undefined;
    this.#align();
    if (!this.#fits) return undefined;
    const length = this.#end - this.#start;
    this.#view.setUint32(this.#start, length, true);
    return length;
  }

  /** Appends a byte, as a field of the family's header. */
  u8(value: number): this {
    const at = this.#take(1);
    if (at >= 0) this.#view.setUint8(at, value);
    return this;
  }

  /** Appends 16 bits. */
  u16(value: number): this {
    const at = this.#take(2);
    if (at >= 0) this.#view.setUint16(at, value, true);
    return this;
  }

  /** Appends 32 bits, signed or not. */
  u32(value: number): this {
    const at = this.#take(4);
    if (at >= 0) this.#view.setUint32(at, value, true);
    return this;
  }

  /** Appends bytes as they are. */
  bytes(bytes: Uint8Array): this {
    const at = this.#take(bytes.length);
    if (at >= 0) this.#bytes.set(bytes, at);
    return this;
  }

  /** An attribute of bytes; with no bytes it is a flag. */
  attribute(type: number, bytes: Uint8Array): this {
    this.#attributeHeader(type, bytes.length).bytes(bytes);
    return this.#align();
  }

  /** An attribute of 8 bits. */
  attributeU8(type: number, value: number): this {
    this.#attributeHeader(type, 1).u8(value);
    return this.#align();
  }

  /** An attribute of 16 bits. */
  attributeU16(type: number, value: number): this {
    this.#attributeHeader(type, 2).u16(value);
    return this.#align();
  }

  /** An attribute of 16 bits in network order, such as a UDP port. */
  attributeU16Network(type: number, value: number): this {
    return this.attributeU16(type, ((value & 0xff) << 8) | (value >> 8));
  }

  /** An attribute of 32 bits, signed or not. */
  attributeU32(type: number, value: number): this {
    return this.#attributeHeader(type, 4).u32(value);
  }

  /** An attribute of text, with its final zero. */
  attributeString(type: number, text: string): this {
    const bytes = encoder.encode(text);
    this.#attributeHeader(type, bytes.length + 1)
      .bytes(bytes)
      .u8(0);
    return this.#align();
  }

  /** An attribute that holds what `body` writes. */
  nested(type: number, body: (writer: this) => void): this {
    return this.#nest(type | nestedFlag, body);
  }

  /** As `nested`, for the old attributes whose receivers know no nested flag (tc options). */
  nestedWithoutFlag(type: number, body: (writer: this) => void): this {
    return this.#nest(type, body);
  }

  #nest(type: number, body: (writer: this) => void): this {
    const at = this.#end;
    this.#attributeHeader(type, 0);
    body(this);
    if (this.#fits) this.#view.setUint16(at, this.#end - at, true);
    return this.#align();
  }

  #attributeHeader(type: number, length: number): this {
    return this.u16(attributeHeaderBytes + length).u16(type);
  }

  #align(): this {
    const end = this.#start + aligned(this.#end - this.#start);
    const at = this.#take(end - this.#end);
    if (at >= 0) this.#bytes.fill(0, at, end);
    return this;
  }

  #take(length: number): number {
    if (!this.#fits || this.#end + length > this.#limit) {
      this.#fits = false;
      return -1;
    }
    const at = this.#end;
    this.#end += length;
    return at;
  }
}
