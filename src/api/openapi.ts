import { ERROR_CATALOGUE, type ErrorCode } from "../api-schema/errors.ts";
import type { Endpoint } from "./endpoint.ts";

/** Errors that every operation can have, and therefore none lists. */
export const COMMON_ERRORS: readonly ErrorCode[] = [
  "unauthenticated",
  "bad-request",
  "bad-query",
  "request-timeout",
  "headers-too-large",
  "store-unavailable",
  "store-denied",
  "internal",
];

/** Errors of every request that may carry a body, whether its operation reads one or not: it is read before. */
export const SENT_BODY_ERRORS: readonly ErrorCode[] = ["bad-json", "bad-content-type", "body-too-large"];

/** Errors that every operation with a body can have beyond those. */
export const READ_BODY_ERRORS: readonly ErrorCode[] = [
  "missing-field",
  "unknown-field",
  "read-only-field",
  "bad-value",
  "duplicate-item",
  "too-many",
];

/** Every error that an operation can have. */
export function errorsOf({ method, body, errors, isOpen }: Endpoint): readonly ErrorCode[] {
  return [
    ...errors,
    ...COMMON_ERRORS.filter((code) => code !== "unauthenticated" || isOpen !== true),
    ...(method === "GET" ? [] : SENT_BODY_ERRORS),
    ...(body === undefined ? [] : READ_BODY_ERRORS),
  ];
}

/** The parts of a route's schema that the OpenAPI document is made of. */
export function routeSchema(endpoint: Endpoint): Record<string, unknown> {
  const { summary, operation, tag, body, answer, status, query, isStream, isOpen } = endpoint;
  const names = [...endpoint.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? "");
  const params = Object.fromEntries(names.map((name) => [name, { type: "string" }]));
  return {
    summary,
    operationId: operation,
    tags: [tag],
    ...(names.length === 0 ? {} : { params: { type: "object", properties: params, required: names } }),
    ...(query === undefined ? {} : { querystring: { type: "object", properties: queryProperties(query) } }),
    ...(body === undefined ? {} : { body: forOpenApi(body) }),
    ...(isOpen === true ? { security: [] } : {}),
    response: {
      [status]: isStream === true ? { description: "Server-sent events" } : success(answer),
      ...errorResponses(errorsOf(endpoint)),
    },
  };
}

function success(answer: object | undefined): object {
  return answer === undefined
    ? { description: "Done", type: "null" }
    : { description: "Success", ...(forOpenApi(answer) as object) };
}

function queryProperties(query: Readonly<Record<string, string>>): Record<string, object> {
  return Object.fromEntries(
    Object.entries(query).map(([name, description]) => [name, { type: "string", description }]),
  );
}

function errorResponses(codes: readonly ErrorCode[]): Record<string, object> {
  const byStatus = Map.groupBy(new Set(codes), (code) => ERROR_CATALOGUE[code].status);
  return Object.fromEntries(
    [...byStatus].map(([status, group]) => {
      const description = group.map((code) => `${code}: ${ERROR_CATALOGUE[code].meaning}`).join("; ");
      return [status, { description, content: { "application/json": { schema: { $ref: "Error#" } } } }];
    }),
  );
}

/** The body of every error; one component of the document, which all operations refer to. */
export const errorSchema = {
  $id: "Error",
  type: "object",
  required: ["error"],
  properties: {
    error: {
      type: "object",
      required: ["code", "message", "remedy"],
      properties: {
        code: { type: "string" },
        message: { type: "string" },
        remedy: { type: "string" },
        field: { type: "string" },
        expected: { type: "string" },
        object: { type: "string" },
        more: { type: "array", items: { type: "object" } },
      },
    },
  },
} as const;

/** Our schemas as the document may show them: without keywords and formats that only our checker knows. */
function forOpenApi(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(forOpenApi);
  if (typeof schema !== "object" || schema === null) return schema;
  const { expected: _ours, ...rest } = schema as Readonly<Record<string, unknown>>;
  return Object.fromEntries(Object.entries(rest).map(([name, value]) => [name, forOpenApi(value)]));
}
