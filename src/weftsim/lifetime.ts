import type { Clock, Duration } from "../base/clock.ts";
import type { Scheduler, Timer } from "../base/scheduler.ts";

/**
 * The waits of one simulated process. After `end` none of them fires any more, as in a process that was killed: what it had
 * in mind is lost.
 */
export class Lifetime implements Scheduler {
  readonly clock: Clock;
  readonly #scheduler: Scheduler;
  #isOver = false;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
    this.clock = scheduler.clock;
  }

  /** True after `end`. */
  get isOver(): boolean {
    return this.#isOver;
  }

  after(span: Duration, callback: () => void): Timer {
    return this.#scheduler.after(span, () => this.#fire(callback));
  }

  soon(callback: () => void): void {
    this.#scheduler.soon(() => this.#fire(callback));
  }

  /** Nothing happens in this process any more. */
  end(): void {
    this.#isOver = true;
  }

  #fire(callback: () => void): void {
    if (!this.#isOver) callback();
  }
}
