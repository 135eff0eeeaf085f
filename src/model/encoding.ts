import { err, ok, type Result } from "../base/result.ts";
import { DOCUMENT_BYTES_MAX } from "./limits.ts";
import type { ModelError, ObjectRef } from "./model-error.ts";
import type { Id, Kind, ObjectOf, TopologyObject } from "./objects.ts";
import { MODEL_REGISTRY } from "./registry.ts";
import { checkSchema } from "./schema/check.ts";
import { validateAlone } from "./validate.ts";

/** Where a document was found: errors name it even when the document itself is unreadable. */
export interface DocumentKey<K extends Kind> {
  readonly kind: K;
  readonly id: Id;
}

/**
 * The stored form: JSON with `v`, the version of the encoding, first. Two equal objects give equal text, whatever the order in
 * which their fields were set, so that a store may compare texts.
 */
export function encodeObject(object: TopologyObject): string {
  return JSON.stringify({ v: MODEL_REGISTRY[object.kind].version, ...(sorted(object) as object) });
}

/**
 * Reads a stored document. Whatever its content, the outcome is a value: `damaged-document` (no JSON, not of its schema, not
 * the object of its key), `newer-document` (of a later release: named, never guessed), or the object.
 */
export function decodeObject<K extends Kind>(key: DocumentKey<K>, text: string): Result<ObjectOf<K>, ModelError> {
  const damaged = (field: string, expected: string): Result<ObjectOf<K>, ModelError> =>
    err({ kind: "damaged-document", object: refOf(key), field, expected });
  if (text.length > DOCUMENT_BYTES_MAX) return damaged("", `at most ${DOCUMENT_BYTES_MAX} bytes`);
  const document = parseDocument(text);
  if (document === undefined) return damaged("", "a JSON object");
  const { v, ...body } = document;
  const { version, schema } = MODEL_REGISTRY[key.kind];
  if (typeof v !== "number" || !Number.isInteger(v) || v < 1)
    return damaged("v", "the version of the encoding, from 1");
  if (v > version)
    return err({ kind: "newer-document", object: refOf(key), field: "v", expected: `at most ${version}` });
  if (body["kind"] !== key.kind) return damaged("kind", key.kind);
  if (body["id"] !== key.id) return damaged("id", key.id);
  const problem = checkSchema(schema, body, { canonical: true })[0];
  if (problem !== undefined) return damaged(problem.field, problem.expected);
  const object = body as unknown as ObjectOf<K>;
  const wrong = validateAlone(object)[0];
  return wrong === undefined ? ok(object) : damaged(wrong.field, wrong.expected);
}

function refOf(key: DocumentKey<Kind>): ObjectRef {
  return { kind: key.kind, id: key.id };
}

function parseDocument(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** Fields in alphabetical order, `kind` and `id` first, so that a person who reads the store sees at once what it is. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const rank = (name: string): number => (name === "kind" ? 0 : name === "id" ? 1 : 2);
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  entries.sort(([a], [b]) => rank(a) - rank(b) || (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, item]) => [name, sorted(item)]));
}
