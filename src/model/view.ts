import type { Id, Kind, ObjectOf } from "./objects.ts";

/**
 * A topology as it would be after a change: what validation looks at. Synchronous, so that whoever holds it (a store's
 * transaction, a cache, a test) decides how the objects got there, and may note which ones a decision was based on.
 */
export interface TopologyView {
  /** The object, or undefined when there is none. */
  get<K extends Kind>(kind: K, id: Id): ObjectOf<K> | undefined;
  /** Who has this name. `tenant` is empty for kinds whose names are global. */
  idOfName(query: NameQuery): Id | undefined;
}

/** A name within its scope. */
export interface NameQuery {
  readonly kind: Kind;
  readonly tenant: string;
  readonly name: string;
}
