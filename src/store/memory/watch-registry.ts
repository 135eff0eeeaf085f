import { parentOf } from "../data-tree-path.ts";
import type { TreeEvent, WatchOptions } from "../tree.ts";

/** A watch that a client holds. */
export interface HeldWatch {
  readonly path: string;
  readonly options: WatchOptions;
  /** The server has answered: from now on a reconnect may miss events. Set by the client. */
  isConfirmed: boolean;
}

/** The watches of one client, several to a path, and whom an event concerns. Costs the depth of the event's path. */
export class WatchRegistry {
  readonly #byPath = new Map<string, Set<HeldWatch>>();

  /** Every watch held. */
  *all(): Generator<HeldWatch> {
    for (const watches of this.#byPath.values()) yield* watches;
  }

  /** Adds a watch. */
  add(watch: HeldWatch): void {
    const watches = this.#byPath.get(watch.path);
    if (watches === undefined) this.#byPath.set(watch.path, new Set([watch]));
    else watches.add(watch);
  }

  /** Removes a watch; true when the path is not watched in this way any more. False also when it was not held. */
  remove(watch: HeldWatch): boolean {
    const watches = this.#byPath.get(watch.path);
    if (watches?.delete(watch) !== true) return false;
    if (watches.size === 0) this.#byPath.delete(watch.path);
    return !this.#isWatched(watch);
  }

  /** Passes an event to the watches that it concerns. */
  dispatch(event: TreeEvent): void {
    for (const watch of [...(this.#byPath.get(event.path) ?? [])]) {
      if (event.kind !== "children" || !watch.options.recursive) watch.options.onEvent(event);
    }
    if (event.kind === "children") return;
    for (let above = event.path; above !== "/"; ) {
      above = parentOf(above);
      for (const watch of [...(this.#byPath.get(above) ?? [])]) {
        if (watch.options.recursive) watch.options.onEvent(event);
      }
    }
  }

  #isWatched({ path, options }: HeldWatch): boolean {
    for (const watch of this.#byPath.get(path) ?? []) if (watch.options.recursive === options.recursive) return true;
    return false;
  }
}
