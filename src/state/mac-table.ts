import { type Mac, macFrom, macHigh, macLow } from "../addr/mac.ts";
import { fmix32 } from "../flow/hash.ts";

const INITIAL_SLOTS = 16;
const VLAN_SHIFT = 16;
/** Words of a slot: the two of the key, and the value (0: free). */
const SLOT_WORDS = 3;
const VALUE = 2;

/**
 * A hash table from (VLAN, MAC) to a positive number, for tables that the packet path reads. Linear probing at a load of at
 * most one half; a look-up touches typed arrays only and allocates nothing. Unbounded: whoever fills it has the limit.
 *
 * A key is two words: VLAN (bits 16..27) and MAC bits 32..47 (bits 0..15) in the first, MAC bits 0..31 in the second.
 */
export class MacTable {
  // One array: a look-up by a packet that comes alone fetches one line of it, and the array's own description once.
  #slots = new Int32Array(SLOT_WORDS * INITIAL_SLOTS);
  #mask = INITIAL_SLOTS - 1;
  #size = 0;

  /** Number of entries. */
  get size(): number {
    return this.#size;
  }

  /** The value of a key of two words, or 0. */
  find(vlanAndHigh: number, low: number): number {
    // Most bridges have no linked router: their table of those is not looked into.
    if (this.#size === 0) return 0;
    const high = vlanAndHigh | 0;
    const rest = low | 0;
    const slots = this.#slots;
    for (let i = hash(high, rest) & this.#mask; ; i = (i + 1) & this.#mask) {
      const at = SLOT_WORDS * i;
      const value = slots[at + VALUE] as number;
      if (value === 0 || (slots[at + 1] === rest && slots[at] === high)) return value;
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
    const slots = this.#slots;
    const at = SLOT_WORDS * i;
    const before = slots[at + VALUE] as number;
    if (value === 0) {
      if (before !== 0) this.#removeAt(i);
      return before;
    }
    slots[at] = high;
    slots[at + 1] = low;
    slots[at + VALUE] = value;
    if (before === 0 && 2 * ++this.#size > this.#mask) this.#grow();
    return before;
  }

  /** Calls `visit` with every entry, in no particular order. `visit` must not change the table. */
  forEach(visit: (vlan: number, mac: Mac, value: number) => void): void {
    const slots = this.#slots;
    for (let at = 0; at < slots.length; at += SLOT_WORDS) {
      const value = slots[at + VALUE] as number;
      const high = slots[at] as number;
      if (value !== 0) visit(high >>> VLAN_SHIFT, macFrom(high & 0xffff, slots[at + 1] as number), value);
    }
  }

  #slotOf(high: number, low: number): number {
    const slots = this.#slots;
    for (let i = hash(high, low) & this.#mask; ; i = (i + 1) & this.#mask) {
      const at = SLOT_WORDS * i;
      if (slots[at + VALUE] === 0 || (slots[at + 1] === low && slots[at] === high)) return i;
    }
  }

  #removeAt(slot: number): void {
    const mask = this.#mask;
    const slots = this.#slots;
    let hole = slot;
    for (let i = (slot + 1) & mask; slots[SLOT_WORDS * i + VALUE] !== 0; i = (i + 1) & mask) {
      const at = SLOT_WORDS * i;
      const home = hash(slots[at] as number, slots[at + 1] as number) & mask;
      // An entry may move back into the hole unless its home lies behind it.
      if (((i - home) & mask) < ((i - hole) & mask)) continue;
      slots.copyWithin(SLOT_WORDS * hole, at, at + SLOT_WORDS);
      hole = i;
    }
    slots[SLOT_WORDS * hole + VALUE] = 0;
    this.#size--;
  }

  #grow(): void {
    const before = this.#slots;
    const count = 2 * (this.#mask + 1);
    this.#slots = new Int32Array(SLOT_WORDS * count);
    this.#mask = count - 1;
    for (let at = 0; at < before.length; at += SLOT_WORDS) {
      if (before[at + VALUE] === 0) continue;
      const slot = this.#slotOf(before[at] as number, before[at + 1] as number);
      this.#slots.set(before.subarray(at, at + SLOT_WORDS), SLOT_WORDS * slot);
    }
  }
}

function hash(high: number, low: number): number {
  return fmix32(Math.imul(high, 0x9e37_79b1) ^ low);
}
