import { netlinkStreamMax } from "../limits.ts";

/** What a stream gives: a value, or that values were lost because the reader was too slow or the kernel overran. */
export type StreamItem<T> = { readonly kind: "value"; readonly value: T } | { readonly kind: "overrun" };

/**
 * Turns observer calls into an asynchronous iterable with one reader. It keeps at most `limit` values: beyond it they
 * are dropped, and the reader gets one `overrun` in their place, after those before it.
 */
export class ValueStream<T> implements AsyncIterable<StreamItem<T>>, AsyncIterator<StreamItem<T>, undefined> {
  /** Values that were dropped. */
  dropped = 0;
  readonly #limit: number;
  readonly #items: StreamItem<T>[] = [];
  readonly #onClose: () => void;
  #waiting: ((result: IteratorResult<StreamItem<T>, undefined>) => void) | undefined;
  #isOpen = true;

  /** `onClose` is called when the reader leaves its loop, so that the source can stop. */
  constructor(onClose: () => void = () => undefined, limit = netlinkStreamMax) {
    this.#onClose = onClose;
    this.#limit = limit;
  }

  /** Adds a value. */
  push(value: T): void {
    if (this.#items.length < this.#limit) this.#put({ kind: "value", value });
    else {
      this.dropped++;
      this.overrun();
    }
  }

  /** Says that values were lost here. */
  overrun(): void {
    if (this.#items.at(-1)?.kind !== "overrun") this.#put({ kind: "overrun" });
  }

  /** Ends the stream after what it holds. */
  end(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#waiting?.({ done: true, value: undefined });
    this.#waiting = undefined;
  }

  next(): Promise<IteratorResult<StreamItem<T>, undefined>> {
    const item = this.#items.shift();
    if (item !== undefined) return Promise.resolve({ done: false, value: item });
    if (!this.#isOpen) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  return(): Promise<IteratorResult<StreamItem<T>, undefined>> {
    this.end();
    this.#items.length = 0;
    this.#onClose();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #put(item: StreamItem<T>): void {
    if (!this.#isOpen) return;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting === undefined) this.#items.push(item);
    else waiting({ done: false, value: item });
  }
}
