import type { ModelError, ModelErrorKind } from "../model/model-error.ts";

/** One error that the API can answer: its HTTP status, what happened, what to do. */
export interface ErrorEntry {
  readonly status: number;
  readonly meaning: string;
  readonly remedy: string;
}

const asksForCare = "correct the field and send the request again";
const readAgain = "read the object again and repeat the change on what it is now";

/**
 * Every error of the API. Codes are stable: programs may compare them. 400 is a request that no state could accept, 422 one
 * that this topology cannot, 409 one that collides with something that could go away.
 */
export const ERROR_CATALOGUE = {
  "bad-request": {
    status: 400,
    meaning: "what came is not a request of HTTP",
    remedy: "send HTTP/1.1; see the client's manual",
  },
  "bad-json": { status: 400, meaning: "the body is not JSON", remedy: "send one JSON object" },
  "bad-query": {
    status: 400,
    meaning: "a query parameter is unknown or has a bad value",
    remedy: "see the parameters of the path in /v1/openapi.json",
  },
  "missing-field": { status: 400, meaning: "a field that is needed is absent", remedy: "add the field" },
  "unknown-field": {
    status: 400,
    meaning: "the object has no such field",
    remedy: "remove the field, or correct its name",
  },
  "read-only-field": {
    status: 400,
    meaning: "the field is kept by weft and cannot be written",
    remedy: "leave the field out",
  },
  "bad-value": { status: 400, meaning: "a field has a value that it cannot have", remedy: asksForCare },
  "duplicate-item": { status: 400, meaning: "a list names the same thing twice", remedy: "name it once" },
  "too-many": {
    status: 400,
    meaning: "a list or an object is larger than its limit",
    remedy: "split it; see docs/reference/limits.md",
  },
  "bad-condition": { status: 400, meaning: "a condition of a rule contradicts itself", remedy: asksForCare },
  "linked-and-bound": {
    status: 400,
    meaning: "a port is linked or bound, never both",
    remedy: "unlink or unbind the port first",
  },
  "immutable-field": {
    status: 400,
    meaning: "the field is fixed when the object is created",
    remedy: "delete the object and create another",
  },
  "bad-frame": {
    status: 400,
    meaning: "the frame of a trace is not a frame",
    remedy: "send an Ethernet frame of 14 to 9216 bytes in hexadecimal",
  },
  unauthenticated: {
    status: 401,
    meaning: "the token is missing or wrong",
    remedy: "send Authorization: Bearer TOKEN; weft reads WEFT_TOKEN",
  },
  "not-found": {
    status: 404,
    meaning: "there is no such object",
    remedy: "check the id; list the objects of the kind",
  },
  "no-path": { status: 404, meaning: "there is no such path", remedy: "see /v1/openapi.json" },
  "bad-method": { status: 405, meaning: "the path does not know this method", remedy: "see /v1/openapi.json" },
  "request-timeout": {
    status: 408,
    meaning: "the request did not arrive within its time",
    remedy: "send it faster; see docs/reference/limits.md",
  },
  "id-taken": {
    status: 409,
    meaning: "the id belongs to an object with another content",
    remedy: "leave out the id, or update the object that has it",
  },
  "duplicate-name": {
    status: 409,
    meaning: "another object of the kind has this name",
    remedy: "choose another name, or rename the other",
  },
  "peer-taken": {
    status: 409,
    meaning: "the port at the other end is linked or bound elsewhere",
    remedy: "unlink or unbind that port first",
  },
  "already-linked": { status: 409, meaning: "the port is linked to another port", remedy: "unlink it first" },
  "already-bound": { status: 409, meaning: "the port is bound to another interface", remedy: "unbind it first" },
  "interface-taken": {
    status: 409,
    meaning: "another port is bound to this interface",
    remedy: "unbind that port, or name another interface",
  },
  "in-use": {
    status: 409,
    meaning: "another object needs this one",
    remedy: "delete or change the object that the answer names",
  },
  "host-alive": { status: 409, meaning: "the host's agent is running", remedy: "stop the agent first" },
  conflict: {
    status: 409,
    meaning: "others changed the same objects at the same time, again and again",
    remedy: "repeat the request",
  },
  "version-mismatch": {
    status: 412,
    meaning: "the object is not in the version that the request names",
    remedy: readAgain,
  },
  "body-too-large": {
    status: 413,
    meaning: "the body is larger than the limit",
    remedy: "send less; see docs/reference/limits.md",
  },
  "bad-content-type": {
    status: 415,
    meaning: "the body is not announced as JSON",
    remedy: "send Content-Type: application/json",
  },
  "dangling-reference": {
    status: 422,
    meaning: "the object refers to one that does not exist",
    remedy: "create that one first, or correct the id",
  },
  "peer-asymmetric": {
    status: 422,
    meaning: "the other end of a link does not name this port",
    remedy: "link ports with POST /v1/ports/{id}/link",
  },
  "address-overlap": {
    status: 422,
    meaning: "two ports of a router have overlapping subnets",
    remedy: "choose another subnet",
  },
  "next-hop-elsewhere": {
    status: 422,
    meaning: "the next hop's port is not one of the router's",
    remedy: "name a port of the same router",
  },
  "gateway-off-link": {
    status: 422,
    meaning: "the gateway cannot be reached through the port",
    remedy: "name an address in a subnet of the port",
  },
  "chain-loop": {
    status: 422,
    meaning: "the jump would lead back to its own chain, or too deep",
    remedy: "jump to another chain",
  },
  "headers-too-large": {
    status: 431,
    meaning: "the headers are larger than the 16 KiB that are read",
    remedy: "send fewer or shorter headers",
  },
  "too-many-watches": {
    status: 429,
    meaning: "as many watches are open as the server allows",
    remedy: "close one; see docs/reference/limits.md",
  },
  "damaged-document": {
    status: 500,
    meaning: "the store holds something under this id that is no object",
    remedy: "delete the object, or repair the document in the store",
  },
  "newer-document": { status: 500, meaning: "a later release wrote the object", remedy: "upgrade this server" },
  internal: { status: 500, meaning: "a bug in weft", remedy: "report it with the server's log" },
  "agent-failed": {
    status: 502,
    meaning: "the host's agent answered with an error or with something unreadable",
    remedy: "see the agent's log",
  },
  "store-unavailable": {
    status: 503,
    meaning: "the store cannot be reached, or has no quorum",
    remedy: "repeat the request; what runs goes on running",
  },
  "store-denied": {
    status: 503,
    meaning: "the store does not take the server's secret",
    remedy: "correct the server's store-secret-file and start it again; its log has store.denied",
  },
  "outcome-unknown": {
    status: 503,
    meaning: "the connection to the store broke during the change, which may have happened",
    remedy: "read the object, then repeat if need be",
  },
  overloaded: {
    status: 503,
    meaning: "as many changes wait as the server allows",
    remedy: "repeat the request, and send fewer at a time",
  },
  "agent-not-alive": {
    status: 503,
    meaning: "the host has no running agent",
    remedy: "start the agent; see weft hosts",
  },
  "agent-timeout": {
    status: 504,
    meaning: "the host's agent did not answer in time",
    remedy: "see the agent's load and log",
  },
} as const satisfies Readonly<Record<string, ErrorEntry>>;

/** The name of an error. */
export type ErrorCode = keyof typeof ERROR_CATALOGUE;

/** An error as it is answered, under the key `error`. */
export interface ApiError {
  readonly code: ErrorCode;
  /** One sentence for people. */
  readonly message: string;
  readonly remedy: string;
  /** Path of the field, such as `nextHop.gateway`. */
  readonly field?: string;
  /** Completes "expected ...". */
  readonly expected?: string;
  /** The object that is wrong or in the way, as `kind id`. */
  readonly object?: string;
  /** Further errors of the same request. */
  readonly more?: readonly FieldError[];
}

/** A further error of one request. */
export interface FieldError {
  readonly code: ErrorCode;
  readonly field: string;
  readonly expected: string;
}

/** The body of every answer that is not a success. */
export interface ErrorBody {
  readonly error: ApiError;
}

/** What is said about an error beyond its code. */
export interface ErrorDetail {
  readonly field?: string;
  readonly expected?: string;
  readonly object?: string;
  readonly more?: readonly FieldError[];
}

/** An error with the catalogue's words. */
export function apiError(code: ErrorCode, detail: ErrorDetail = {}): ApiError {
  const { meaning, remedy } = ERROR_CATALOGUE[code];
  const subject = [
    detail.object,
    detail.field === undefined || detail.field === "" ? undefined : `field ${detail.field}`,
  ];
  const where = subject.filter((part) => part !== undefined).join(", ");
  const wanted = detail.expected === undefined ? "" : `; expected ${detail.expected}`;
  return { code, message: `${where === "" ? "" : `${where}: `}${meaning}${wanted}`, remedy, ...detail };
}

/** What an error of the model is to a client. Every kind of the model is a code of the catalogue. */
export function apiErrorOf(errors: readonly ModelError[]): ApiError {
  const [first, ...rest] = errors;
  if (first === undefined) return apiError("internal");
  const object = `${first.object.kind} ${first.object.id}`;
  const more = rest.map(({ kind, field, expected }) => ({ code: codeOf(kind), field, expected }));
  const { field, expected } = first;
  return apiError(codeOf(first.kind), { field, expected, object, ...(more.length === 0 ? {} : { more }) });
}

/** The HTTP status of an error. */
export function statusOf(code: ErrorCode): number {
  return ERROR_CATALOGUE[code].status;
}

/** True for a text that is a code of the catalogue. */
export function isErrorCode(text: unknown): text is ErrorCode {
  return typeof text === "string" && Object.hasOwn(ERROR_CATALOGUE, text);
}

function codeOf(kind: ModelErrorKind): ErrorCode {
  return kind;
}
