import { unreachable } from "../../base/assert.ts";
import { formatModelError, type ModelError, type ObjectRef } from "../../model/model-error.ts";
import { SECRET_REMEDY } from "../client-config.ts";

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
 * - `no-auth`: the store does not let us read or write `path`: our secret is not that of its nodes. Asking again does not help.
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
  | { readonly kind: "no-auth"; readonly path: string }
  | { readonly kind: "layout-newer"; readonly found: number; readonly supported: number }
  | { readonly kind: "layout-older"; readonly found: number; readonly supported: number }
  | { readonly kind: "layout-gone"; readonly why: string };

/** An error as a sentence for a log, with what to do where that is known; sessions in hexadecimal as ZooKeeper's tools show them. */
export function formatStoreError(error: StoreError): string {
  switch (error.kind) {
    case "invalid":
      return error.errors.map(formatModelError).join("; ");
    case "not-found":
      return `there is no ${nameOf(error.object)}`;
    case "already-exists":
      return `there is another ${nameOf(error.object)}`;
    case "version-conflict":
      return `${nameOf(error.object)} has version ${error.actual}, not ${error.expected}`;
    case "in-use":
      return `${error.field} of ${nameOf(error.by)} refers to ${nameOf(error.object)}`;
    case "damaged":
      return `a stored document cannot be read (${formatModelError(error.error)}): see weft store check`;
    case "too-large":
      return `${error.size} ${error.what} are more than the ${error.limit} that the store takes at once`;
    case "busy":
      return `others kept changing the same objects (${error.attempts} attempts)`;
    case "held":
      return `${error.path} belongs to session 0x${error.owner.toString(16)}`;
    case "outcome-unknown":
      return "the connection to the store was lost at a write, which may have happened";
    case "store-unavailable":
      return `the store does not serve this: ${error.why}`;
    case "no-auth":
      return `the store does not let us use ${error.path}: ${SECRET_REMEDY}`;
    case "layout-newer":
      return `the store has layout ${error.found}, this release knows ${error.supported}: upgrade`;
    case "layout-older":
      return `the store has layout ${error.found}, this release writes ${error.supported}: run weft store migrate`;
    case "layout-gone":
      return `the store cannot be used: ${error.why}`;
    default:
      return unreachable(error);
  }
}

function nameOf({ kind, id }: ObjectRef): string {
  return `${kind} ${id}`;
}
