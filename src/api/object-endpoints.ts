import { type ApiError, apiError, apiErrorOf, type ErrorCode } from "../api-schema/errors.ts";
import { LIST_DEFAULT, LIST_MAX } from "../api-schema/limits.ts";
import { RESOURCES, type ResourceEntry } from "../api-schema/resources.ts";
import { listSchema } from "../api-schema/state-resource.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { Kind } from "../model/objects.ts";
import { canonicalText } from "../model/schema/formats.ts";
import type { Answer, ApiRequest, Endpoint } from "./endpoint.ts";
import { ID, type Objects, type Shown, type Target } from "./objects.ts";

const writeErrors: readonly ErrorCode[] = [
  "bad-json",
  "bad-content-type",
  "body-too-large",
  "missing-field",
  "unknown-field",
  "read-only-field",
  "bad-value",
  "duplicate-item",
  "too-many",
  "dangling-reference",
  "duplicate-name",
  "conflict",
];
const changeErrors: readonly ErrorCode[] = [...writeErrors, "not-found", "immutable-field", "version-mismatch"];

/** Create, list, read, replace, change and delete, for every kind alike. */
export function objectEndpoints(objects: Objects): readonly Endpoint[] {
  return Object.values(RESOURCES).flatMap((resource) => [
    ...collectionEndpoints(resource, objects),
    ...itemEndpoints(resource, objects),
  ]);
}

function collectionEndpoints(resource: ResourceEntry, objects: Objects): readonly Endpoint[] {
  const { kind, plural, read, create } = resource;
  const name = operationName(kind);
  const shared = { tag: plural } as const;
  return [
    {
      ...shared,
      method: "POST",
      path: `/v1/${plural}`,
      operation: `create${name}`,
      summary: `Creates a ${kind}; with an id, doing it again is harmless`,
      body: create,
      answer: read,
      status: 201,
      errors: [...writeErrors, "id-taken", ...kindErrors(kind)],
      handle: (request) => handleCreate(resource, objects, request),
    },
    {
      ...shared,
      method: "GET",
      path: `/v1/${plural}`,
      operation: `list${name}s`,
      summary: `Lists ${plural} in order of id`,
      query: listQueryOf(resource),
      answer: listAnswer(read),
      status: 200,
      errors: ["bad-query"],
      handle: (request) => handleList(resource, objects, request),
    },
  ];
}

function itemEndpoints({ kind, plural, read, patch }: ResourceEntry, objects: Objects): readonly Endpoint[] {
  const name = operationName(kind);
  const shared = { tag: plural } as const;
  const one = `/v1/${plural}/{id}`;
  return [
    {
      ...shared,
      method: "GET",
      path: one,
      operation: `get${name}`,
      summary: `Shows a ${kind}`,
      answer: read,
      status: 200,
      errors: ["not-found", "damaged-document", "newer-document"],
      handle: async (request) => answerOf(await objects.get(kind, targetOf(kind, request).id)),
    },
    {
      ...shared,
      method: "PUT",
      path: one,
      operation: `replace${name}`,
      summary: `Replaces everything that can be changed of a ${kind}`,
      body: patch,
      answer: read,
      status: 200,
      errors: [...changeErrors, ...kindErrors(kind)],
      handle: async (request) => answerOf(await objects.put(targetOf(kind, request), request.body)),
    },
    {
      ...shared,
      method: "PATCH",
      path: one,
      operation: `change${name}`,
      summary: `Changes the fields of a ${kind} that are named; null takes an optional one away`,
      body: patch,
      answer: read,
      status: 200,
      errors: [...changeErrors, ...kindErrors(kind)],
      handle: async (request) => answerOf(await objects.patch(targetOf(kind, request), request.body)),
    },
    {
      ...shared,
      method: "DELETE",
      path: one,
      operation: `delete${name}`,
      summary: `Deletes a ${kind} and what cannot be without it`,
      status: 204,
      errors: [
        "not-found",
        "version-mismatch",
        "in-use",
        "conflict",
        ...(kind === "host" ? ["host-alive" as const] : []),
      ],
      handle: async (request) => {
        const done = await objects.delete(targetOf(kind, request));
        return done.ok ? ok({}) : done;
      },
    },
  ];
}

/** The object that a path names. An id that is no UUID names nothing. */
export function targetOf<K extends Kind>(kind: K, request: ApiRequest): Target<K> {
  return { kind, id: (request.params["id"] ?? "").toLowerCase(), version: request.ifMatch };
}

/** An object as an answer. */
export function answerOf(shown: Result<Shown, ApiError>): Result<Answer, ApiError> {
  return shown.ok ? ok({ body: shown.value.resource, version: shown.value.version }) : shown;
}

/** A part of a list, and where the rest begins. Items stand in order of id. */
export function page<T extends { readonly id: string }>(items: readonly T[], query: Readonly<Record<string, string>>) {
  const limit = limitOf(query["limit"]);
  if (limit === undefined) {
    return err(apiError("bad-query", { field: "limit", expected: `a whole number from 1 to ${LIST_MAX}` }));
  }
  const after = query["after"];
  const start = after === undefined ? 0 : items.findIndex((item) => item.id > after);
  const rest = start < 0 ? [] : items.slice(start);
  const part = rest.slice(0, limit);
  const last = part.at(-1);
  return ok({ items: part, ...(rest.length > limit && last !== undefined ? { next: last.id } : {}) });
}

function limitOf(text: string | undefined): number | undefined {
  if (text === undefined) return LIST_DEFAULT;
  const limit = /^[0-9]{1,6}$/.test(text) ? Number(text) : 0;
  return limit >= 1 && limit <= LIST_MAX ? limit : undefined;
}

async function handleCreate(
  resource: ResourceEntry,
  objects: Objects,
  request: ApiRequest,
): Promise<Result<Answer, ApiError>> {
  const made = await objects.create(resource.kind, request.body);
  if (!made.ok) return made;
  const { resource: body, version, isNew } = made.value;
  return ok({ body, version, status: isNew ? 201 : 200, location: `/v1/${resource.plural}/${body.id}` });
}

async function handleList(
  resource: ResourceEntry,
  objects: Objects,
  request: ApiRequest,
): Promise<Result<Answer, ApiError>> {
  const filters = resource.filters.filter((field) => request.query[field] !== undefined);
  const found = await objects.list(resource.kind);
  if (!found.ok) return found;
  const wanted = filters.map((field) => [field, canonicalFilter(field, request.query[field] ?? "")] as const);
  const matching = found.value.resources.filter((item) =>
    wanted.every(([field, text]) => String((item as Readonly<Record<string, unknown>>)[field] ?? "") === text),
  );
  const part = page(matching, request.query);
  if (!part.ok) return part;
  const damaged = found.value.damaged.map((error) => ({ id: error.object.id, error: apiErrorOf([error]) }));
  return ok({ body: { ...part.value, ...(damaged.length === 0 ? {} : { damaged }) } });
}

/** Ids and prefixes are compared in their canonical writing. */
function canonicalFilter(field: string, text: string): string {
  if (ID.test(text)) return text.toLowerCase();
  return field === "destination" ? (canonicalText("network", text) ?? text) : text;
}

function listQueryOf(resource: ResourceEntry): Readonly<Record<string, string>> {
  const filters = resource.filters.map((field) => [field, `Only those with this ${field}`] as const);
  return {
    ...Object.fromEntries(filters),
    limit: `At most so many, 1 to ${LIST_MAX}; ${LIST_DEFAULT} when absent`,
    after: "Only those after this id: the `next` of the answer before",
  };
}

function listAnswer(read: object): object {
  const schema = listSchema(read);
  const damaged = {
    type: "array",
    description: "Objects that are there but cannot be read",
    items: { type: "object", properties: { id: { type: "string" }, error: { type: "object" } } },
  };
  return { ...schema, properties: { ...schema.properties, damaged } };
}

function operationName(kind: Kind): string {
  return kind
    .split("-")
    .map((word) => `${word.charAt(0).toUpperCase()}${word.slice(1)}`)
    .join("");
}

/** What can be wrong with one kind only. */
function kindErrors(kind: Kind): readonly ErrorCode[] {
  switch (kind) {
    case "port":
      return ["address-overlap", "gateway-off-link"];
    case "route":
      return ["next-hop-elsewhere", "gateway-off-link"];
    case "rule":
      return ["bad-condition", "chain-loop"];
    default:
      return [];
  }
}
