import { cachedDocumentsMax } from "../limits.ts";
import type { StoreConnection } from "./connection.ts";
import type { Layout } from "./layout.ts";
import { SteadyWatch } from "./steady-watch.ts";
import type { ReadDocument } from "./topology-read.ts";

/**
 * Documents that transactions have read before, kept while one watch over all of them says that they have not changed. Only a
 * first guess: whatever is based on it is checked by the version of every document when it is written, and worked out anew from
 * fresh reads when it was wrong.
 */
export class DocumentCache {
  readonly #documents = new Map<string, ReadDocument>();
  readonly #watch: SteadyWatch;
  #reading = 0;
  /** Documents that changed while something was being read: what was read of them may be old. */
  readonly #touched = new Set<string>();
  #isResynced = false;

  constructor(connection: StoreConnection, layout: Layout) {
    this.#watch = new SteadyWatch(connection, layout.objects, {
      recursive: true,
      onEvent: ({ path }) => this.#forget(path),
      onResync: () => this.clear(),
    });
  }

  /** A document that was read before, by its path. */
  get(path: string): ReadDocument | undefined {
    return this.#documents.get(path);
  }

  /** Forgets everything, what is being read included. */
  clear(): void {
    this.#documents.clear();
    this.#isResynced = true;
  }

  /** Ends the watch. */
  close(): void {
    this.#watch.close();
    this.clear();
  }

  /** Runs a read whose documents may be kept: `keep` takes them afterwards, those that changed meanwhile excepted. */
  async reading<T>(
    run: () => Promise<T>,
    found: () => Iterable<readonly [path: string, document: ReadDocument]>,
  ): Promise<T> {
    if (this.#reading === 0) this.#isResynced = false;
    this.#reading += 1;
    const result = await run();
    this.#reading -= 1;
    if (this.#watch.isHeld && !this.#isResynced) {
      for (const [path, document] of found()) this.#keep(path, document);
    }
    if (this.#reading === 0) this.#touched.clear();
    return result;
  }

  #keep(path: string, document: ReadDocument): void {
    if (document.found !== "object" || this.#touched.has(path)) return;
    this.#documents.delete(path);
    this.#documents.set(path, document);
    if (this.#documents.size <= cachedDocumentsMax) return;
    for (const oldest of this.#documents.keys()) {
      this.#documents.delete(oldest);
      break;
    }
  }

  #forget(path: string): void {
    this.#documents.delete(path);
    if (this.#reading > 0) this.#touched.add(path);
  }
}
