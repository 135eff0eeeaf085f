import type { Clock, Duration, Instant } from "../base/clock.ts";

/**
 * The two clocks of one simulated host. The monotonic one has an origin of its own and may run a little fast or slow; the wall
 * clock may be wrong by any amount and step. Real time is the cloud's.
 */
export class HostClock implements Clock {
  readonly #real: Clock;
  #realOrigin: Instant;
  #origin: Instant;
  #rate = 1;
  #wallError: Duration = 0;

  /** `origin`: what the monotonic clock shows now. */
  constructor(real: Clock, origin: Instant) {
    this.#real = real;
    this.#realOrigin = real.now();
    this.#origin = origin;
  }

  now(): Instant {
    return this.#origin + (this.#real.now() - this.#realOrigin) * this.#rate;
  }

  wall(): Instant {
    return this.#real.wall() + this.#wallError;
  }

  /** From now on a second of this clock lasts 1 / (1 + drift) real ones. Crystals: at most 200e-6, bad virtual machines 1e-3. */
  setDrift(drift: number): void {
    this.#origin = this.now();
    this.#realOrigin = this.#real.now();
    this.#rate = 1 + drift;
  }

  /** The wall clock is wrong by `error` from now on. */
  setWallError(error: Duration): void {
    this.#wallError = error;
  }

  /** Real time that passes while this clock passes `span`. */
  realSpan(span: Duration): Duration {
    return span / this.#rate;
  }
}
