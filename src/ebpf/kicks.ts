import { ok, type Result } from "../base/result.ts";
import { WORKER_MAX } from "../flow/layout.ts";
import type { LinuxError } from "../linux/errno.ts";
import { EventFd } from "../linux/eventfd.ts";

/** By which control ends the wait of a worker thread: an eventfd for each worker that there may be. */
export class Kicks {
  readonly #all: readonly EventFd[];

  private constructor(all: readonly EventFd[]) {
    this.#all = all;
  }

  /** Makes them, none set. */
  static open(): Result<Kicks, LinuxError> {
    const all: EventFd[] = [];
    for (let worker = 0; worker < WORKER_MAX; worker++) {
      const kick = EventFd.open();
      if (!kick.ok) {
        for (const made of all) made.close();
        return kick;
      }
      all.push(kick.value);
    }
    return ok(new Kicks(all));
  }

  /** Descriptors by worker. */
  get fds(): readonly number[] {
    return this.#all.map(({ fd }) => fd);
  }

  /** Ends the present wait of a worker, or its next one. */
  kick(worker: number): void {
    this.#all[worker]?.kick();
  }

  /** Closes the descriptors, when no worker waits any more. */
  close(): void {
    for (const kick of this.#all) kick.close();
  }
}
