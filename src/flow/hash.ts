import { CLASS_WORDS, CONTROL_BUCKETS, CONTROL_SECRETS, FRAME_IP4, FRAME_IP6, W0_FRAME_SHIFT } from "./layout.ts";

/** Bits of word 0 that are hashed: all but the class. */
const W0_HASHED = 0x0fff_ffff;
const CLASS_SALT = 0x9e37_79b1;

/** murmur3's finalizer: every input bit reaches every output bit. */
export function fmix32(h: number): number {
  let x = h ^ (h >>> 16);
  x = Math.imul(x, 0x85eb_ca6b);
  x ^= x >>> 13;
  x = Math.imul(x, 0xc2b2_ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/** Upper 32 bits of the product of two u32: maps a hash evenly onto 0..range-1. Exact while range is below 2^21. */
export function mulhi(hash: number, range: number): number {
  return Math.floor((hash * range) / 0x1_0000_0000);
}

/**
 * The hashes of flow keys as `layout.ts` defines them, with the secrets of one control map. The result of `compute` stands
 * in the fields until the next call: nothing is allocated.
 */
export class KeyHash {
  /** Bucket candidates within the shard. */
  bucket1 = 0;
  bucket2 = 0;
  /** Tag of the slot, never 0. */
  tag = 0;
  readonly #control: Uint32Array;

  constructor(control: Uint32Array) {
    this.#control = control;
  }

  /** Hashes the words of class `flowClass` of the key at `offset`. */
  compute(words: Uint32Array, offset: number, flowClass: number): void {
    const control = this.#control;
    const m = control[CONTROL_SECRETS + 2] as number;
    const n = control[CONTROL_SECRETS + 3] as number;
    let a = control[CONTROL_SECRETS] as number;
    let b = control[CONTROL_SECRETS + 1] as number;
    let w = (words[offset] as number) & W0_HASHED;
    const end = offset + (CLASS_WORDS[flowClass] as number);
    for (let i = offset + 1; ; i++) {
      a = Math.imul(a ^ w, m);
      a ^= a >>> 15;
      b = Math.imul(b + w, n);
      b = (b << 13) | (b >>> 19);
      if (i >= end) break;
      w = words[i] as number;
    }
    const h1 = fmix32(a ^ Math.imul(flowClass, CLASS_SALT));
    const h2 = fmix32((b + a) | 0);
    const buckets = control[CONTROL_BUCKETS] as number;
    this.bucket1 = mulhi(h1, buckets);
    this.bucket2 = mulhi(h2, buckets);
    this.tag = (h1 ^ ((h2 << 16) | (h2 >>> 16))) >>> 0 || 1;
  }
}

/** The shard of a packet's key: the same in both directions, and for all fragments that carry no ports. */
export function shardOf(words: Uint32Array, offset: number, control: Uint32Array): number {
  const frameClass = ((words[offset] as number) >>> W0_FRAME_SHIFT) & 3;
  let x = 0;
  if (frameClass === FRAME_IP4 || frameClass === FRAME_IP6) {
    for (let i = 6; i <= 13; i++) x ^= words[offset + i] as number;
    const protocol = (words[offset + 14] as number) & 0xff;
    const l4 = words[offset + 15] as number;
    x ^= protocol === 1 || protocol === 58 ? l4 >>> 16 : (l4 & 0xffff) ^ (l4 >>> 16);
    x ^= protocol;
  } else {
    for (let i = 1; i <= 4; i++) x ^= words[offset + i] as number;
  }
  return fmix32(x ^ (control[CONTROL_SECRETS] as number)) >>> 28;
}
