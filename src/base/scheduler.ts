import { type Clock, type Duration, type Instant, systemClock } from "./clock.ts";

/** A wait that can be taken back. Cancelling twice, or after it fired, does nothing. */
export interface Timer {
  cancel(): void;
}

/**
 * The only way to wait. Recipes and shells take one; in weftsim it is virtual.
 * Callbacks run one at a time, in order of their time and, at equal times, of their creation.
 */
export interface Scheduler {
  readonly clock: Clock;
  /** Runs `callback` once, `span` from now (at least 0). */
  after(span: Duration, callback: () => void): Timer;
  /** Runs `callback` as soon as the running code has ended. */
  soon(callback: () => void): void;
}

/** Resolves after `span`; rejects with the signal's reason when that fires first. */
export function sleep(scheduler: Scheduler, span: Duration, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(signal.reason);
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = scheduler.after(span, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/** The machine's timers. */
export const systemScheduler: Scheduler = {
  clock: systemClock,
  after(span, callback) {
    const handle = setTimeout(callback, Math.max(0, span));
    return { cancel: () => clearTimeout(handle) };
  },
  soon(callback) {
    setImmediate(callback);
  },
};

interface Entry {
  readonly at: Instant;
  readonly order: number;
  callback: (() => void) | undefined;
}

/** Virtual time: nothing happens until `step` or `runUntil`. The clock moves from event to event. */
export class VirtualScheduler implements Scheduler {
  readonly clock: Clock = { now: () => this.#now, wall: () => this.#now };
  #now: Instant = 0;
  #order = 0;
  readonly #heap: Entry[] = [];

  after(span: Duration, callback: () => void): Timer {
    const entry: Entry = { at: this.#now + Math.max(0, span), order: this.#order++, callback };
    this.#push(entry);
    return {
      cancel: () => {
        entry.callback = undefined;
      },
    };
  }

  soon(callback: () => void): void {
    this.after(0, callback);
  }

  /** The time of the next event, or undefined when nothing waits. */
  nextAt(): Instant | undefined {
    while (this.#heap.length > 0 && this.#heap[0]?.callback === undefined) this.#pop();
    return this.#heap[0]?.at;
  }

  /** Fires the next event and moves time to it. False when nothing waits. */
  step(): boolean {
    const at = this.nextAt();
    if (at === undefined) return false;
    const entry = this.#pop();
    this.#now = Math.max(this.#now, at);
    entry?.callback?.();
    return true;
  }

  /** Moves time to `at` without firing anything later. */
  advanceTo(at: Instant): void {
    this.#now = Math.max(this.#now, at);
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    heap.push(entry);
    for (let i = heap.length - 1; i > 0; ) {
      const parent = (i - 1) >> 1;
      if (!before(entry, heap[parent] as Entry)) break;
      heap[i] = heap[parent] as Entry;
      heap[parent] = entry;
      i = parent;
    }
  }

  #pop(): Entry | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top;
    heap[0] = last;
    for (let i = 0; ; ) {
      const left = 2 * i + 1;
      if (left >= heap.length) break;
      const right = left + 1;
      const child = right < heap.length && before(heap[right] as Entry, heap[left] as Entry) ? right : left;
      if (!before(heap[child] as Entry, last)) break;
      heap[i] = heap[child] as Entry;
      heap[child] = last;
      i = child;
    }
    return top;
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
