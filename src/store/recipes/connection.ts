import type { Duration, Instant } from "../../base/clock.ts";
import { type Log, silentLog } from "../../base/log.ts";
import type { Scheduler } from "../../base/scheduler.ts";
import { reconnectWaitMs } from "../limits.ts";
import type { SessionState, Tree } from "../tree.ts";

/** What a store connection is made of. `connect` opens a session with the driver and settings of the composition root. */
export interface StoreConnectionOptions {
  readonly scheduler: Scheduler;
  /**
   * How long what people ask for waits for a lost connection, counted from the loss: later questions are refused at once. Default:
   * `reconnectWaitMs` from each call, for work in the background that nobody waits for.
   */
  readonly patienceMs?: Duration;
  /** Hears of what keeps recipes waiting that nobody asks; default: nobody hears. */
  readonly log?: Log;
  connect(): Tree;
}

/** Knows whether a store that lacks what was there before was emptied. */
export interface StoreGuard {
  /** Whether folders may be made; not in a store that was emptied: it is to be restored, not begun anew by accident. */
  mayMake(): Promise<boolean>;
  /** Resolves when the store was not emptied, or is whole again. */
  untilWhole(): Promise<void>;
}

/**
 * A process's way to the store across sessions: when a session has expired, the next one is opened at once and every recipe
 * is told, so that it registers again what it held. Recipes take this, never a bare tree. One per process is enough.
 */
export class StoreConnection {
  readonly scheduler: Scheduler;
  /** Tells names that this process makes under its session from those of an earlier process that had the same session. */
  readonly since: string;
  /** Asked before folders are made; undefined: everything may be made. */
  guard: StoreGuard | undefined;
  readonly #connect: () => Tree;
  readonly #log: Log;
  #isTermSound = true;
  readonly #patienceMs: Duration | undefined;
  /** When the connection was lost, or not yet there; undefined while there is one. */
  #lostAt: Instant | undefined;
  readonly #renewed = new Set<() => void>();
  readonly #stateListeners = new Set<(state: SessionState) => void>();
  readonly #waiting = new Set<(isConnected: boolean) => void>();
  #tree: Tree;
  #isClosed = false;

  constructor(options: StoreConnectionOptions) {
    this.scheduler = options.scheduler;
    this.since = Math.floor(options.scheduler.clock.wall()).toString(36);
    this.#connect = options.connect;
    this.#log = options.log ?? silentLog;
    this.#patienceMs = options.patienceMs;
    this.#lostAt = options.scheduler.clock.now();
    this.#tree = this.#open();
  }

  /** The tree of the present session. Never keep it over an `await`: it may have been replaced. */
  get tree(): Tree {
    return this.#tree;
  }

  /** True from the call of `close` on: what the session owns may be gone at any moment. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Whether questions are not even sent while there is no connection and patience is at its end. */
  get isImpatient(): boolean {
    return this.#patienceMs !== undefined;
  }

  /** How much longer a recipe that asks now waits for a connection. */
  get patience(): Duration {
    if (this.#patienceMs === undefined) return reconnectWaitMs;
    return Math.max(0, this.#patienceMs - (this.awayMs ?? 0));
  }

  /** For how long there has been no connection; undefined while there is one. */
  get awayMs(): Duration | undefined {
    return this.#lostAt === undefined ? undefined : this.scheduler.clock.now() - this.#lostAt;
  }

  /** Notes whether the store's term could be read; told to the log when that changes. */
  termSeen(path: string, isSound: boolean): void {
    if (isSound === this.#isTermSound) return;
    this.#isTermSound = isSound;
    if (isSound) this.#log.info("store.term-sound", { path });
    else this.#log.error("store.term-damaged", { path });
  }

  /** Calls back whenever a new session has replaced an expired one, first subscriber first. The value takes it back. */
  onRenewed(listener: () => void): () => void {
    this.#renewed.add(listener);
    return () => this.#renewed.delete(listener);
  }

  /** Calls back at every change of state of the present session. The value takes it back. */
  onState(listener: (state: SessionState) => void): () => void {
    this.#stateListeners.add(listener);
    return () => this.#stateListeners.delete(listener);
  }

  /** Resolves with true as soon as there is a connection, with false when there was none for `wait` or it was closed. */
  untilConnected(wait: Duration): Promise<boolean> {
    if (this.#isClosed) return Promise.resolve(false);
    if (this.#tree.session.state === "connected") return Promise.resolve(true);
    return new Promise((resolve) => {
      const settle = (isConnected: boolean): void => {
        timer.cancel();
        stopListening();
        this.#waiting.delete(settle);
        resolve(isConnected);
      };
      this.#waiting.add(settle);
      const timer = this.scheduler.after(wait, () => settle(false));
      const stopListening = this.onState((state) => {
        if (state === "connected" || state === "closed") settle(state === "connected");
      });
    });
  }

  /** Ends the session: its ephemeral nodes go. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#renewed.clear();
    // A session that has ended by itself has no more to tell: nobody waits for it any longer.
    for (const settle of [...this.#waiting]) settle(false);
    await this.#tree.close();
  }

  #open(): Tree {
    const tree = this.#connect();
    tree.session.onState((state) => {
      if (tree !== this.#tree) return;
      this.#lostAt = state === "connected" ? undefined : (this.#lostAt ?? this.scheduler.clock.now());
      for (const listener of [...this.#stateListeners]) listener(state);
      if (state === "expired" && !this.#isClosed) this.#renew();
    });
    return tree;
  }

  #renew(): void {
    this.#tree = this.#open();
    for (const listener of [...this.#renewed]) listener();
  }
}
