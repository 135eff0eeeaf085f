import type { Duration, Instant } from "../base/clock.ts";
import type { Scheduler, Timer } from "../base/scheduler.ts";
import type { DatapathWorker } from "../datapath/datapath.ts";
import type { BatchPolicy } from "./batch-policy.ts";
import type { FromWorker, ToWorker } from "./core/messages.ts";
import type { WorkerCore } from "./core/worker.ts";
import type { IdleHold } from "./idle-hold.ts";
import { COUNTS_MS, EVENT_LOOP_MS, SPIN_MS } from "./limits.ts";

/** What a worker loop drives. */
export interface WorkerLoopParts {
  readonly core: WorkerCore;
  readonly datapath: DatapathWorker;
  readonly scheduler: Scheduler;
  /** Takes the messages that wait right now out of the inbox, without going back to the event loop. May call `close`. */
  takeMessages(): readonly ToWorker[];
  send(message: FromWorker): void;
  /** Spinning steals the processor from the packets on a machine with few of them. */
  readonly maySpin: boolean;
  /**
   * Waits for a frame or a message on the spot, at most so many milliseconds, and may return at any time. Without it the loop waits
   * in the event loop, which costs three times as much for a single frame. True when a frame came.
   */
  wait?(span: Duration): boolean;
  /** Keeps processors awake while frames wake this worker again and again. */
  readonly hold?: IdleHold | undefined;
  /** Says how wake-ups of this worker are scheduled. With `wait` only. */
  readonly policy?: BatchPolicy | undefined;
  /** Whether the last `wait` slept, so that what came then has waited for this thread to run, and for nothing else. */
  hasSlept?(): boolean;
}

/**
 * Runs a worker core: turns while there is work, then a short spin, then a wait until a frame, a message or a timer comes.
 * A thread waits where all of them wake it, and goes back to its event loop ten times a second for what only that brings (the end
 * of the process); without a `wait` of its own the loop sleeps in the event loop.
 */
export class WorkerLoop {
  readonly #parts: WorkerLoopParts;
  readonly #run = (): void => this.#turns();
  #isScheduled = false;
  #isClosed = false;
  #timer: Timer | undefined;
  #timerAt: Instant = 0;
  #countsAt: Instant = 0;

  constructor(parts: WorkerLoopParts) {
    this.#parts = parts;
  }

  /** There may be work: run soon. Cheap, and harmless when already running. */
  kick(): void {
    if (this.#isScheduled || this.#isClosed) return;
    this.#isScheduled = true;
    this.#parts.scheduler.soon(this.#run);
  }

  /** Takes messages that arrived through the event loop. */
  receive(messages: readonly ToWorker[]): void {
    if (this.#isClosed) return;
    const now = this.#parts.scheduler.clock.now();
    for (const message of messages) this.#parts.core.receive(message, now);
    this.kick();
  }

  /** Ends the loop. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#parts.hold?.close();
    this.#parts.datapath.close();
  }

  #turns(): void {
    this.#isScheduled = false;
    const { scheduler, datapath, core, wait, hold, policy } = this.#parts;
    const until = scheduler.clock.now() + EVENT_LOOP_MS;
    let isWoken = false;
    while (!this.#isClosed) {
      const now = scheduler.clock.now();
      const isMore = this.#turn(now);
      if (this.#isClosed) return;
      // Frames that wait must not wake it yet; messages do.
      if (!isMore && core.isHeld) return this.#wakeBy(core.nextAt());
      if (wait === undefined) {
        if (isMore || !datapath.sleep(this.#wake)) return this.kick();
        return this.#wakeBy(core.nextAt());
      }
      hold?.turn(now, isWoken);
      if (policy !== undefined) this.#schedule(policy, now, isWoken);
      if (now >= until) return this.kick();
      const ends = Math.min(hold?.endsAt ?? until, policy?.endsAt ?? until);
      isWoken = !isMore && wait(Math.min(core.nextAt(), until, ends) - now);
    }
  }

  #schedule(policy: BatchPolicy, now: Instant, isWoken: boolean): void {
    const { core, hasSlept } = this.#parts;
    const waited = core.takeWaited();
    policy.turn(now, { upcalls: core.upcalls, waited: isWoken && hasSlept?.() === true ? waited : 0 });
  }

  /** One turn, after everything that control said before it. True when there is more to do at once. */
  #turn(now: Instant): boolean {
    const { core } = this.#parts;
    for (const message of this.#parts.takeMessages()) core.receive(message, now);
    // One of them may have ended the loop: the datapath's memory is no longer ours then.
    if (this.#isClosed) return false;
    if (core.turn(now)) return true;
    this.#report(now);
    return this.#parts.maySpin && this.#spin(now);
  }

  /** A timer that is due earlier anyway stays: one turn too many is cheaper than a new timer for each upcall. */
  #wakeBy(at: Instant): void {
    const { scheduler } = this.#parts;
    const now = scheduler.clock.now();
    if (this.#timerAt > now && this.#timerAt <= at) return;
    this.#timer?.cancel();
    this.#timerAt = Math.max(now + 1, at);
    this.#timer = scheduler.after(this.#timerAt - now, this.#due);
  }

  readonly #due = (): void => {
    this.#timerAt = 0;
    this.#turns();
  };

  readonly #wake = (): void => {
    if (this.#isClosed) return;
    this.#turns();
  };

  #spin(from: Instant): boolean {
    const { core, scheduler } = this.#parts;
    const end = from + SPIN_MS;
    for (let now = scheduler.clock.now(); now < end; now = scheduler.clock.now()) {
      if (core.turn(now)) return true;
    }
    return false;
  }

  #report(now: Instant): void {
    if (now < this.#countsAt) return;
    this.#countsAt = now + COUNTS_MS;
    this.#parts.send(this.#parts.core.countsMessage());
  }
}
