import { type Mac, macFrom, macHigh, macLow } from "../addr/mac.ts";
import { fmix32 } from "../flow/hash.ts";

const INITIAL_SLOTS = 16;
const VLAN_SHIFT = 16;

/**
 * A hash table from (VLAN, MAC) to a positive number, for tables that the packet path reads. Linear probing at a load of at
 * most one half; a look-up touches typed arrays only and allocates nothing. Unbounded: whoever fills it has the limit.
 *
 * A key is two words: VLAN (bits 16..27) and MAC bits 32..47 (bits 0..15) in the first, MAC bits 0..31 in the second.
 */
export class MacTable {
  #keys = new Int32Array(2 * INITIAL_SLOTS);
  #values = new Int32Array(INITIAL_SLOTS);
  #mask = INITIAL_SLOTS - 1;
  #size = 0;

  /** Number of entries. */
  get size(): number {
    return this.#size;
  }

  /** The value of a key of two words, or 0. */
  find(vlanAndHigh: number, low: number): number {
    const high = vlanAndHigh | 0;
    const rest = low | 0;
    const keys = this.#keys;
    for (let i = hash(high, rest) & this.#mask; ; i = (i + 1) & this.#mask) {
      const value = this.#values[i] as number;
      if (value === 0 || (keys[2 * i + 1] === rest && keys[2 * i] === high)) return value;
    }
  }

  /** The value of a MAC address in a VLAN (0: none), or 0. */
  get(vlan: number, mac: Mac): number {
    return this.find((vlan << VLAN_SHIFT) | macHigh(mac), macLow(mac));
  }

  /** Sets the value of a key; 0 removes it. Returns the value before. */
  set(vlan: number, mac: Mac, value: number): number {
    const high = (vlan << VLAN_SHIFT) | macHigh(mac);
    const low = macLow(mac) | 0;
    const i = this.#slotOf(high, low);
    const before = this.#values[i] as number;
    if (value === 0) {
      if (before !== 0) this.#removeAt(i);
      return before;
    }
    this.#keys[2 * i] = high;
    this.#keys[2 * i + 1] = low;
    this.#values[i] = value;
    if (before === 0 && 2 * ++this.#size > this.#mask) this.#grow();
    return before;
  }

  /** Calls `visit` with every entry, in no particular order. `visit` must not change the table. */
  forEach(visit: (vlan: number, mac: Mac, value: number) => void): void {
    for (let i = 0; i <= this.#mask; i++) {
      const value = this.#values[i] as number;
      const high = this.#keys[2 * i] as number;
      if (value !== 0) visit(high >>> VLAN_SHIFT, macFrom(high & 0xffff, this.#keys[2 * i + 1] as number), value);
    }
  }

  #slotOf(high: number, low: number): number {
    let i = hash(high, low) & this.#mask;
    while (this.#values[i] !== 0 && (this.#keys[2 * i + 1] !== low || this.#keys[2 * i] !== high))
      i = (i + 1) & this.#mask;
    return i;
  }

  #removeAt(slot: number): void {
    const mask = this.#mask;
    let hole = slot;
    for (let i = (slot + 1) & mask; this.#values[i] !== 0; i = (i + 1) & mask) {
      const home = hash(this.#keys[2 * i] as number, this.#keys[2 * i + 1] as number) & mask;
      // An entry may move back into the hole unless its home lies behind it.
      if (((i - home) & mask) < ((i - hole) & mask)) continue;
      this.#keys.copyWithin(2 * hole, 2 * i, 2 * i + 2);
      this.#values[hole] = this.#values[i] as number;
      hole = i;
    }
    this.#values[hole] = 0;
    this.#size--;
  }

  #grow(): void {
    const keys = this.#keys;
    const values = this.#values;
    const slots = 2 * (this.#mask + 1);
    this.#keys = new Int32Array(2 * slots);
    this.#values = new Int32Array(slots);
    this.#mask = slots - 1;
    for (const [i, value] of values.entries()) {
      if (value === 0) continue;
      const slot = this.#slotOf(keys[2 * i] as number, keys[2 * i + 1] as number);
      this.#keys.set(keys.subarray(2 * i, 2 * i + 2), 2 * slot);
      this.#values[slot] = value;
    }
  }
}

function hash(high: number, low: number): number {
  return fmix32(Math.imul(high, 0x9e37_79b1) ^ low);
}
