/** Buckets of a wheel; a power of two above the longest life in ticks. */
const BUCKETS = 512;
const NONE = -1;

/**
 * Hard expiry for slots 0..n-1: arming, disarming and expiring cost the same however many flows there are.
 * Time is counted in ticks (one second in the agent); a slot has at most one expiry.
 */
export class ExpiryWheel {
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #bucketOf: Int16Array;
  readonly #heads = new Int32Array(BUCKETS).fill(NONE);
  #tick: number;

  constructor(slots: number, tick: number) {
    this.#next = new Int32Array(slots).fill(NONE);
    this.#previous = new Int32Array(slots).fill(NONE);
    this.#bucketOf = new Int16Array(slots).fill(NONE);
    this.#tick = tick;
  }

  /** Sets the expiry of a slot to `ticks` (1..511) after the wheel's present tick, replacing an earlier one. */
  arm(slot: number, ticks: number): void {
    this.disarm(slot);
    const bucket = (this.#tick + Math.min(Math.max(1, ticks), BUCKETS - 1)) & (BUCKETS - 1);
    const head = this.#heads[bucket] as number;
    this.#next[slot] = head;
    this.#previous[slot] = NONE;
    if (head !== NONE) this.#previous[head] = slot;
    this.#heads[bucket] = slot;
    this.#bucketOf[slot] = bucket;
  }

  /** Takes the expiry of a slot back; nothing happens when it has none. */
  disarm(slot: number): void {
    const bucket = this.#bucketOf[slot] as number;
    if (bucket === NONE) return;
    const next = this.#next[slot] as number;
    const previous = this.#previous[slot] as number;
    if (previous === NONE) this.#heads[bucket] = next;
    else this.#next[previous] = next;
    if (next !== NONE) this.#previous[next] = previous;
    this.#bucketOf[slot] = NONE;
  }

  /**
   * Moves towards `tick` and returns the next expired slot, disarmed, or -1 when none is left up to there.
   * Call until it returns -1; a caller that stops earlier goes on where it was.
   */
  next(tick: number): number {
    for (;;) {
      const head = this.#heads[this.#tick & (BUCKETS - 1)] as number;
      if (head !== NONE) {
        this.disarm(head);
        return head;
      }
      if (this.#tick >= tick) return NONE;
      this.#tick++;
    }
  }
}
