import type { Duration } from "../base/clock.ts";
import { type Scheduler, sleep } from "../base/scheduler.ts";
import { POLL_EVERY_MS } from "./limits.ts";

/** How to wait for a condition. */
export interface UntilOptions {
  readonly scheduler: Scheduler;
  readonly withinMs: Duration;
  readonly everyMs?: Duration;
  /** Ends the wait, as if the time were over. */
  readonly signal?: AbortSignal;
}

/** Asks until there is an answer, and gives it; undefined when the time is over first. */
export async function until<T>(
  options: UntilOptions,
  ask: () => T | undefined | Promise<T | undefined>,
): Promise<T | undefined> {
  const { scheduler, withinMs, everyMs = POLL_EVERY_MS, signal } = options;
  const end = scheduler.clock.now() + withinMs;
  while (signal?.aborted !== true) {
    const answer = await ask();
    if (answer !== undefined || scheduler.clock.now() >= end) return answer;
    await sleep(scheduler, everyMs);
  }
  return undefined;
}
