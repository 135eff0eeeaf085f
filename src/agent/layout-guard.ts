import type { Log } from "../base/log.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { Timer } from "../base/scheduler.ts";
import type { Id } from "../model/objects.ts";
import type { StoreConnection } from "../store/recipes/connection.ts";
import type { Layout } from "../store/recipes/layout.ts";
import { steadily } from "../store/recipes/steadily.ts";
import { SteadyWatch } from "../store/recipes/steady-watch.ts";
import type { HostMemory } from "./host-memory.ts";
import { GUARD_RETRY_MS } from "./limits.ts";

/** What a layout guard is made of. */
export interface LayoutGuardParts {
  readonly hostId: Id;
  readonly connection: StoreConnection;
  readonly layout: Layout;
  readonly memory: HostMemory;
  readonly log: Log;
}

/**
 * Tells a store that was emptied from one in which things were removed. This host has seen the store's layout once: when its node is
 * gone, or there is another one that does not know this host, somebody wiped the store or began it anew. Then nothing is made in it,
 * and nothing that it does not have counts as removed, until it is whole again: restored from a backup.
 */
export class LayoutGuard {
  readonly #parts: LayoutGuardParts;
  readonly #watch: SteadyWatch;
  readonly #listeners = new Set<(isWiped: boolean) => void>();
  #isWiped = false;
  /** A copy or restore has put its marker in the layout's place. */
  #isBeingFilled = false;
  #checking: Promise<boolean> | undefined;
  #timer: Timer | undefined;

  constructor(parts: LayoutGuardParts) {
    this.#parts = parts;
    const look = (): void => void this.check();
    const options = { recursive: false, onEvent: look, onResync: look };
    this.#watch = new SteadyWatch(parts.connection, parts.layout.version, options);
    parts.connection.guard = this;
  }

  /** The store was found emptied, and has not been found whole since. */
  get isWiped(): boolean {
    return this.#isWiped;
  }

  /** Calls back when the store is found emptied or whole again. The value takes it back. */
  onChange(listener: (isWiped: boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Looks now; true when the store was emptied. Without an answer what was found last stands. */
  check(): Promise<boolean> {
    this.#checking ??= this.#look().then((isWiped) => {
      this.#checking = undefined;
      this.#found(isWiped);
      return isWiped;
    });
    return this.#checking;
  }

  /** See `StoreGuard`. */
  async mayMake(): Promise<boolean> {
    return !(await this.check());
  }

  /** See `StoreGuard`. */
  untilWhole(): Promise<void> {
    if (!this.#isWiped) return Promise.resolve();
    return new Promise((resolve) => {
      const stop = this.onChange((isWiped) => {
        if (isWiped) return;
        stop();
        resolve();
      });
    });
  }

  /** Silent from now on. */
  close(): void {
    this.#timer?.cancel();
    this.#watch.close();
    this.#listeners.clear();
  }

  async #look(): Promise<boolean> {
    const { connection, layout, memory, hostId } = this.#parts;
    const mark = memory.kept.layoutMadeBy;
    if (mark === undefined) return false;
    const read = async (path: string): Promise<Result<string | undefined, undefined>> => {
      const found = await steadily(connection, async (tree) => {
        const [synced, stat] = await Promise.all([tree.sync(path), tree.exists(path)]);
        return synced.ok ? stat : synced;
      });
      return found.ok ? ok(found.value?.czxid.toString(16)) : err(undefined);
    };
    const made = await read(layout.version);
    if (!made.ok) return this.#isWiped;
    if (made.value === mark) return false;
    if (made.value === undefined) {
      const marker = await read(layout.incomplete);
      this.#isBeingFilled = marker.ok && marker.value !== undefined;
      return true;
    }
    const host = await read(layout.object("host", hostId));
    if (!host.ok) return this.#isWiped;
    this.#isBeingFilled = false;
    if (host.value === undefined) return true;
    memory.keep({ record: "layout", madeBy: made.value });
    return false;
  }

  #found(isWiped: boolean): void {
    const { connection, log, layout } = this.#parts;
    if (connection.isClosed) return;
    this.#timer?.cancel();
    this.#timer = isWiped ? connection.scheduler.after(GUARD_RETRY_MS, () => void this.check()) : undefined;
    if (isWiped === this.#isWiped) return;
    this.#isWiped = isWiped;
    // What a restore or a copy of a live store looks like to everybody while it runs.
    if (isWiped && this.#isBeingFilled) log.warn("store.filling", { root: layout.root });
    else if (isWiped) log.error("store.emptied", { root: layout.root });
    else log.info("store.restored", { root: layout.root });
    for (const listener of [...this.#listeners]) listener(isWiped);
  }
}
