import {
  NOTE_NONE,
  NOTE_WHEEL_BUCKET,
  NOTE_WHEEL_NEXT,
  NOTE_WHEEL_PREVIOUS,
  NOTE_WORDS,
  noteOf,
  type SlotNotes,
} from "./slot-notes.ts";

/** Buckets of a wheel; a power of two above the longest life in ticks. */
const BUCKETS = 512;

/**
 * Hard expiry for slots 0..n-1: arming, disarming and expiring cost the same however many flows there are.
 * Time is counted in ticks (one second in the agent); a slot has at most one expiry.
 */
export class ExpiryWheel {
  readonly #notes: Int32Array;
  /** Record of the first slot of each bucket. */
  readonly #heads = new Int32Array(BUCKETS);
  #tick: number;

  constructor(notes: SlotNotes, tick: number) {
    this.#notes = notes.words;
    this.#tick = tick;
  }

  /** Sets the expiry of a slot to `ticks` (1..511) after the wheel's present tick, replacing an earlier one. */
  arm(slot: number, ticks: number): void {
    this.disarm(slot);
    const notes = this.#notes;
    const at = noteOf(slot);
    const bucket = (this.#tick + Math.min(Math.max(1, ticks), BUCKETS - 1)) & (BUCKETS - 1);
    const head = this.#heads[bucket] as number;
    notes[at + NOTE_WHEEL_NEXT] = head;
    notes[at + NOTE_WHEEL_PREVIOUS] = NOTE_NONE;
    if (head !== NOTE_NONE) notes[head * NOTE_WORDS + NOTE_WHEEL_PREVIOUS] = slot + 1;
    this.#heads[bucket] = slot + 1;
    notes[at + NOTE_WHEEL_BUCKET] = bucket + 1;
  }

  /** True when the slot expires at most `ticks` after the wheel's present tick. */
  expiresWithin(slot: number, ticks: number): boolean {
    const bucket = this.#notes[noteOf(slot) + NOTE_WHEEL_BUCKET] as number;
    return bucket !== NOTE_NONE && ((bucket - 1 - this.#tick) & (BUCKETS - 1)) <= ticks;
  }

  /** Takes the expiry of a slot back; nothing happens when it has none. */
  disarm(slot: number): void {
    const notes = this.#notes;
    const at = noteOf(slot);
    const bucket = notes[at + NOTE_WHEEL_BUCKET] as number;
    if (bucket === NOTE_NONE) return;
    const next = notes[at + NOTE_WHEEL_NEXT] as number;
    const previous = notes[at + NOTE_WHEEL_PREVIOUS] as number;
    if (previous === NOTE_NONE) this.#heads[bucket - 1] = next;
    else notes[previous * NOTE_WORDS + NOTE_WHEEL_NEXT] = next;
    if (next !== NOTE_NONE) notes[next * NOTE_WORDS + NOTE_WHEEL_PREVIOUS] = previous;
    notes[at + NOTE_WHEEL_BUCKET] = NOTE_NONE;
  }

  /**
   * Moves towards `tick` and returns the next expired slot, disarmed, or -1 when none is left up to there.
   * Call until it returns -1; a caller that stops earlier goes on where it was.
   */
  next(tick: number): number {
    for (;;) {
      const head = this.#heads[this.#tick & (BUCKETS - 1)] as number;
      if (head !== NOTE_NONE) {
        this.disarm(head - 1);
        return head - 1;
      }
      if (this.#tick >= tick) return -1;
      this.#tick++;
    }
  }
}
