import type { Result } from "../../base/result.ts";
import type { StoreError } from "./store-error.ts";

/**
 * Small facts about objects, each written by one session and gone with it: host alive, port active, status of health checks.
 * A key is the ephemeral node `<root>/state/<kind>/<name>/<id>` with a text (JSON) as content.
 *
 * What this owner has set is set again after the session expired, under the same rules.
 */
export interface StateKeys {
  /**
   * Sets a key. `first`: refused with `held` while another session owns it. `last`: taken over from whoever owns it, who
   * hears it by `onLost`. Setting an own key replaces its text. When the reply to a write is lost and somebody else takes the key
   * before this one is back, the claim is made again: it takes effect at least once, not exactly once. `store-unavailable` says that it is not there yet: it is set
   * as soon as the store is back, unless it is cleared before.
   */
  set(key: StateKey, text: string, claim: KeyClaim): Promise<Result<void, StoreError>>;
  /** Removes an own key; no error when this session does not own it. */
  clear(key: StateKey): Promise<Result<void, StoreError>>;
  /** Reads one key from the store. */
  get(key: StateKey): Promise<Result<StateValue | undefined, StoreError>>;
  /**
   * Follows every key under a prefix: one key, one object, one kind, or all. First the present ones, then changes, also across
   * sessions. `close` ends it.
   */
  watch(prefix: StatePrefix, watcher: StateWatcher): StateWatch;
}

/**
 * How a key is claimed; `onLost` is called once when another session took it, or when it was removed, and it is not set again.
 */
export interface KeyClaim {
  readonly writer: "first" | "last";
  onLost?(why: "taken" | "removed"): void;
}

/** A fact's name: about which object, and what. */
export interface StateKey {
  readonly kind: string;
  readonly id: string;
  readonly name: string;
}

/** Everything whose given parts are equal. `name` alone selects one fact of every object of a kind. */
export type StatePrefix = Partial<StateKey>;

/** A fact and the session that holds it. */
export interface StateValue {
  readonly text: string;
  readonly owner: bigint;
  /** Grows by one with each write of one owner. */
  readonly version: number;
}

/** Follows keys. Callbacks are synchronous and must not throw. */
export interface StateWatcher {
  /** All present keys, once, before any change. */
  onLoaded(values: readonly (readonly [StateKey, StateValue])[]): void;
  /** The key has another value or owner, or none any more. */
  onChange(key: StateKey, value: StateValue | undefined): void;
}

/** A watch that is held. */
export interface StateWatch {
  /** Resolves after the present keys were told. */
  readonly ready: Promise<void>;
  /** Silent at once. Idempotent. */
  close(): void;
}
