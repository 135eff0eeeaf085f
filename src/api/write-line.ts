import { type ApiError, apiError } from "../api-schema/errors.ts";
import { err, type Result } from "../base/result.ts";
import { CHANGES_WAITING_MAX } from "./limits.ts";

/**
 * Changes one after another. Two changes of the same objects at once would make the store refuse one of them; between servers
 * that is for the store to settle, within one server waiting is cheaper than trying again.
 */
export class WriteLine {
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** Runs the work when all earlier work has ended; `overloaded` when too much waits. */
  async run<T>(work: () => Promise<Result<T, ApiError>>): Promise<Result<T, ApiError>> {
    if (this.#waiting >= CHANGES_WAITING_MAX) {
      return err(apiError("overloaded", { expected: `at most ${CHANGES_WAITING_MAX} changes at a time` }));
    }
    this.#waiting++;
    const turn = this.#last.then(work).finally(() => {
      this.#waiting--;
    });
    // What becomes of one change is nothing to the next.
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}
