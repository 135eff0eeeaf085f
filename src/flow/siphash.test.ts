import assert from "node:assert/strict";
import { test } from "node:test";
import { sipHash24 } from "./siphash.ts";

/** `vectors_sip64` of the authors' reference implementation for 0 and 8 bytes: key and input are 00 01 02 ... */
const VECTORS: readonly (readonly [bytes: number, low: number, high: number])[] = [
  [0, 0xdd0e_0e31, 0x726f_db47],
  [8, 0x9a93_2462, 0x93f5_f579],
];
const KEY = new Uint32Array(Uint8Array.from({ length: 16 }, (_, i) => i).buffer);
const INPUT = new Uint32Array(Uint8Array.from({ length: 32 }, (_, i) => i).buffer);

/** The same function over 64-bit integers, word by word as in the paper. */
function plain(key: Uint32Array, words: Uint32Array): bigint {
  const word = (from: Uint32Array, i: number): bigint =>
    BigInt(from[2 * i] ?? 0) | (BigInt(from[2 * i + 1] ?? 0) << 32n);
  const turn = (x: bigint, bits: bigint): bigint => BigInt.asUintN(64, (x << bits) | (x >> (64n - bits)));
  const add = (a: bigint, b: bigint): bigint => BigInt.asUintN(64, a + b);
  const [k0, k1] = [word(key, 0), word(key, 1)];
  let [a, b] = [k0 ^ 0x736f6d6570736575n, k1 ^ 0x646f72616e646f6dn];
  let [c, d] = [k0 ^ 0x6c7967656e657261n, k1 ^ 0x7465646279746573n];
  const round = (): void => {
    [a, c] = [add(a, b), add(c, d)];
    [b, d] = [turn(b, 13n) ^ a, turn(d, 16n) ^ c];
    a = turn(a, 32n);
    [c, a] = [add(c, b), add(a, d)];
    [b, d] = [turn(b, 17n) ^ c, turn(d, 21n) ^ a];
    c = turn(c, 32n);
  };
  for (let i = 0; i <= words.length / 2; i++) {
    const m = i < words.length / 2 ? word(words, i) : BigInt(words.length * 4) << 56n;
    d ^= m;
    round();
    round();
    a ^= m;
  }
  c ^= 0xffn;
  for (let i = 0; i < 4; i++) round();
  return a ^ b ^ c ^ d;
}

test("it gives the published vectors", () => {
  for (const [bytes, low, high] of VECTORS) {
    assert.deepEqual(sipHash24(KEY, INPUT, { from: 0, to: bytes / 4 }), [low, high], `${bytes} bytes`);
  }
});

test("it is what 64-bit integers give, for any key and text", () => {
  let seed = 1;
  const random = (): number => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return (seed ^ (seed >>> 13)) >>> 0;
  };
  for (let n = 0; n < 500; n++) {
    const key = Uint32Array.from({ length: 4 }, random);
    const words = Uint32Array.from({ length: 2 * (n % 6) }, random);
    const [low, high] = sipHash24(key, words, { from: 0, to: words.length });
    assert.equal(BigInt(low) | (BigInt(high) << 32n), plain(key, words));
  }
});
