import { assert } from "../../base/assert.ts";

/**
 * The broker's pre-allocated memory: `count` chunks of `chunkBytes`, each the place of one request. A request's
 * sequence
 * number is its chunk's index and the chunk's generation, so that an answer finds its request without a search, and an
 * answer to an earlier user of the chunk finds none. `count` is a power of two.
 */
export class ChunkPool {
  readonly memory: Uint8Array<ArrayBuffer>;
  readonly count: number;
  readonly chunkBytes: number;
  /** The sequence number of the present or last user of each chunk. */
  readonly #sequences: Uint32Array;
  readonly #free: Int32Array;
  #freeCount: number;

  constructor(count: number, chunkBytes: number) {
    assert(count > 0 && (count & (count - 1)) === 0, "the number of chunks is a power of two", { count });
    this.count = count;
    this.chunkBytes = chunkBytes;
    this.memory = new Uint8Array(new ArrayBuffer(count * chunkBytes));
    this.#sequences = Uint32Array.from({ length: count }, (_, index) => index);
    this.#free = Int32Array.from({ length: count }, (_, index) => count - 1 - index);
    this.#freeCount = count;
  }

  /** Chunks in use. */
  get inUse(): number {
    return this.count - this.#freeCount;
  }

  /** Takes a chunk and steps its generation; -1 when all are in use. */
  take(): number {
    if (this.#freeCount === 0) return -1;
    const index = this.#free[--this.#freeCount] as number;
    const next = ((this.#sequences[index] as number) + this.count) >>> 0;
    // 0 is the sequence of notifications.
    this.#sequences[index] = next === 0 ? this.count : next;
    return index;
  }

  /** Gives a chunk back. */
  release(index: number): void {
    assert(this.#freeCount < this.count, "a chunk was released twice", { index });
    this.#free[this.#freeCount++] = index;
  }

  /** The sequence number of the chunk's user. */
  sequence(index: number): number {
    return this.#sequences[index] as number;
  }

  /** The chunk to which a sequence number belongs or belonged last; -1 for a number of an earlier generation. */
  find(sequence: number): number {
    const index = sequence & (this.count - 1);
    return this.#sequences[index] === sequence ? index : -1;
  }
}
