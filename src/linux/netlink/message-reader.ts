import {
  acknowledgeFlags,
  aligned,
  attributeHeaderBytes,
  attributeTypeMask,
  headerBytes,
  netlinkControl,
} from "./protocol.ts";

const decoder = new TextDecoder();

/** The attributes of a message or of an attribute, by type; of a type that comes twice, the last. */
export class Attributes {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #at = new Map<number, { readonly start: number; readonly end: number }>();
  readonly #order: { readonly type: number; readonly start: number; readonly end: number }[] = [];

  /** Reads the attributes between two offsets; one whose length is wrong ends the reading. */
  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = start; at + attributeHeaderBytes <= end; ) {
      const length = this.#view.getUint16(at, true);
      if (length < attributeHeaderBytes || at + length > end) break;
      const type = this.#view.getUint16(at + 2, true) & attributeTypeMask;
      const found = { type, start: at + attributeHeaderBytes, end: at + length };
      this.#at.set(type, found);
      this.#order.push(found);
      at += aligned(length);
    }
  }

  /** True when there is an attribute of this type. */
  has(type: number): boolean {
    return this.#at.has(type);
  }

  /** 8 bits. */
  u8(type: number): number | undefined {
    const at = this.#find(type, 1);
    return at === undefined ? undefined : this.#view.getUint8(at);
  }

  /** 16 bits. */
  u16(type: number): number | undefined {
    const at = this.#find(type, 2);
    return at === undefined ? undefined : this.#view.getUint16(at, true);
  }

  /** 16 bits in network order. */
  u16Network(type: number): number | undefined {
    const at = this.#find(type, 2);
    return at === undefined ? undefined : this.#view.getUint16(at, false);
  }

  /** 32 bits without sign. */
  u32(type: number): number | undefined {
    const at = this.#find(type, 4);
    return at === undefined ? undefined : this.#view.getUint32(at, true);
  }

  /** 32 bits with sign. */
  i32(type: number): number | undefined {
    const at = this.#find(type, 4);
    return at === undefined ? undefined : this.#view.getInt32(at, true);
  }

  /** 64 bits as a number: exact up to 2^53. */
  u64(type: number): number | undefined {
    const at = this.#find(type, 8);
    return at === undefined ? undefined : Number(this.#view.getBigUint64(at, true));
  }

  /** Text up to its first zero. */
  string(type: number): string | undefined {
    const found = this.#at.get(type);
    if (found === undefined) return undefined;
    const bytes = this.#bytes.subarray(found.start, found.end);
    const end = bytes.indexOf(0);
    return decoder.decode(end < 0 ? bytes : bytes.subarray(0, end));
  }

  /** The bytes, copied: the memory of a received message is used again. */
  bytes(type: number): Uint8Array | undefined {
    const found = this.#at.get(type);
    return found === undefined ? undefined : this.#bytes.slice(found.start, found.end);
  }

  /** The attributes inside an attribute; `skip` is the length of a header before them. */
  nested(type: number, skip = 0): Attributes | undefined {
    const found = this.#at.get(type);
    return found === undefined ? undefined : new Attributes(this.#bytes, found.start + skip, found.end);
  }

  /** The attributes of a list: each element of the attribute is itself a set of attributes. */
  list(type: number): readonly Attributes[] {
    const inner = this.nested(type);
    return (inner === undefined ? [] : inner.#order).map(({ start, end }) => new Attributes(this.#bytes, start, end));
  }

  #find(type: number, length: number): number | undefined {
    const found = this.#at.get(type);
    return found === undefined || found.end - found.start < length ? undefined : found.start;
  }
}

/** What an error or acknowledgement message says. */
export interface Acknowledgement {
  /** 0 for success, else a positive errno value. */
  readonly errno: number;
  /** The kernel's sentence (NETLINK_EXT_ACK), when it gave one. */
  readonly detail: string | undefined;
}

/**
 * One received message, valid until the next is read: decoders copy what they keep. Offsets in `header*` count from
 * the end of the common header, that is, they are those of the family's own structure.
 */
export class MessageReader {
  readonly bytes: Uint8Array;
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly start: number;
  readonly end: number;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.start = start;
    this.end = end;
    this.type = this.#view.getUint16(start + 4, true);
    this.flags = this.#view.getUint16(start + 6, true);
    this.sequence = this.#view.getUint32(start + 8, true);
  }

  /** A byte of the family's header; 0 when the message is shorter. */
  headerU8(offset: number): number {
    return this.#has(offset, 1) ? this.#view.getUint8(this.start + headerBytes + offset) : 0;
  }

  /** 16 bits of the family's header. */
  headerU16(offset: number): number {
    return this.#has(offset, 2) ? this.#view.getUint16(this.start + headerBytes + offset, true) : 0;
  }

  /** 32 bits of the family's header, without sign. */
  headerU32(offset: number): number {
    return this.#has(offset, 4) ? this.#view.getUint32(this.start + headerBytes + offset, true) : 0;
  }

  /** The attributes after a family header of this many bytes. */
  attributes(familyHeaderBytes: number): Attributes {
    const start = Math.min(this.end, this.start + headerBytes + aligned(familyHeaderBytes));
    return new Attributes(this.bytes, start, this.end);
  }

  /** What an `error` message, or the end of a dump (`done`), says. */
  acknowledgement(): Acknowledgement {
    const errno = -(this.headerU32(0) | 0);
    if ((this.flags & acknowledgeFlags.extended) === 0) return { errno, detail: undefined };
    return { errno, detail: this.attributes(this.#acknowledgementBytes()).string(1) };
  }

  // An error repeats its request, or only the request's header when it is capped; `done` repeats nothing.
  #acknowledgementBytes(): number {
    if (this.type !== netlinkControl.error) return 4;
    const repeated = (this.flags & acknowledgeFlags.capped) === 0 ? this.headerU32(4) : headerBytes;
    return 4 + repeated;
  }

  #has(offset: number, length: number): boolean {
    return this.start + headerBytes + offset + length <= this.end;
  }
}

/**
 * Calls `each` for every message of a received datagram of `length` bytes; false when its end is damaged (a message's
 * length is impossible), after the ones before that.
 */
export function readMessages(bytes: Uint8Array, length: number, each: (message: MessageReader) => void): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  while (at + headerBytes <= length) {
    const messageBytes = view.getUint32(at, true);
    if (messageBytes < headerBytes || at + messageBytes > length) return false;
    each(new MessageReader(bytes, at, at + messageBytes));
    at += aligned(messageBytes);
  }
  return at >= length;
}

/** True for the message that ends an answer: an acknowledgement, an error, or the end of a dump. */
export function isEnd(message: MessageReader): boolean {
  return message.type === netlinkControl.error || message.type === netlinkControl.done;
}
