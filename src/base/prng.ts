/**
 * Seeded pseudo-random numbers (sfc32, Chris Doty-Humphrey's PractRand family). Deterministic for a seed, not for secrets:
 * keys and tokens come from the operating system.
 */
export class Prng {
  #a: number;
  #b: number;
  #c: number;
  #counter: number;

  constructor(seed: number) {
    this.#a = seed | 0;
    this.#b = 0x9e3779b9 | 0;
    this.#c = 0x243f6a88;
    this.#counter = 1;
    for (let i = 0; i < 12; i++) this.u32();
  }

  /** The next 32 bits. */
  u32(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** Uniform in [0, 1). */
  float(): number {
    return this.u32() / 0x1_0000_0000;
  }

  /** A uniform integer in [0, bound); bound is a positive integer up to 2^32. */
  below(bound: number): number {
    return Math.floor(this.float() * bound);
  }

  /** A uniform element of a list that is not empty. */
  pick<T>(list: readonly T[]): T {
    const item = list[this.below(list.length)];
    if (item === undefined) throw new Error("pick from an empty list");
    return item;
  }

  /** An independent generator, so that adding a consumer does not shift the numbers of the others. */
  fork(): Prng {
    return new Prng(this.u32());
  }
}
