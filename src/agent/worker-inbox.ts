import type { Duration } from "../base/clock.ts";
import { loadOrdered } from "../base/ordered.ts";
import type { ToWorker } from "./core/messages.ts";

/** What control sends to a worker thread: messages, or the word that ends it. */
export type Mail = readonly ToWorker[] | "close";

const POSTED = 0;
const WAITING = 1;

/** The memory that both ends of a worker's mail share: two flags. */
export function mailFlags(): Uint32Array {
  return new Uint32Array(new SharedArrayBuffer(8));
}

/** Control's end of the mail of one worker thread. */
export class WorkerMail {
  readonly #flags: Uint32Array;
  readonly #post: (mail: Mail) => void;
  readonly #wake: () => void;

  /** `wake` ends the worker's present wait. */
  constructor(flags: Uint32Array, ends: { post(mail: Mail): void; wake(): void }) {
    this.#flags = flags;
    this.#post = (mail) => ends.post(mail);
    this.#wake = () => ends.wake();
  }

  /** Posts mail: the worker takes it before the next batch that it simulates. */
  post(mail: Mail): void {
    this.#post(mail);
    Atomics.store(this.#flags, POSTED, 1);
    if (Atomics.load(this.#flags, WAITING) === 1) this.#wake();
  }
}

/**
 * The worker's end. Asking a port for messages costs a microsecond, so a flag says when to: it is set after the message was posted,
 * and whoever waits says so before looking at it, so that no mail waits for the next frame.
 */
export class WorkerInbox {
  readonly #flags: Uint32Array;
  readonly #take: () => Mail | undefined;

  /** `take` gives the next message that waits in the port, without going back to the event loop. */
  constructor(flags: Uint32Array, take: () => Mail | undefined) {
    this.#flags = flags;
    this.#take = take;
  }

  /** Everything that was posted before this, in order; `close` ends the list. */
  take(): readonly (ToWorker | "close")[] {
    if (loadOrdered(this.#flags, POSTED) === 0) return none;
    Atomics.store(this.#flags, POSTED, 0);
    const taken: (ToWorker | "close")[] = [];
    for (let mail = this.#take(); mail !== undefined; mail = this.#take()) {
      if (mail === "close") return [...taken, "close"];
      taken.push(...mail);
    }
    return taken;
  }

  /** Waits by `wait`, at most `span` milliseconds, unless mail is there already; its answer, or false. */
  waitBy(wait: (span: Duration) => boolean, span: Duration): boolean {
    Atomics.store(this.#flags, WAITING, 1);
    const answer = loadOrdered(this.#flags, POSTED) === 0 && wait(span);
    // Who still sees the old value wakes somebody who is awake: no fence needed.
    this.#flags[WAITING] = 0;
    return answer;
  }
}

const none: readonly ToWorker[] = [];
