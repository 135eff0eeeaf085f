import type { Duration, Instant } from "../../base/clock.ts";
import type { Scheduler, Timer } from "../../base/scheduler.ts";

/** What a channel is made of. `delay` is asked once a message; order is kept whatever it says. */
export interface ChannelOptions<T> {
  readonly scheduler: Scheduler;
  delay(): Duration;
  deliver(message: T): void;
}

/** One direction of a simulated connection: first in first out, late by a delay, silent once cut. */
export class Channel<T> {
  readonly #options: ChannelOptions<T>;
  readonly #messages: { readonly at: Instant; readonly message: T }[] = [];
  #lastAt: Instant = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;
  #isCut = false;

  constructor(options: ChannelOptions<T>) {
    this.#options = options;
  }

  /** Sends a message; nothing happens on a channel that was cut. */
  push(message: T): void {
    if (this.#isCut) return;
    const at = Math.max(this.#lastAt, this.#options.scheduler.clock.now() + this.#options.delay());
    this.#lastAt = at;
    this.#messages.push({ at, message });
    if (this.#timer === undefined) this.#arm(at);
  }

  /** Nothing is on its way. */
  get isEmpty(): boolean {
    return this.#messages.length === 0;
  }

  /** Loses what is on its way and everything after it. */
  cut(): void {
    this.#isCut = true;
    this.#messages.length = 0;
    this.#timer?.cancel();
  }

  #arm(at: Instant): void {
    const { scheduler } = this.#options;
    const span = at - scheduler.clock.now();
    if (span > 0) this.#timer = scheduler.after(span, () => this.#fire());
    else {
      this.#timer = { cancel: () => undefined };
      scheduler.soon(() => this.#fire());
    }
  }

  #fire(): void {
    this.#timer = undefined;
    const now = this.#options.scheduler.clock.now();
    while (!this.#isCut && (this.#messages[0]?.at ?? Number.POSITIVE_INFINITY) <= now) {
      const first = this.#messages.shift();
      if (first !== undefined) this.#options.deliver(first.message);
    }
    const next = this.#messages[0];
    if (next !== undefined && this.#timer === undefined) this.#arm(next.at);
  }
}
