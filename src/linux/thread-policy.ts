import { getPriority } from "node:os";
import { err, ok, type Result } from "../base/result.ts";
import { type LinuxError, linuxError } from "./errno.ts";
import { allocate, checked, libc } from "./libc.ts";

const other = 0;
const batch = 3;
const ownThread = 0;
const setAttributes = process.arch === "arm64" ? 274 : 314;
/** Bytes of struct sched_attr in its first form, and where its fields are. */
const attributes = { bytes: 48, policy: 4, nice: 16, runtime: 24 } as const;

/**
 * Which of the two ordinary policies of sched(7) the calling thread runs by. Both share the processor by the same rules and need no
 * privilege; its nice value and its slice stay. A thread by SCHED_BATCH that becomes runnable takes the processor from nobody: it runs
 * when the one that runs pauses, or has had its slice.
 */
export class ThreadPolicy {
  readonly #parameters = allocate(4);
  readonly #libc = libc();

  private constructor() {}

  /** For a thread that runs by SCHED_OTHER. EBUSY: somebody has chosen another policy for it, which is theirs to choose. */
  static own(): Result<ThreadPolicy, LinuxError> {
    const present = checked("read the scheduling policy", libc().sched_getscheduler(ownThread));
    if (!present.ok) return present;
    return present.value === other ? ok(new ThreadPolicy()) : err(linuxError("change the scheduling policy", 16));
  }

  /**
   * Asks for slices of so many nanoseconds, 100,000 at least. A thread with short slices that becomes runnable runs before one with long
   * ones, as often as its share allows: those who compute all the time go on without it a moment later (EEVDF). Linux 6.12; before, nothing
   * happens.
   */
  shorten(sliceNs: number): Result<undefined, LinuxError> {
    const bytes = allocate(attributes.bytes);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, attributes.bytes, true);
    view.setUint32(attributes.policy, other, true);
    view.setInt32(attributes.nice, getPriority(ownThread), true);
    view.setBigUint64(attributes.runtime, BigInt(sliceNs), true);
    const set = checked("ask for short slices", this.#libc.sched_setattr(setAttributes, ownThread, bytes, 0));
    return set.ok ? ok(undefined) : set;
  }

  /** From now on by SCHED_BATCH. */
  batch(): Result<undefined, LinuxError> {
    return this.#set(batch);
  }

  /** From now on by SCHED_OTHER again. */
  other(): Result<undefined, LinuxError> {
    return this.#set(other);
  }

  #set(policy: number): Result<undefined, LinuxError> {
    const set = this.#libc.sched_setscheduler(ownThread, policy, this.#parameters);
    const done = checked("set the scheduling policy", set);
    return done.ok ? ok(undefined) : done;
  }
}
