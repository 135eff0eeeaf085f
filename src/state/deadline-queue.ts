import type { Instant } from "../base/clock.ts";

/** Something that is due at a time. */
export interface Deadline {
  readonly dueAt: Instant;
}

/** A priority queue by `dueAt`; equal times come in the order in which they were added. Binary heap. */
export class DeadlineQueue<T extends Deadline> {
  readonly #heap: { readonly item: T; readonly dueAt: Instant; readonly order: number }[] = [];
  #order = 0;

  /** Number of items. */
  get size(): number {
    return this.#heap.length;
  }

  /** The time of the earliest item; Infinity when empty. */
  get nextAt(): Instant {
    return this.#heap[0]?.dueAt ?? Number.POSITIVE_INFINITY;
  }

  /** Adds an item under its present `dueAt`. */
  push(item: T): void {
    const heap = this.#heap;
    const entry = { item, dueAt: item.dueAt, order: this.#order++ };
    let i = heap.push(entry) - 1;
    while (i > 0) {
      const up = (i - 1) >> 1;
      const parent = heap[up];
      if (parent === undefined || isBefore(parent, entry)) break;
      heap[i] = parent;
      i = up;
    }
    heap[i] = entry;
  }

  /** Takes the earliest item out. */
  pop(): T | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top?.item;
    let i = 0;
    for (;;) {
      const left = heap[2 * i + 1];
      if (left === undefined) break;
      const right = heap[2 * i + 2];
      const isRight = right !== undefined && isBefore(right, left);
      const child = isRight ? right : left;
      if (isBefore(last, child)) break;
      heap[i] = child;
      i = 2 * i + (isRight ? 2 : 1);
    }
    heap[i] = last;
    return top.item;
  }
}

function isBefore(a: { dueAt: Instant; order: number }, b: { dueAt: Instant; order: number }): boolean {
  return a.dueAt < b.dueAt || (a.dueAt === b.dueAt && a.order < b.order);
}
