import { assert } from "../base/assert.ts";
import type { Id } from "../model/objects.ts";

/**
 * Ids interned as small numbers, for one thread: objects refer to each other by handle, so they may come in any order.
 * Handles start at 1, are never reused while the table lives, and never leave the thread. It grows by every id ever seen.
 */
export class Handles {
  readonly #handles = new Map<Id, number>();
  readonly #ids: Id[] = [""];
  readonly #absent = new Set<number>();

  /** The handle of an id, made when new. */
  of(id: Id): number {
    let handle = this.#handles.get(id);
    if (handle === undefined) {
      handle = this.#ids.push(id) - 1;
      this.#handles.set(id, handle);
    }
    return handle;
  }

  /** The handle of an id that may be missing: 0. */
  ofOptional(id: Id | undefined): number {
    return id === undefined ? 0 : this.of(id);
  }

  /** The id of a handle. */
  idOf(handle: number): Id {
    const id = this.#ids[handle];
    assert(id !== undefined && handle > 0, "unknown handle", { handle });
    return id;
  }

  /** Whether a handle is known to name nothing (any more). */
  setAbsent(handle: number, isAbsent: boolean): void {
    if (isAbsent) this.#absent.add(handle);
    else this.#absent.delete(handle);
  }

  /** True for a handle that is known to name nothing. False for what has not come yet. */
  isAbsent(handle: number): boolean {
    return this.#absent.has(handle);
  }
}
