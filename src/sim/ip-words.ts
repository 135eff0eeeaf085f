import type { Ip } from "../addr/ip.ts";

/** An IP address that changes in place; words as in `addr/ip.ts`, but signed or not: compare by `^`. */
export class IpWords implements Ip {
  w0 = 0;
  w1 = 0;
  w2 = 0;
  w3 = 0;

  /** Copies an address. */
  copy(ip: Ip): this {
    this.w0 = ip.w0 | 0;
    this.w1 = ip.w1 | 0;
    this.w2 = ip.w2 | 0;
    this.w3 = ip.w3 | 0;
    return this;
  }

  /** An unsigned copy that stays as it is. */
  freeze(): Ip {
    return { w0: this.w0 >>> 0, w1: this.w1 >>> 0, w2: this.w2 >>> 0, w3: this.w3 >>> 0 };
  }
}

/** Equality whatever the sign. */
export function equalIp(a: Ip, b: Ip): boolean {
  return ((a.w3 ^ b.w3) | (a.w2 ^ b.w2) | (a.w1 ^ b.w1) | (a.w0 ^ b.w0)) === 0;
}

/** True for IPv4 in its mapped form. */
export function isV4Words(ip: Ip): boolean {
  return ((ip.w2 ^ 0xffff) | ip.w1 | ip.w0) === 0;
}

/** True for :: and 0.0.0.0. */
export function isUnspecified(ip: Ip): boolean {
  return (ip.w3 | ip.w1 | ip.w0) === 0 && (ip.w2 | 0xffff) === 0xffff;
}

/** A prefix prepared for comparison: four words and their masks. */
export class IpMask {
  readonly isV4: boolean;
  readonly #w0: number;
  readonly #w1: number;
  readonly #w2: number;
  readonly #w3: number;
  readonly #m0: number;
  readonly #m1: number;
  readonly #m2: number;
  readonly #m3: number;

  /** `length` in bits of the 128-bit form, as in `addr/prefix.ts`. */
  constructor(ip: Ip, length: number) {
    this.isV4 = isV4Words(ip);
    this.#m0 = maskOf(length);
    this.#m1 = maskOf(length - 32);
    this.#m2 = maskOf(length - 64);
    this.#m3 = maskOf(length - 96);
    this.#w0 = ip.w0 & this.#m0;
    this.#w1 = ip.w1 & this.#m1;
    this.#w2 = ip.w2 & this.#m2;
    this.#w3 = ip.w3 & this.#m3;
  }

  /** True when the address lies in the prefix. IPv4 addresses are in no IPv6 prefix. */
  contains(ip: Ip): boolean {
    if (((ip.w3 & this.#m3) ^ this.#w3) !== 0 || ((ip.w2 & this.#m2) ^ this.#w2) !== 0) return false;
    if (((ip.w1 & this.#m1) ^ this.#w1) !== 0 || ((ip.w0 & this.#m0) ^ this.#w0) !== 0) return false;
    return this.isV4 || !isV4Words(ip);
  }
}

function maskOf(bits: number): number {
  if (bits <= 0) return 0;
  return bits >= 32 ? -1 : ~(0xffff_ffff >>> bits);
}
