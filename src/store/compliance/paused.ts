import type { Duration } from "../../base/clock.ts";
import type { Scheduler, Timer } from "../../base/scheduler.ts";
import type { Session, SessionState, Tree, WatchOptions } from "../tree.ts";

/**
 * A process that can stand still (a long garbage collection, a stopped machine): while it does, no timer of it fires, no reply and
 * no event reaches it, and its view of its session does not change. Its clock goes on. What came meanwhile comes at once, in
 * order, when it wakes.
 */
export class PausableProcess {
  /** The scheduler for everything that runs in this process. */
  readonly scheduler: Scheduler;
  #isPaused = false;
  readonly #kept: (() => void)[] = [];

  constructor(scheduler: Scheduler) {
    const { clock } = scheduler;
    const run = (callback: () => void): void => this.#deliver(callback);
    this.scheduler = {
      clock,
      after(span: Duration, callback: () => void): Timer {
        let isCancelled = false;
        const timer = scheduler.after(span, () => {
          run(() => {
            if (!isCancelled) callback();
          });
        });
        return {
          cancel: () => {
            isCancelled = true;
            timer.cancel();
          },
        };
      },
      soon: (callback) => scheduler.soon(() => run(callback)),
    };
  }

  /** Stands still until `wake`. */
  pause(): void {
    this.#isPaused = true;
  }

  /** Goes on: everything that came meanwhile comes now. */
  wake(): void {
    this.#isPaused = false;
    while (!this.#isPaused) {
      const next = this.#kept.shift();
      if (next === undefined) return;
      next();
    }
  }

  /** A tree as this process sees it. */
  over(tree: Tree): Tree {
    const session = new SeenSession(tree.session, (callback) => this.#deliver(callback));
    return new Proxy(tree, {
      get: (target, name) => {
        if (name === "session") return session;
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== "function") return member;
        return (...args: unknown[]) => {
          const call = name === "watch" ? [args[0], this.#watching(args[1] as WatchOptions)] : args;
          const outcome = member.apply(target, call) as Promise<unknown>;
          return new Promise((resolve) => void outcome.then((value) => this.#deliver(() => resolve(value))));
        };
      },
    });
  }

  #watching({ recursive, onEvent, onResync }: WatchOptions): WatchOptions {
    return {
      recursive,
      onEvent: (event) => this.#deliver(() => onEvent(event)),
      onResync: () => this.#deliver(() => onResync()),
    };
  }

  #deliver(callback: () => void): void {
    if (this.#isPaused || this.#kept.length > 0) this.#kept.push(callback);
    else callback();
  }
}

/** A session as its process has heard of it. */
class SeenSession implements Session {
  #state: SessionState;
  #id: bigint;
  readonly #session: Session;
  readonly #listeners: ((state: SessionState) => void)[] = [];

  constructor(session: Session, deliver: (callback: () => void) => void) {
    this.#session = session;
    this.#state = session.state;
    this.#id = session.id;
    session.onState((state) => {
      const { id } = session;
      deliver(() => {
        this.#state = state;
        this.#id = id;
        for (const listener of [...this.#listeners]) listener(state);
      });
    });
  }

  get state(): SessionState {
    return this.#state;
  }

  get id(): bigint {
    return this.#id;
  }

  get timeoutMs(): number {
    return this.#session.timeoutMs;
  }

  onState(listener: (state: SessionState) => void): void {
    this.#listeners.push(listener);
  }
}
