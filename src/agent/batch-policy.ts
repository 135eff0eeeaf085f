import type { Duration, Instant } from "../base/clock.ts";
import {
  BATCH_BARRED_MS,
  BATCH_FROM_RATE,
  BATCH_KEEP_RATE,
  BATCH_WAIT_MS,
  BATCH_WELL_FACTOR,
  BATCH_WINDOW_MS,
} from "./limits.ts";

/** What the policy asks for: that a wake-up of the worker takes the processor from nobody (SCHED_BATCH), or that it may again. */
export interface BatchRequest {
  begin(): void;
  end(): void;
}

/** What is told of it: each beginning, and each time that it was ruled out for a while. */
export interface BatchEvents {
  onBegin(): void;
  onBar(): void;
}

/** What a worker saw in a turn. */
export interface TurnSeen {
  /** Upcalls that it has taken since it began. */
  readonly upcalls: number;
  /** How long the oldest upcall had waited for the worker to run, when that had slept; 0 when it had not. */
  readonly waited: Duration;
}

/**
 * Chooses how a worker's wake-ups are scheduled. A thread that is woken takes the processor from whoever woke it: right for a packet that
 * comes alone. When new flows come fast it is a waste: the worker handles one upcall with cold caches, sleeps, and is woken by the next
 * thing that its sender does; in batches it runs when the sender pauses, and finds several. Where others compute all the time nobody
 * pauses, and an upcall would wait for the end of a slice: one that waited too long ends it, and rules it out for a while.
 */
export class BatchPolicy {
  readonly #request: BatchRequest;
  readonly #events: BatchEvents;
  #isBatch = false;
  #windowAt: Instant = Number.NEGATIVE_INFINITY;
  #upcallsAt = 0;
  #barredUntil: Instant = Number.NEGATIVE_INFINITY;
  #barred: Duration = 0;
  #batchAt: Instant = 0;

  constructor(request: BatchRequest, events: BatchEvents) {
    this.#request = request;
    this.#events = events;
  }

  /** A turn of the worker is done, or time has passed. */
  turn(now: Instant, { upcalls, waited }: TurnSeen): void {
    if (this.#isBatch && waited > BATCH_WAIT_MS) this.#bar(now);
    const span = now - this.#windowAt;
    if (span < BATCH_WINDOW_MS) return;
    const rate = (upcalls - this.#upcallsAt) / span;
    this.#windowAt = now;
    this.#upcallsAt = upcalls;
    if (this.#isBatch && rate < BATCH_KEEP_RATE) this.#end();
    else if (!this.#isBatch && rate >= BATCH_FROM_RATE && now >= this.#barredUntil) this.#begin(now);
  }

  /** When `turn` is due, if nothing comes, so that the next upcall is not met by a policy for many; for ever when it would change nothing. */
  get endsAt(): Instant {
    return this.#isBatch ? this.#windowAt + BATCH_WINDOW_MS : Number.POSITIVE_INFINITY;
  }

  #begin(now: Instant): void {
    this.#isBatch = true;
    this.#batchAt = now;
    this.#request.begin();
    this.#events.onBegin();
  }

  #end(): void {
    this.#isBatch = false;
    this.#request.end();
  }

  #bar(now: Instant): void {
    const { least, most } = BATCH_BARRED_MS;
    const wentWell = now - this.#batchAt >= this.#barred * BATCH_WELL_FACTOR;
    this.#barred = wentWell ? least : Math.min(2 * this.#barred, most);
    this.#barredUntil = now + this.#barred;
    this.#end();
    this.#events.onBar();
  }
}
