import type { Duration } from "../base/clock.ts";

/** Times of the neighbor resolver. All can be configured. */
export interface NeighborSettings {
  /** Age at which an entry is asked for again when somebody needs it. */
  readonly staleMs: Duration;
  /** Largest share of `staleMs` that a resolver adds; one draw per resolver, so that resolvers ask at different times. */
  readonly staleJitter: number;
  /** Age at which the writer of an entry removes it. */
  readonly expiryMs: Duration;
  /** Base of the time between two requests of a loop. */
  readonly retryMs: Duration;
  /** Life of a loop. */
  readonly giveUpMs: Duration;
}

/** Stale after half an hour and up to six minutes, gone after an hour; a request each ten seconds for a minute. */
export const NEIGHBOR_DEFAULTS: NeighborSettings = {
  staleMs: 30 * 60_000,
  staleJitter: 0.2,
  expiryMs: 60 * 60_000,
  retryMs: 10_000,
  giveUpMs: 60_000,
};

/** Band of the factor by which a loop stretches its retry time, drawn once a loop. */
export const RETRY_FACTOR = { min: 0.75, max: 1.25 } as const;

/** What each further retry of a loop adds to the factor. */
export const RETRY_FACTOR_STEP = 0.1;
