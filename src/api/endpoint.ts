import type { IncomingMessage, ServerResponse } from "node:http";
import type { ApiError, ErrorCode } from "../api-schema/errors.ts";
import type { Result } from "../base/result.ts";
import type { JsonSchema } from "../model/schema/json-schema.ts";

/** An operation of the API: what it is called, takes, answers, and does. The OpenAPI document and the routes come from it. */
export interface Endpoint {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Path with parameters in braces. */
  readonly path: string;
  /** Name for programs that are generated from the document. */
  readonly operation: string;
  /** One line for people. */
  readonly summary: string;
  /** Group in the document. */
  readonly tag: string;
  /** Query parameters and what they mean; others are refused. */
  readonly query?: Readonly<Record<string, string>>;
  /** Schema of the body; without one a body is ignored. */
  readonly body?: object;
  /** Schema of the answer. */
  readonly answer?: object;
  /** Status of success. */
  readonly status: 200 | 201 | 204;
  /** Errors beyond those that every operation can have. */
  readonly errors: readonly ErrorCode[];
  /** True when the answer is not JSON but a stream that the handler writes itself. */
  readonly isStream?: true;
  /** True when no token is needed. */
  readonly isOpen?: true;
  handle(request: ApiRequest): Promise<Result<Answer, ApiError>>;
}

/** A request after authentication, body and query as they came. */
export interface ApiRequest {
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  readonly body: unknown;
  /** Version of `If-Match`; undefined when absent or `*`. */
  readonly ifMatch: number | undefined;
  /** For streams only. */
  readonly raw: { readonly request: IncomingMessage; readonly response: ServerResponse };
}

/** A success. */
export interface Answer {
  readonly body?: unknown;
  /** Instead of the operation's usual status. */
  readonly status?: 200 | 201;
  /** For `ETag`. */
  readonly version?: number;
  /** For `Location`. */
  readonly location?: string;
}

/** Schemas as data: an endpoint's body is checked by the handler, which knows its type. */
export type BodySchema = JsonSchema;
