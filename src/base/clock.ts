/** A point in time in milliseconds (fractions allowed). Monotonic or wall, as the source says; never mixed. */
export type Instant = number;

/** A span of time in milliseconds. */
export type Duration = number;

/**
 * The only source of time. Cores take `now` as an argument; shells read it here.
 * `now` is monotonic and has an arbitrary origin; `wall` is Unix time and may jump.
 */
export interface Clock {
  now(): Instant;
  wall(): Instant;
}

/**
 * What `performance.now` lacks to CLOCK_MONOTONIC, which eBPF programs and other processes of this machine read too. Whatever comes
 * between the two readings makes it too small, and the first call of either takes a millisecond: the largest of a few is right.
 */
const monotonicOrigin = Math.max(
  ...Array.from({ length: 8 }, () => Number(process.hrtime.bigint()) / 1e6 - performance.now()),
);

/** Taken once: the global of that name is a getter, which is a call at each read of the clock. */
const ticks = performance;

/** The machine's clocks; `now` is CLOCK_MONOTONIC. */
export const systemClock: Clock = {
  now: () => ticks.now() + monotonicOrigin,
  wall: () => Date.now(),
};

/**
 * The kernel's CLOCK_MONOTONIC in nanoseconds, as `bpf_ktime_get_ns` and packet timestamps give it. Only for comparison
 * with those; everything else takes a Clock.
 */
export function kernelNanoseconds(): bigint {
  return process.hrtime.bigint();
}

/** A clock that moves only when told to: tests and weftsim. */
export class ManualClock implements Clock {
  #now: Instant;

  constructor(start: Instant = 0) {
    this.#now = start;
  }

  now(): Instant {
    return this.#now;
  }

  wall(): Instant {
    return this.#now;
  }

  /** Moves time forward by `span`; time never goes back. */
  advance(span: Duration): void {
    if (!(span >= 0)) throw new Error(`a clock cannot go back: advance(${span})`);
    this.#now += span;
  }
}

/** A wall time for people and files: ISO 8601 in UTC, to the millisecond. */
export function isoTime(wall: Instant): string {
  return new Date(wall).toISOString();
}
