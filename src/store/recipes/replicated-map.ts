import type { Result } from "../../base/result.ts";
import type { StoreError } from "./store-error.ts";

/**
 * A map that every interested host holds a full copy of: MAC table, neighbor table, routes, peers.
 *
 * Each entry in the store is one **opinion**: a child node named `key,value,sequence` (learned: ephemeral, goes with the
 * session of its owner) or `key,value,c<sequence>` (configured: stays). The winner of a key follows from all opinions
 * by the precedence of the map's kind, so copies that have seen the same opinions agree, whatever the order.
 *
 * - Reads are local, synchronous, O(1). An update costs what changed: the event's name carries the whole update.
 * - An owner removes its own opinion when a newer learned one about the same key appears, and nobody else's.
 * - When the session expires, everything that this owner had learned is registered again with the new one, except what
 *   another owner learned meanwhile: that is newer, and told as `overridden`.
 */
export interface ReplicatedMap<K, V> {
  /** Resolves when the first full content is there. `get` and `entries` are empty before. */
  readonly ready: Promise<void>;
  /** The winning value. */
  get(key: K): V | undefined;
  /** The winning entry. */
  entry(key: K): MapEntry<V> | undefined;
  /** All winners, in no particular order. */
  entries(): Iterable<readonly [K, MapEntry<V>]>;
  /** How many keys have a winner. */
  readonly size: number;
  /** Follows the map: first `loaded` with the full content, then changes of winners. The value ends it. */
  subscribe(listener: MapListener<K, V>): () => void;
  /**
   * Says that `key` is `value`, learned here. Nothing is written when this owner's newest opinion says so already. Resolves
   * when the store has it. While there is no connection it waits, and gives way to what others learned meanwhile.
   */
  put(key: K, value: V): Promise<Result<void, StoreError>>;
  /** Takes the own learned opinion back, only while it says `value` when one is given. No error when there is none. */
  remove(key: K, value?: V): Promise<Result<void, StoreError>>;
  /** Says that `key` is `value` by configuration, in place of what was configured before. Not bound to a session. */
  configure(key: K, value: V): Promise<Result<void, StoreError>>;
  /** Takes the configured opinions about a key back, only those that say `value` when one is given. */
  unconfigure(key: K, value?: V): Promise<Result<void, StoreError>>;
  /** Every opinion about a key with the session that owns it (0n: configured): for people, one read an opinion. */
  opinions(key: K): Promise<Result<readonly OwnedOpinion<V>[], StoreError>>;
  /** Ends the copy; own learned opinions are removed when `forget` is true, else they stay until the session ends. */
  close(options?: { readonly forget?: boolean }): Promise<void>;
}

/** The winner of a key. */
export interface MapEntry<V> {
  readonly value: V;
  readonly origin: "learned" | "configured";
  /** Sequence number from the store: the higher, the newer, within one origin. */
  readonly sequence: number;
  /** The winning opinion is this owner's. */
  readonly isOwn: boolean;
}

/** An opinion with its owner. */
export interface OwnedOpinion<V> extends MapEntry<V> {
  /** Session id, 0n for a configured opinion. */
  readonly owner: bigint;
  readonly isWinner: boolean;
}

/** What a subscriber hears. Callbacks are synchronous and must not throw. */
export interface MapListener<K, V> {
  /** Everything: at the start, and never again. */
  onLoaded(entries: readonly (readonly [K, MapEntry<V>])[]): void;
  /** The winner of a key changed; undefined when there is none any more. */
  onChange(key: K, after: MapEntry<V> | undefined, before: MapEntry<V> | undefined): void;
  /** An own learned opinion lost to a newer one of another owner and was removed. */
  onOverridden?(key: K, own: V): void;
  /** A name in the store that is no opinion of this kind; it is skipped. */
  onDamaged?(name: string, why: string): void;
}
