import type { Result } from "../../base/result.ts";

/** Values as short text, both ways. `parse` says what was expected when the text is no such value. */
export interface TextCodec<T> {
  format(value: T): string;
  parse(text: string): Result<T, string>;
}

/**
 * Which opinion about a key wins.
 * `newest-learned-then-configured`: bridge FDB and neighbor tables, where a takeover by gratuitous ARP overrides what was
 * configured. `newest-learned`: configured opinions do not count (router neighbors). `configured-then-newest-learned`:
 * routes and peers.
 */
export type Precedence = "newest-learned-then-configured" | "newest-learned" | "configured-then-newest-learned";

/** A kind of replicated map: its name as in paths, how keys and values are written, and which opinion wins. */
export interface MapKind<K, V> {
  readonly name: string;
  readonly precedence: Precedence;
  readonly key: TextCodec<K>;
  readonly value: TextCodec<V>;
}
