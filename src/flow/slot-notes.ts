/**
 * What the agent notes of each slot of a flow table, beside the words that the datapath reads: one record a slot, 32 bytes, so that
 * all of it lies in one cache line. A table holds more flows than a cache, and each flow that is set up evicts one that nobody has
 * looked at for a while: eight arrays would be eight misses.
 *
 * Records belong to those who keep their lists in them (`TagIndex`, `ExpiryWheel`, the agent's flow book). `NOTE_NONE` is "none".
 */
export class SlotNotes {
  readonly slots: number;
  /** Record of slot `s` at `s * NOTE_WORDS`. */
  readonly words: Int32Array;

  constructor(slots: number) {
    this.slots = slots;
    this.words = new Int32Array(slots * NOTE_WORDS).fill(NOTE_NONE);
    for (let at = NOTE_STATE; at < this.words.length; at += NOTE_WORDS) this.words[at] = 0;
  }
}

/** Words of a record; a power of two. */
export const NOTE_WORDS = 8;
/** No slot, no set, no bucket. */
export const NOTE_NONE = -1;
/** Word: the tag set of the flow. */
export const NOTE_TAG_SET = 0;
/** Words: the next and the previous flow of that set. */
export const NOTE_TAG_NEXT = 1;
/** See `NOTE_TAG_NEXT`. */
export const NOTE_TAG_PREVIOUS = 2;
/** Words: the next and the previous flow that expires at the same time. */
export const NOTE_WHEEL_NEXT = 3;
/** See `NOTE_WHEEL_NEXT`. */
export const NOTE_WHEEL_PREVIOUS = 4;
/** Word: the bucket of the wheel. */
export const NOTE_WHEEL_BUCKET = 5;
/** Word of the flow book: when the flow was installed or its time renewed, coarse monotonic ms. */
export const NOTE_ARMED_AT = 6;
/** Word of the flow book: whether the flow waits to be simulated again, and whether it forwards meanwhile. 0 at first: it does not wait. */
export const NOTE_STATE = 7;
