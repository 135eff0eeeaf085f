import type { Duration } from "../../base/clock.ts";
import { err, ok, type Result } from "../../base/result.ts";
import type { Tree } from "../tree.ts";
import type { StoreConnection } from "./connection.ts";
import { QueuePlace } from "./queue-place.ts";
import { unavailable } from "./steadily.ts";
import type { StoreError } from "./store-error.ts";
import { Tenure } from "./tenure.ts";

/** How a lock is asked for. */
export interface LockRequest {
  /** Says who asks, to people who look into the store. */
  readonly label: string;
  /** Longest wait for the turn, in milliseconds. */
  readonly waitMs: Duration;
  /** Called once when the lock is lost while it is held: the proof of its session has lapsed, or its node is gone. */
  onLost?(): void;
}

/** Why a lock was not given. Nothing is left in the queue, or goes with its session. */
export type LockError = StoreError | { readonly kind: "timed-out"; readonly waitedMs: Duration };

/** A lock that is held. */
export interface HeldLock {
  /** Grows from holder to holder: who acts under the lock shows it, and what is acted on refuses a lower one. */
  readonly fence: bigint;
  /** Whether the lock is certainly held now. Ask before each act; what takes longer is covered by `fence` alone. */
  isHeld(): boolean;
  /** Gives the lock back. Not held from the call on; resolves when the next in the queue may have it. Idempotent. */
  release(): Promise<void>;
}

/**
 * A lock in the store: fair (first come, first served), held by one session at a time. `path` is `Layout.lock`.
 * Several requests of one process queue like those of several.
 */
export class TreeLock {
  readonly #connection: StoreConnection;
  readonly #path: string;

  constructor(connection: StoreConnection, path: string) {
    this.#connection = connection;
    this.#path = path;
  }

  /** Resolves when it is this request's turn. `store-unavailable` when the connection was closed. */
  acquire(request: LockRequest): Promise<Result<HeldLock, LockError>> {
    return new LockAttempt(this.#connection, this.#path, request).outcome;
  }
}

class LockAttempt implements HeldLock {
  readonly outcome: Promise<Result<HeldLock, LockError>>;
  readonly #connection: StoreConnection;
  readonly #request: LockRequest;
  readonly #tenure: Tenure;
  readonly #place: QueuePlace;
  readonly #stop: () => void;
  #settle: (outcome: Result<HeldLock, LockError>) => void = () => undefined;
  /** The turn: of which session, and its number. */
  #turn: { readonly tree: Tree; readonly fence: bigint } | undefined;
  #state: "waiting" | "held" | "over" = "waiting";
  #fence = 0n;

  constructor(connection: StoreConnection, folder: string, request: LockRequest) {
    this.#connection = connection;
    this.#request = request;
    this.#tenure = Tenure.of(connection);
    this.outcome = new Promise((resolve) => {
      this.#settle = resolve;
    });
    const timer = connection.scheduler.after(request.waitMs, () => {
      if (this.#state === "waiting") this.#end(err({ kind: "timed-out", waitedMs: request.waitMs }));
    });
    const stops = [this.#tenure.need(), this.#tenure.onChange(() => this.#look()), () => timer.cancel()];
    this.#stop = () => {
      for (const stop of stops) stop();
    };
    this.#place = new QueuePlace(connection, {
      ...{ folder, label: request.label },
      onFirst: (tree, fence) => this.#first(tree, fence),
      onGone: () => this.#gone(),
    });
    this.#look();
  }

  get fence(): bigint {
    return this.#fence;
  }

  isHeld(): boolean {
    return this.#state === "held" && this.#turn !== undefined && this.#tenure.isProven(this.#turn.tree);
  }

  async release(): Promise<void> {
    if (this.#state === "held") this.#end(undefined);
    await this.#place.over;
  }

  #first(tree: Tree, fence: bigint): void {
    this.#turn = { tree, fence };
    this.#look();
  }

  #gone(): void {
    this.#turn = undefined;
    this.#look();
  }

  #look(): void {
    if (this.#state === "over") return;
    if (this.#connection.isClosed && this.#state === "waiting") {
      return this.#end(err(unavailable("the store connection was closed")));
    }
    const isProven = this.#turn !== undefined && this.#tenure.isProven(this.#turn.tree);
    if (this.#state === "waiting" && isProven) {
      this.#state = "held";
      this.#fence = this.#turn?.fence ?? 0n;
      this.#settle(ok(this));
    } else if (this.#state === "held" && !isProven) {
      this.#end(undefined);
      this.#request.onLost?.();
    }
  }

  #end(outcome: Result<HeldLock, LockError> | undefined): void {
    this.#state = "over";
    this.#stop();
    this.#place.leave();
    if (outcome !== undefined) this.#settle(outcome);
  }
}
