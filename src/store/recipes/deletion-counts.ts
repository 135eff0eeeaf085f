import { err, ok, type Result } from "../../base/result.ts";
import type { Id, Kind } from "../../model/objects.ts";
import type { StoreConnection } from "./connection.ts";
import type { Layout } from "./layout.ts";
import { steadily, storeError } from "./steadily.ts";
import type { StoreError } from "./store-error.ts";

/** Counters over which ids are spread: a deletion disturbs one transaction in so many that touch one document each. */
export const deletionCountersMax = 32;

/** The counter of an id (FNV-1a). */
export function deletionCounterOf(kind: Kind, id: Id): number {
  let hash = 0x811c9dc5;
  for (const text of [kind, "/", id]) {
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return (hash >>> 0) % deletionCountersMax;
}

/**
 * How many deletions there were, by counter: the version of a node each. ZooKeeper counts a node's version from 0 again when it
 * is created anew, so a document that was deleted and created again may have the version that was read of the one before. Every
 * transaction therefore also checks the counters of the ids that it touches, as they were before it read the documents.
 */
export class DeletionCounts {
  readonly #connection: StoreConnection;
  readonly #layout: Layout;
  readonly #known = new Map<number, number>();

  constructor(connection: StoreConnection, layout: Layout) {
    this.#connection = connection;
    this.#layout = layout;
  }

  /** A counter's value as it was known when anything that is still kept was read. */
  known(counter: number): number | undefined {
    return this.#known.get(counter);
  }

  /** Makes sure that these counters are known: before the documents are read. */
  async learn(counters: Iterable<number>): Promise<Result<void, StoreError>> {
    const unknown = [...new Set(counters)].filter((counter) => !this.#known.has(counter));
    const reads = await Promise.all(
      unknown.map((counter) => steadily(this.#connection, (tree) => tree.exists(this.#layout.deletions(counter)))),
    );
    for (const [i, read] of reads.entries()) {
      if (!read.ok) return err(storeError(read.error));
      const counter = unknown[i] as number;
      if (!this.#known.has(counter)) this.#known.set(counter, read.value?.version ?? 0);
    }
    return ok(undefined);
  }

  /** This process has raised counters, by one each, from the values that it saw. */
  raise(seen: ReadonlyMap<number, number>, counters: Iterable<number>): void {
    for (const counter of counters) {
      const before = seen.get(counter);
      if (before !== undefined && this.#known.get(counter) === before) this.#known.set(counter, before + 1);
    }
  }

  /** Forgets everything; who keeps documents must forget them too. */
  clear(): void {
    this.#known.clear();
  }
}
