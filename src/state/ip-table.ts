import { type Ip, ipFromWords } from "../addr/ip.ts";
import { fmix32 } from "../flow/hash.ts";

const INITIAL_SLOTS = 16;

/**
 * A hash table by IP address for tables that the packet path reads; the sign of the words does not matter. Linear probing
 * at a load of at most one half, no allocation in a look-up. Unbounded: whoever fills it has the limit.
 */
export class IpTable<T> {
  #keys = new Int32Array(4 * INITIAL_SLOTS);
  #values: (T | undefined)[] = new Array<T | undefined>(INITIAL_SLOTS).fill(undefined);
  #mask = INITIAL_SLOTS - 1;
  #size = 0;

  /** Number of entries. */
  get size(): number {
    return this.#size;
  }

  /** The value of an address. */
  get(ip: Ip): T | undefined {
    return this.#values[this.#slotOf(ip)];
  }

  /** Sets the value of an address; undefined removes it. Returns the value before. */
  set(ip: Ip, value: T | undefined): T | undefined {
    const i = this.#slotOf(ip);
    const before = this.#values[i];
    if (value === undefined) {
      if (before !== undefined) this.#removeAt(i);
      return before;
    }
    const keys = this.#keys;
    keys[4 * i] = ip.w0;
    keys[4 * i + 1] = ip.w1;
    keys[4 * i + 2] = ip.w2;
    keys[4 * i + 3] = ip.w3;
    this.#values[i] = value;
    if (before === undefined && 2 * ++this.#size > this.#mask) this.#grow();
    return before;
  }

  /** All entries, in no particular order. The table must not change meanwhile. */
  *entries(): Iterable<readonly [Ip, T]> {
    for (const [i, value] of this.#values.entries()) if (value !== undefined) yield [this.#ipAt(i), value];
  }

  #ipAt(slot: number): Ip {
    const keys = this.#keys;
    const at = 4 * slot;
    return ipFromWords(keys[at] as number, keys[at + 1] as number, [keys[at + 2] as number, keys[at + 3] as number]);
  }

  #slotOf(ip: Ip): number {
    const keys = this.#keys;
    const values = this.#values;
    const mask = this.#mask;
    const w3 = ip.w3 | 0;
    let i = hash(ip) & mask;
    for (; values[i] !== undefined; i = (i + 1) & mask) {
      if (keys[4 * i + 3] !== w3 || keys[4 * i + 2] !== (ip.w2 | 0)) continue;
      if (keys[4 * i + 1] === (ip.w1 | 0) && keys[4 * i] === (ip.w0 | 0)) break;
    }
    return i;
  }

  #removeAt(slot: number): void {
    const mask = this.#mask;
    let hole = slot;
    for (let i = (slot + 1) & mask; this.#values[i] !== undefined; i = (i + 1) & mask) {
      const home = hash(this.#ipAt(i)) & mask;
      // An entry may move back into the hole unless its home lies behind it.
      if (((i - home) & mask) < ((i - hole) & mask)) continue;
      this.#keys.copyWithin(4 * hole, 4 * i, 4 * i + 4);
      this.#values[hole] = this.#values[i];
      hole = i;
    }
    this.#values[hole] = undefined;
    this.#size--;
  }

  #grow(): void {
    const entries = [...this.entries()];
    const slots = 2 * (this.#mask + 1);
    this.#keys = new Int32Array(4 * slots);
    this.#values = new Array<T | undefined>(slots).fill(undefined);
    this.#mask = slots - 1;
    this.#size = 0;
    for (const [ip, value] of entries) this.set(ip, value);
  }
}

function hash(ip: Ip): number {
  const upper = Math.imul(ip.w0, 0x85eb_ca6b) ^ Math.imul(ip.w1, 0xc2b2_ae35) ^ Math.imul(ip.w2, 0x27d4_eb2f);
  return fmix32(upper ^ Math.imul(ip.w3, 0x9e37_79b1));
}
