import type { Result } from "../../base/result.ts";
import type { ModelError } from "../../model/model-error.ts";
import type { Id, Kind, ObjectOf, TopologyObject } from "../../model/objects.ts";
import type { NameQuery } from "../../model/view.ts";
import type { StoreError } from "./store-error.ts";

/**
 * The virtual topology, shared by everybody: typed objects by kind and id, changed by transactions, watched.
 *
 * - A transaction over several objects happens wholly or not at all, on a state that nobody changed meanwhile (optimistic).
 * - Lists that the model marks "kept by the store" and symmetric links are kept here; what a client writes there is ignored.
 * - Deletions follow the model's rules: cascade, clear, refuse. The whole effect is one transaction.
 * - A name is unique in its scope. A create that is repeated with the same id and body succeeds.
 * - A lost connection is resolved here: a caller never learns `connection-loss`.
 * - A document that cannot be read is reported and skipped; everything else goes on.
 */
export interface TopologyStore {
  /** One object, undefined when there is none. */
  get<K extends Kind>(kind: K, id: Id): Promise<Result<StoredObject<K> | undefined, StoreError>>;
  /** All objects of a kind, in order of id, and the documents that could not be read. */
  list<K extends Kind>(kind: K): Promise<Result<ObjectList<K>, StoreError>>;
  /** Who has this name; `tenant` is empty for kinds whose names are global. */
  idOfName(query: NameQuery): Promise<Result<Id | undefined, StoreError>>;
  /** Does all changes, in order, as one. */
  transact(changes: readonly TopologyChange[]): Promise<Result<TransactionResult, StoreError>>;
  /** Follows one object: first as it is, then each time it changed, also across sessions. */
  watchObject<K extends Kind>(kind: K, id: Id, watcher: ObjectWatcher<K>): StoreWatch;
  /** Follows a kind: first all of it, then each object that changed, also across sessions. */
  watchKind<K extends Kind>(kind: K, watcher: KindWatcher<K>): StoreWatch;
}

/** An object and the version of its document: 0 at creation, one more with each change. */
export interface StoredObject<K extends Kind = Kind> {
  readonly object: ObjectOf<K>;
  readonly version: number;
}

/** What a listing found. */
export interface ObjectList<K extends Kind> {
  readonly objects: readonly StoredObject<K>[];
  readonly damaged: readonly ModelError[];
}

/**
 * One change of a transaction. `version`, when given, must be the present one. `position` is where the object stands in the
 * ordered list that refers to it (rules of a chain), default last at creation and unmoved at update.
 * `update` takes the whole object, or computes it from the present one (called again when the transaction is tried again).
 */
export type TopologyChange =
  | { readonly op: "create"; readonly object: TopologyObject; readonly position?: number }
  | { readonly op: "update"; readonly object: TopologyObject; readonly version?: number; readonly position?: number }
  | {
      readonly op: "modify";
      readonly kind: Kind;
      readonly id: Id;
      readonly version?: number;
      change(object: TopologyObject): TopologyObject;
    }
  | { readonly op: "delete"; readonly kind: Kind; readonly id: Id; readonly version?: number };

/** What a transaction did. `zxid` orders it among all others; undefined when nothing had to be written. */
export interface TransactionResult {
  /** Objects as they are stored now, one for each create, update and modify, in order. */
  readonly objects: readonly StoredObject[];
  /** Everything that was deleted, cascades included. */
  readonly deleted: readonly { readonly kind: Kind; readonly id: Id }[];
}

/** Follows one object. Callbacks are synchronous and must not throw. */
export interface ObjectWatcher<K extends Kind> {
  /** The present state, undefined when there is no such object. Called at once after the first read. */
  onObject(stored: StoredObject<K> | undefined): void;
  /** The document cannot be read; what was told before still stands. */
  onDamaged(error: ModelError): void;
}

/** Follows a kind. Callbacks are synchronous and must not throw. */
export interface KindWatcher<K extends Kind> {
  /** Everything, once, before any change. */
  onLoaded(objects: readonly StoredObject<K>[]): void;
  /** Created or changed. */
  onObject(stored: StoredObject<K>): void;
  onDeleted(id: Id): void;
  /** The document cannot be read; what was told before about this object still stands. */
  onDamaged(error: ModelError): void;
}

/** A watch that is held. */
export interface StoreWatch {
  /** Resolves after the first content was told. */
  readonly ready: Promise<void>;
  /** Silent at once. Idempotent. */
  close(): void;
}
