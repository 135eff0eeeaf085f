import type { Duration, Instant } from "../../base/clock.ts";
import type { Timer } from "../../base/scheduler.ts";
import {
  reconnectWaitMs,
  retryWaitMs,
  tenureMarginFraction,
  tenureMarginMs,
  tenureRenewalFraction,
} from "../limits.ts";
import type { Tree } from "../tree.ts";
import type { StoreConnection } from "./connection.ts";

/**
 * How long this process may act on what its session owns, whatever happens to the network and to itself.
 *
 * Owning a node in the store is not enough: a process that was cut off, or stood still, does not know that its session has ended
 * and that somebody else owns the thing now. So ownership is proven, for a time: as long as somebody needs it, the tenure sends
 * a `sync`, and each answer proves the session until a time-out after the moment before that `sync` was *sent*, less a margin
 * for what an ensemble may have missed of it. When no answer comes the proof lapses before the store can give the thing away.
 *
 * What it cannot see: somebody who ends the session by force, and a machine whose monotonic clock stood still (suspended). Nor
 * does it help whoever stops between asking and acting. Against these there is the fencing number: whoever acts shows it, and
 * what is acted on refuses a lower one than it has seen.
 */
export class Tenure {
  readonly #connection: StoreConnection;
  readonly #listeners = new Set<() => void>();
  #needs = 0;
  #isRenewing = false;
  #timer: Timer | undefined;
  #lapse: Timer | undefined;
  /** The session that the deadline is about. */
  #tree: Tree | undefined;
  #deadline: Instant = Number.NEGATIVE_INFINITY;

  constructor(connection: StoreConnection) {
    this.#connection = connection;
    connection.onRenewed(() => {
      this.#changed();
      if (this.#needs > 0) void this.#renew();
    });
    connection.onState((state) => {
      if (state === "closed") this.#changed();
    });
  }

  /** The tenure of a connection: all recipes over one connection share one. */
  static of(connection: StoreConnection): Tenure {
    const known = tenures.get(connection);
    if (known !== undefined) return known;
    const tenure = new Tenure(connection);
    tenures.set(connection, tenure);
    return tenure;
  }

  /**
   * Until when the present session is proven, on the connection's monotonic clock; minus infinity when it is not. A worker may
   * be told this number and compare it by itself.
   */
  get deadline(): Instant {
    return this.#isAbout(this.#connection.tree) ? this.#deadline : Number.NEGATIVE_INFINITY;
  }

  /** Whether this session is the present one and certainly alive now. */
  isProven(tree: Tree): boolean {
    return this.#isAbout(tree) && this.#connection.scheduler.clock.now() < this.#deadline;
  }

  /** Keeps the proof up until the value is called. Between, `onChange` tells of it. */
  need(): () => void {
    this.#needs += 1;
    if (this.#needs === 1) void this.#renew();
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#needs -= 1;
      if (this.#needs === 0) this.#cancelTimers();
    };
  }

  /** Resolves with true once this session is proven; with false when it has ended, or is not proven for `wait`. */
  async untilProven(tree: Tree, wait: Duration): Promise<boolean> {
    const stopNeeding = this.need();
    const proven = await new Promise<boolean>((resolve) => {
      const settle = (isProven: boolean): void => {
        timer.cancel();
        stopListening();
        resolve(isProven);
      };
      const look = (): void => {
        if (this.isProven(tree)) settle(true);
        else if (tree !== this.#connection.tree || this.#connection.isClosed) settle(false);
      };
      const timer = this.#connection.scheduler.after(wait, () => settle(this.isProven(tree)));
      const stopListening = this.onChange(look);
      look();
    });
    stopNeeding();
    return proven;
  }

  /** Calls back when the proof came, lapsed, or moved to another session. The value takes it back. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #isAbout(tree: Tree): boolean {
    const { state } = tree.session;
    const isOver = state === "expired" || state === "closed" || this.#connection.isClosed;
    return !isOver && tree === this.#tree && tree === this.#connection.tree;
  }

  async #renew(): Promise<void> {
    if (this.#isRenewing || this.#connection.isClosed) return;
    this.#isRenewing = true;
    const { tree, scheduler } = this.#connection;
    const sentAt = scheduler.clock.now();
    const answer = await tree.sync("/");
    if (answer.ok) this.#prove(tree, sentAt);
    else await this.#connection.untilConnected(reconnectWaitMs);
    this.#isRenewing = false;
    if (this.#needs === 0 || this.#connection.isClosed) return;
    // A session that came into place meanwhile has no proof yet.
    if (tree !== this.#connection.tree) return this.#renew();
    const pause: Duration = this.isProven(tree) ? tree.session.timeoutMs * tenureRenewalFraction : retryWaitMs;
    this.#timer?.cancel();
    this.#timer = scheduler.after(pause, () => void this.#renew());
  }

  #prove(tree: Tree, sentAt: Instant): void {
    if (tree !== this.#connection.tree) return;
    const { timeoutMs } = tree.session;
    const wasProven = this.isProven(tree);
    const deadline = sentAt + timeoutMs * (1 - tenureMarginFraction) - tenureMarginMs;
    this.#deadline = this.#tree === tree ? Math.max(this.#deadline, deadline) : deadline;
    this.#tree = tree;
    this.#armLapse();
    if (!wasProven && this.isProven(tree)) this.#changed();
  }

  #armLapse(): void {
    const { scheduler } = this.#connection;
    this.#lapse?.cancel();
    if (this.#needs === 0) return;
    this.#lapse = scheduler.after(this.#deadline - scheduler.clock.now(), () => {
      // A timer of the machine may fire a little early.
      if (scheduler.clock.now() < this.#deadline) this.#armLapse();
      else this.#changed();
    });
  }

  #changed(): void {
    if (this.#connection.isClosed) this.#cancelTimers();
    for (const listener of [...this.#listeners]) listener();
  }

  #cancelTimers(): void {
    this.#timer?.cancel();
    this.#lapse?.cancel();
  }
}

const tenures = new WeakMap<StoreConnection, Tenure>();
