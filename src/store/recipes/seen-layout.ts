import type { Log } from "../../base/log.ts";
import { SECRET_REMEDY } from "../client-config.ts";
import type { StoreConnection, StoreGuard } from "./connection.ts";
import type { Layout } from "./layout.ts";
import { steadily } from "./steadily.ts";
import { SteadyWatch } from "./steady-watch.ts";

/** What it is made of. */
export interface SeenLayoutParts {
  readonly connection: StoreConnection;
  readonly layout: Layout;
  readonly log: Log;
}

/**
 * The guard of a process that keeps nothing across restarts: once it has seen a layout, a store without one was emptied, and nothing is
 * made in it until there is one again. What stood there before it began it cannot know. It also says, once, that the store keeps
 * this process out.
 */
export class SeenLayout implements StoreGuard {
  readonly #parts: SeenLayoutParts;
  readonly #watch: SteadyWatch;
  readonly #stop: () => void;
  readonly #waiting = new Set<() => void>();
  #wasSeen = false;
  #isGone = false;
  #isDenied = false;
  #looking: Promise<void> | undefined;

  constructor(parts: SeenLayoutParts) {
    this.#parts = parts;
    const { connection, layout } = parts;
    // What is read now may be of before the event: what comes meanwhile is looked at once more.
    const look = (): void => void this.mayMake();
    this.#watch = new SteadyWatch(connection, layout.version, { recursive: false, onEvent: look, onResync: look });
    this.#stop = connection.onState((state) => {
      if (state === "connected" || state === "closed") look();
    });
    connection.guard = this;
  }

  /** See `StoreGuard`. Without an answer what was found last stands. */
  async mayMake(): Promise<boolean> {
    // A look that has begun before may not have seen what the caller has.
    await this.#looking;
    await this.#look();
    return !this.#isGone;
  }

  /** See `StoreGuard`. */
  untilWhole(): Promise<void> {
    if (!this.#isGone) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.add(resolve));
  }

  /** Silent from now on. */
  close(): void {
    this.#watch.close();
    this.#stop();
  }

  #look(): Promise<void> {
    this.#looking ??= this.#read().then(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #read(): Promise<void> {
    const { connection, layout, log } = this.#parts;
    if (connection.isClosed) return;
    const found = await steadily(connection, (tree) => tree.get(layout.version));
    const isDenied = !found.ok && found.error.kind === "no-auth";
    if (isDenied && !this.#isDenied) log.error("store.denied", { path: layout.version, remedy: SECRET_REMEDY });
    if (found.ok || isDenied) this.#isDenied = isDenied;
    if (!found.ok && found.error.kind !== "no-node") return;
    this.#wasSeen ||= found.ok;
    this.#isGone = this.#wasSeen && !found.ok;
    if (this.#isGone) return;
    for (const resolve of [...this.#waiting]) resolve();
    this.#waiting.clear();
  }
}
