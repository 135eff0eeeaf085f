/** Which object an error is about. `id` is what the document claims, or the key under which it was found. */
export interface ObjectRef {
  readonly kind: string;
  readonly id: string;
}

/**
 * What can be wrong with an object, alone or among others. Each kind is one line of the error catalogue of the API and one
 * branch at every reader.
 * Alone: `missing-field`, `unknown-field`, `bad-value`, `linked-and-bound`, `bad-condition`, `duplicate-item`.
 * As a document: `damaged-document` (no JSON, or not of its schema), `newer-document` (written by a later release).
 * Among others: all the rest.
 */
export type ModelErrorKind =
  | "missing-field"
  | "unknown-field"
  | "bad-value"
  | "linked-and-bound"
  | "bad-condition"
  | "duplicate-item"
  | "damaged-document"
  | "newer-document"
  | "dangling-reference"
  | "duplicate-name"
  | "peer-taken"
  | "peer-asymmetric"
  | "address-overlap"
  | "interface-taken"
  | "next-hop-elsewhere"
  | "gateway-off-link"
  | "chain-loop"
  | "immutable-field"
  | "too-many";

/** An error of the model. `field` is a path such as `nextHop.gateway` or `members[2].address`; empty means the whole object. */
export interface ModelError {
  readonly kind: ModelErrorKind;
  readonly object: ObjectRef;
  readonly field: string;
  /** A sentence part that completes "expected ...": what would have been right. */
  readonly expected: string;
}

/** One line for a log or a terminal. */
export function formatModelError(error: ModelError): string {
  const where = error.field === "" ? "" : ` field ${error.field}`;
  return `${error.object.kind} ${error.object.id}${where}: ${error.kind}, expected ${error.expected}`;
}
