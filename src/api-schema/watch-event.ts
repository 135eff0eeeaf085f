import type { Id, Kind } from "../model/objects.ts";
import type { ApiError } from "./errors.ts";
import type { ResourceOf } from "./resources.ts";

/**
 * What GET /v1/watch sends, one server-sent event each; `event:` is the `type`, `data:` the whole as JSON. First an `object`
 * for everything that is there, then `synced` once, then what changes. A client that was cut off opens a new watch and
 * compares: nothing is replayed.
 */
export type WatchEvent =
  | { readonly [K in Kind]: { readonly type: "object"; readonly kind: K; readonly object: ResourceOf<K> } }[Kind]
  | { readonly type: "deleted"; readonly kind: Kind; readonly id: Id }
  /** The store holds something unreadable under this object's id; what was told before still stands. */
  | { readonly type: "damaged"; readonly kind: Kind; readonly id: Id; readonly error: ApiError }
  | { readonly type: "synced" };
