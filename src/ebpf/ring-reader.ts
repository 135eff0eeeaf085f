import { loadOrdered } from "../base/ordered.ts";
import { UPCALL_HEADER_WORDS } from "../flow/layout.ts";
import type { MappingHandle } from "../linux/memory.ts";

const HEADER_BYTES = 8;
const BUSY = 0x8000_0000;
const DISCARDED = 0x4000_0000;
const LENGTH_MASK = 0x3fff_ffff;
/** Word of the lower half of the producer's position, in the first page of its mapping. */
const PRODUCER = 0;

/** The bytes of a ring's two mappings, as their owner or another thread sees them. */
export interface RingBuffers {
  readonly consumer: { readonly buffer: ArrayBuffer };
  readonly producerAndData: { readonly buffer: ArrayBuffer };
  readonly dataBytes: number;
  readonly dataOffset: number;
}

/** The mappings of a ring by address, for another thread. */
export interface RingHandles {
  readonly consumer: MappingHandle;
  readonly producerAndData: MappingHandle;
  readonly dataBytes: number;
}

/**
 * Reads the records of one ring by plain loads. `next` moves to a record, `pass` beyond it, and `release` gives back the room of those passed. Positions are 64-bit byte
 * counts of the kernel; the lower half is enough to find a record, because a ring is far shorter than 4 GB.
 */
export class RingReader {
  /** Index of the record's first word in `words`. */
  offset = 0;
  /** Words of the producer's position and, behind it, the data, with its beginning once more behind its end: no record wraps. */
  readonly words: Uint32Array;
  /** The same memory as bytes; record word `offset` is byte `4 * offset`. */
  readonly bytes: Uint8Array;
  /** Where in `words` the data begins. */
  readonly #data: number;
  readonly #mask: number;
  // The position, as plain fields: each typed array is some lines of memory that nobody has touched for long when a packet comes alone.
  /** Lower half of the position, signed. */
  #low: number;
  #high: number;
  #length = 0;
  readonly #consumer: Float64Array;
  // The position as two words and, over the same bytes, as one number: a 64-bit store must not be torn, and a BigInt for each would be
  // garbage. The bits never look like a NaN (positions stay below 2^52 x 2^10), so that they are copied as they are.
  readonly #position = new Uint32Array(2);
  readonly #positionBits = new Float64Array(this.#position.buffer);

  constructor(ring: RingBuffers) {
    this.#mask = ring.dataBytes - 1;
    this.#data = ring.dataOffset / 4;
    this.#consumer = new Float64Array(ring.consumer.buffer, 0, 1);
    this.words = new Uint32Array(ring.producerAndData.buffer);
    this.bytes = new Uint8Array(ring.producerAndData.buffer);
    this.#positionBits[0] = this.#consumer[0] as number;
    this.#low = (this.#position[0] as number) | 0;
    this.#high = this.#position[1] as number;
  }

  /** Moves to the next record. False when there is none that is complete. */
  next(): boolean {
    for (;;) {
      if (this.isEmpty()) return false;
      const word = this.#data + ((this.#low & this.#mask) >>> 2);
      const header = loadOrdered(this.words, word);
      if ((header & BUSY) !== 0) return false;
      this.#length = header & LENGTH_MASK;
      if ((header & DISCARDED) === 0) {
        this.offset = word + HEADER_BYTES / 4;
        return true;
      }
      this.pass();
    }
  }

  /** Leaves the present record behind. It still takes its room, and a later process would read it again, until `release`. */
  pass(): void {
    const after = (this.#low >>> 0) + ((this.#length + HEADER_BYTES + 7) & ~7);
    this.#low = after | 0;
    if (after > 0xffff_ffff) this.#high++;
  }

  /** Gives the room of all records that were passed back to the kernel. Their words may change from now on. */
  release(): void {
    this.#position[0] = this.#low;
    this.#position[1] = this.#high;
    this.#consumer[0] = this.#positionBits[0] as number;
  }

  /** A glance for those who look again: false when nothing had come by now, as far as this processor has seen. */
  mayHaveNext(): boolean {
    return ((this.words[PRODUCER] as number) | 0) !== this.#low;
  }

  /** True when there is nothing at all, not even a record that is still being written. */
  isEmpty(): boolean {
    return (loadOrdered(this.words, PRODUCER) | 0) === this.#low;
  }
}

/** Packets and captured bytes that wait in a ring, by vport; nothing is consumed. */
export function pendingOf(ring: RingBuffers): ReadonlyMap<number, { packets: number; bytes: number }> {
  const mask = ring.dataBytes - 1;
  const producer = new Uint32Array(ring.producerAndData.buffer, 0, 2);
  const words = new Uint32Array(ring.producerAndData.buffer, ring.dataOffset);
  const pending = new Map<number, { packets: number; bytes: number }>();
  const end = Atomics.load(producer, 0);
  let at = new Uint32Array(ring.consumer.buffer, 0, 2)[0] as number;
  while (at !== end) {
    const word = (at & mask) >>> 2;
    const header = Atomics.load(words, word);
    if ((header & BUSY) === 0 && (header & DISCARDED) === 0) count(pending, words, word + HEADER_BYTES / 4);
    at = (at + (((header & LENGTH_MASK) + HEADER_BYTES + 7) & ~7)) >>> 0;
  }
  return pending;
}

function count(pending: Map<number, { packets: number; bytes: number }>, words: Uint32Array, at: number): void {
  const vport = words[at + 3] as number;
  const bytes = words[at + 2] as number;
  const found = pending.get(vport);
  if (found === undefined) pending.set(vport, { packets: 1, bytes });
  else {
    found.packets++;
    found.bytes += bytes;
  }
}

/** Bytes before the frame in an upcall record. */
export const RECORD_HEADER_BYTES = 4 * UPCALL_HEADER_WORDS;
