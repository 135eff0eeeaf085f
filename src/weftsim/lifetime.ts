import type { Clock, Duration } from "../base/clock.ts";
import type { Scheduler, Timer } from "../base/scheduler.ts";
import type { ClientProcess } from "../store/memory/memory-link.ts";
import type { HostClock } from "./host-clock.ts";

/**
 * The waits of one simulated process, by its host's clock. While it stands still (a long garbage collection, a stopped machine)
 * no timer fires and nothing from outside reaches it; what came meanwhile comes at once, in order, when it wakes. After `end`
 * nothing happens in it any more, as in a process that was killed: what it had in mind is lost.
 */
export class Lifetime implements Scheduler, ClientProcess {
  readonly clock: Clock;
  readonly #scheduler: Scheduler;
  readonly #hostClock: HostClock | undefined;
  readonly #endings: (() => void)[] = [];
  #kept: (() => void)[] = [];
  #isPaused = false;
  #isOver = false;

  constructor(scheduler: Scheduler, hostClock?: HostClock) {
    this.#scheduler = scheduler;
    this.#hostClock = hostClock;
    this.clock = hostClock ?? scheduler.clock;
  }

  /** Its own scheduler. */
  get scheduler(): Scheduler {
    return this;
  }

  /** True after `end`. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** True between `pause` and `wake`. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  after(span: Duration, callback: () => void): Timer {
    let isCancelled = false;
    const fire = (): void => {
      if (!isCancelled) callback();
    };
    const real = this.#hostClock === undefined ? span : this.#hostClock.realSpan(Math.max(0, span)) + ROUNDING_MS;
    const timer = this.#scheduler.after(real, () => this.run(fire));
    return {
      cancel: () => {
        isCancelled = true;
        timer.cancel();
      },
    };
  }

  soon(callback: () => void): void {
    this.#scheduler.soon(() => this.run(callback));
  }

  /** Runs what came from outside: now, or when it wakes, or never. */
  run(callback: () => void): void {
    if (this.#isOver) return;
    if (this.#isPaused || this.#kept.length > 0) this.#kept.push(callback);
    else callback();
  }

  /** Stands still until `wake`. */
  pause(): void {
    this.#isPaused = true;
  }

  /** Goes on as if nothing had happened. */
  wake(): void {
    this.#isPaused = false;
    while (!this.#isPaused && !this.#isOver) {
      const next = this.#kept[0];
      if (next === undefined) return;
      next();
      this.#kept.shift();
    }
  }

  /** Calls back at `end`. */
  onEnd(callback: () => void): void {
    this.#endings.push(callback);
  }

  /** Nothing happens in this process any more. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#kept = [];
    for (const ending of this.#endings.splice(0)) ending();
  }
}

/** More than two clocks can differ by rounding: a timer never fires before its own clock shows the time. */
const ROUNDING_MS: Duration = 1e-5;
