import { err, ok, type Result } from "../base/result.ts";

/** A frame that cannot be: its announced length is negative or past the limit. The connection must end. */
export interface FrameError {
  readonly length: number;
  readonly limit: number;
}

const nothing = Buffer.alloc(0);

/**
 * Cuts a byte stream into frames: four bytes of length, then that many bytes. Holds at most one incomplete frame and what
 * came behind it in the same chunk; the pieces of a long frame are joined once, when it is whole.
 * Frames are views: valid until the caller gives the chunk's memory away.
 */
export class FrameSplitter {
  #buffer: Buffer = nothing;
  #at = 0;
  #later: Buffer[] = [];
  #waiting = 0;
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes that wait for the rest of their frame. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Adds what the connection delivered. Take frames with `next` until it has none. */
  push(chunk: Uint8Array): void {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    if (this.#waiting === 0) {
      this.#buffer = bytes;
      this.#at = 0;
    } else {
      this.#later.push(bytes);
    }
    this.#waiting += bytes.length;
  }

  /** The next whole frame without its length, undefined when more bytes are needed, or why the stream is not ours. */
  next(): Result<Uint8Array | undefined, FrameError> {
    if (!this.#join(4)) return ok(undefined);
    const length = this.#buffer.readInt32BE(this.#at);
    if (length < 0 || length > this.#limit) return err({ length, limit: this.#limit });
    if (!this.#join(4 + length)) return ok(undefined);
    const start = this.#at + 4;
    this.#at = start + length;
    this.#waiting -= 4 + length;
    return ok(this.#buffer.subarray(start, this.#at));
  }

  /** The first `count` bytes without taking them, or undefined while fewer are there. */
  peek(count: number): Uint8Array | undefined {
    return this.#join(count) ? this.#buffer.subarray(this.#at, this.#at + count) : undefined;
  }

  /** Makes the first `count` waiting bytes one piece. */
  #join(count: number): boolean {
    if (this.#waiting < count) return false;
    if (this.#buffer.length - this.#at >= count) return true;
    this.#buffer = Buffer.concat([this.#buffer.subarray(this.#at), ...this.#later]);
    this.#later = [];
    this.#at = 0;
    return true;
  }
}
