import { parentOf } from "../store/data-tree-path.ts";
import type { TreeEvent, WatchOptions } from "../store/tree.ts";

/**
 * The watches of one client. A server keeps at most one watch of a kind for a connection and a path and sends each event once;
 * here it is passed to all who asked. Dispatching costs the depth of the event's path.
 */
export class WatchRegistry {
  readonly #exact = new Map<string, Set<WatchOptions>>();
  readonly #recursive = new Map<string, Set<WatchOptions>>();
  /** Users of the server's watches of a path, those that are still being asked for included. */
  readonly #users = new Map<string, number>();
  #size = 0;

  /** Watches held or asked for. */
  get size(): number {
    return this.#size;
  }

  /** Somebody wants the path watched: from now on the server's watch of it stays. */
  reserve(path: string): void {
    this.#size += 1;
    this.#users.set(path, (this.#users.get(path) ?? 0) + 1);
  }

  /** Takes a reservation back; true when nobody needs the server's watches of the path any more. */
  release(path: string): boolean {
    this.#size -= 1;
    const users = (this.#users.get(path) ?? 1) - 1;
    if (users > 0) this.#users.set(path, users);
    else this.#users.delete(path);
    return users === 0;
  }

  /** Events go to this watch from now on. */
  add(path: string, options: WatchOptions): void {
    const index = options.recursive ? this.#recursive : this.#exact;
    const watches = index.get(path);
    if (watches === undefined) index.set(path, new Set([options]));
    else watches.add(options);
  }

  /** No event goes to this watch any more; false when it was not there. */
  remove(path: string, options: WatchOptions): boolean {
    const index = options.recursive ? this.#recursive : this.#exact;
    const watches = index.get(path);
    const removed = watches?.delete(options) === true;
    if (watches?.size === 0) index.delete(path);
    return removed;
  }

  /** Passes an event on. */
  dispatch(event: TreeEvent): void {
    tell(this.#exact.get(event.path), event);
    if (event.kind === "children" || this.#recursive.size === 0) return;
    for (let path = event.path; ; path = parentOf(path)) {
      tell(this.#recursive.get(path), event);
      if (path === "/") return;
    }
  }

  /** Tells everybody that events may be missing. */
  resync(): void {
    const all = [...this.#exact.values(), ...this.#recursive.values()].flatMap((watches) => [...watches]);
    for (const watch of all) watch.onResync();
  }
}

function tell(watches: ReadonlySet<WatchOptions> | undefined, event: TreeEvent): void {
  if (watches === undefined) return;
  // A watch may be closed or added by what it is told.
  for (const watch of [...watches]) if (watches.has(watch)) watch.onEvent(event);
}
