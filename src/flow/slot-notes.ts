/**
 * What the agent notes of each slot of a flow table, beside the words that the datapath reads: one record a slot, 32 bytes, so that
 * all of it lies in one cache line. A table holds more flows than a cache, and each flow that is set up evicts one that nobody has
 * looked at for a while: eight arrays would be eight misses.
 *
 * Records belong to those who keep their lists in them (`TagIndex`, `ExpiryWheel`, the agent's flow book). A record's number is its
 * slot's and one, and everything in it counts from one: `NOTE_NONE`, "none", is what fresh memory holds, so that memory of slots that
 * never had a flow is never touched.
 */
export class SlotNotes {
  readonly slots: number;
  /** Record of slot `s` at `noteOf(s)`. */
  readonly words: Int32Array;

  constructor(slots: number) {
    this.slots = slots;
    this.words = new Int32Array((slots + 1) * NOTE_WORDS);
  }
}

/** Index of the first word of a slot's record. */
export function noteOf(slot: number): number {
  return (slot + 1) * NOTE_WORDS;
}

/** Words of a record; a power of two. */
export const NOTE_WORDS = 8;
/** No record, no set, no bucket. */
export const NOTE_NONE = 0;
/** Word: the tag set of the flow. */
export const NOTE_TAG_SET = 0;
/** Words: the records of the next and the previous flow of that set. */
export const NOTE_TAG_NEXT = 1;
/** See `NOTE_TAG_NEXT`. */
export const NOTE_TAG_PREVIOUS = 2;
/** Words: the records of the next and the previous flow that expires at the same time. */
export const NOTE_WHEEL_NEXT = 3;
/** See `NOTE_WHEEL_NEXT`. */
export const NOTE_WHEEL_PREVIOUS = 4;
/** Word: the bucket of the wheel, and one. */
export const NOTE_WHEEL_BUCKET = 5;
/** Word of the flow book: when the flow was installed or its time renewed, coarse monotonic ms. */
export const NOTE_ARMED_AT = 6;
/** Word of the flow book: whether the flow waits to be simulated again, and whether it forwards meanwhile. 0 at first: it does not wait. */
export const NOTE_STATE = 7;
