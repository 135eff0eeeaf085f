import type { ModelError, ObjectRef } from "../../model/model-error.ts";

/**
 * Every way in which a recipe can fail. Nothing happened, except with `outcome-unknown`.
 *
 * - `invalid`: what the model says about the objects of the transaction (dangling references and taken names included).
 * - `not-found`, `already-exists` (another body under this id), `version-conflict` (not the version the caller expected).
 * - `in-use`: a deletion refused because `by` refers to the object in `field`.
 * - `damaged`: a stored document cannot be read; the transaction needs it.
 * - `too-large`: the transaction expands to more writes, or to more bytes, than the store takes at once.
 * - `busy`: others kept changing the same objects for every attempt; try again.
 * - `held`: a first-writer key belongs to another session.
 * - `outcome-unknown`: the connection and the session were lost while the store was writing; read and see.
 * - `store-unavailable`: no connection for too long, or the store refuses service.
 * - `layout-newer`: the store was written by a later release; nothing is touched.
 * - `layout-older`: the store has an older layout, or is being migrated from it: nothing is written before `weft store migrate`.
 * - `layout-gone`: the store has lost its layout, or is being restored: nothing is written before `weft store restore`.
 */
export type StoreError =
  | { readonly kind: "invalid"; readonly errors: readonly ModelError[] }
  | { readonly kind: "not-found"; readonly object: ObjectRef }
  | { readonly kind: "already-exists"; readonly object: ObjectRef }
  | {
      readonly kind: "version-conflict";
      readonly object: ObjectRef;
      readonly expected: number;
      readonly actual: number;
    }
  | { readonly kind: "in-use"; readonly object: ObjectRef; readonly by: ObjectRef; readonly field: string }
  | { readonly kind: "damaged"; readonly error: ModelError }
  | { readonly kind: "too-large"; readonly what: "operations" | "bytes"; readonly size: number; readonly limit: number }
  | { readonly kind: "busy"; readonly attempts: number }
  | { readonly kind: "held"; readonly path: string; readonly owner: bigint; readonly value: string }
  | { readonly kind: "outcome-unknown" }
  | { readonly kind: "store-unavailable"; readonly why: string }
  | { readonly kind: "layout-newer"; readonly found: number; readonly supported: number }
  | { readonly kind: "layout-older"; readonly found: number; readonly supported: number }
  | { readonly kind: "layout-gone"; readonly why: string };

/** An error as text for a log or a sentence: its JSON, sessions in hexadecimal as ZooKeeper's tools show them. Never throws. */
export function formatStoreError(error: StoreError): string {
  return JSON.stringify(error, (_name, value: unknown) =>
    typeof value === "bigint" ? `0x${value.toString(16)}` : value,
  );
}
