import {
  NOTE_NONE,
  NOTE_WHEEL_BUCKET,
  NOTE_WHEEL_NEXT,
  NOTE_WHEEL_PREVIOUS,
  NOTE_WORDS,
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
  readonly #heads = new Int32Array(BUCKETS).fill(NOTE_NONE);
  #tick: number;

  constructor(notes: SlotNotes, tick: number) {
    this.#notes = notes.words;
    this.#tick = tick;
  }

  /** Sets the expiry of a slot to `ticks` (1..511) after the wheel's present tick, replacing an earlier one. */
  arm(slot: number, ticks: number): void {
    this.disarm(slot);
    const notes = this.#notes;
    const at = slot * NOTE_WORDS;
    const bucket = (this.#tick + Math.min(Math.max(1, ticks), BUCKETS - 1)) & (BUCKETS - 1);
    const head = this.#heads[bucket] as number;
    notes[at + NOTE_WHEEL_NEXT] = head;
    notes[at + NOTE_WHEEL_PREVIOUS] = NOTE_NONE;
    if (head !== NOTE_NONE) notes[head * NOTE_WORDS + NOTE_WHEEL_PREVIOUS] = slot;
    this.#heads[bucket] = slot;
    notes[at + NOTE_WHEEL_BUCKET] = bucket;
  }

  /** True when the slot expires at most `ticks` after the wheel's present tick. */
  expiresWithin(slot: number, ticks: number): boolean {
    const bucket = this.#notes[slot * NOTE_WORDS + NOTE_WHEEL_BUCKET] as number;
    return bucket !== NOTE_NONE && ((bucket - this.#tick) & (BUCKETS - 1)) <= ticks;
  }

  /** Takes the expiry of a slot back; nothing happens when it has none. */
  disarm(slot: number): void {
    const notes = this.#notes;
    const at = slot * NOTE_WORDS;
    const bucket = notes[at + NOTE_WHEEL_BUCKET] as number;
    if (bucket === NOTE_NONE) return;
    const next = notes[at + NOTE_WHEEL_NEXT] as number;
    const previous = notes[at + NOTE_WHEEL_PREVIOUS] as number;
    if (previous === NOTE_NONE) this.#heads[bucket] = next;
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
        this.disarm(head);
        return head;
      }
      if (this.#tick >= tick) return NOTE_NONE;
      this.#tick++;
    }
  }
}
