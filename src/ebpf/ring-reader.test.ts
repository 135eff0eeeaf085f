import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { pendingOf, RingReader } from "./ring-reader.ts";

const DATA_BYTES = 4096;
const PAGE = 4096;
const BUSY = 0x8000_0000;
const DISCARDED = 0x4000_0000;
/** Bytes of a record's content; with its header it takes 64. */
const CONTENT = 56;

/** The kernel's end of a ring whose positions begin at `from`. */
class Ring {
  readonly dataBytes = DATA_BYTES;
  readonly dataOffset = PAGE;
  readonly consumer = { buffer: new ArrayBuffer(PAGE) };
  readonly producerAndData = { buffer: new ArrayBuffer(PAGE + 2 * DATA_BYTES) };
  readonly #produced = new BigUint64Array(this.producerAndData.buffer, 0, 1);
  readonly #consumed = new BigUint64Array(this.consumer.buffer, 0, 1);
  readonly #words = new Uint32Array(this.producerAndData.buffer);

  constructor(from: bigint) {
    this.#produced[0] = from;
    this.#consumed[0] = from;
  }

  get consumed(): bigint {
    return this.#consumed[0] as bigint;
  }

  /** Puts a record in; its first word is `value`, its vport 7. Where its header is. */
  put(value: number, flags = 0): number {
    const at = (PAGE + (Number(this.#produced[0] as bigint) & (DATA_BYTES - 1))) / 4;
    this.#words[at] = (CONTENT | flags) >>> 0;
    this.#words[at + 2] = value;
    this.#words[at + 4] = 100;
    this.#words[at + 5] = 7;
    this.#produced[0] = (this.#produced[0] as bigint) + 64n;
    return at;
  }

  complete(at: number): void {
    this.#words[at] = CONTENT;
  }
}

function firstWordOf(reader: RingReader): number {
  assert.equal(new DataView(reader.bytes.buffer).getUint32(4 * reader.offset, true), reader.words[reader.offset]);
  return reader.words[reader.offset] as number;
}

describe("a ring's reader", () => {
  it("gives records in order and their room back when it is told to, also beyond 4 GB of them", () => {
    for (const from of [0n, 2n ** 31n - 128n, 2n ** 32n - 128n, 2n ** 40n - 64n]) {
      const ring = new Ring(from);
      const reader = new RingReader(ring);
      assert.equal(reader.isEmpty(), true);
      assert.equal(reader.mayHaveNext(), false);
      for (let value = 1; value <= 4; value++) ring.put(value);
      assert.equal(reader.isEmpty(), false);
      for (let value = 1; value <= 4; value++) {
        assert.equal(reader.mayHaveNext() && reader.next(), true);
        assert.equal(firstWordOf(reader), value);
        reader.pass();
      }
      assert.equal(reader.next(), false);
      assert.equal(reader.isEmpty(), true);
      assert.equal(ring.consumed, from);
      reader.release();
      assert.equal(ring.consumed, from + 256n);
    }
  });

  it("stops at a record that is being written, and leaves out one that was given up", () => {
    const ring = new Ring(0n);
    const reader = new RingReader(ring);
    ring.put(1, DISCARDED);
    const late = ring.put(2, BUSY);
    ring.put(3);
    assert.equal(reader.next(), false);
    assert.equal(reader.isEmpty(), false);
    ring.complete(late);
    assert.equal(reader.next(), true);
    assert.equal(firstWordOf(reader), 2);
  });

  it("goes on where an earlier process stopped, which can be counted without reading", () => {
    const ring = new Ring(2n ** 32n - 64n);
    ring.put(1);
    ring.put(2);
    assert.deepEqual([...pendingOf(ring)], [[7, { packets: 2, bytes: 200 }]]);
    const first = new RingReader(ring);
    assert.equal(first.next(), true);
    first.pass();
    first.release();
    const second = new RingReader(ring);
    assert.equal(second.next(), true);
    assert.equal(firstWordOf(second), 2);
  });
});
