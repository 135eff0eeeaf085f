import { unreachable } from "../base/assert.ts";
import { err, ok, type Result } from "../base/result.ts";
import { pathFault } from "../store/data-tree-path.ts";
import type { CreateOptions, MultiError, OperationResult, TreeError, TreeEvent, TreeOperation } from "../store/tree.ts";
import { zookeeperLimits } from "./limits.ts";
import {
  type Acl,
  type CreateRequest,
  createFlag,
  errorCode,
  eventType,
  type MultiResult,
  type WriteOperation,
} from "./protocol.ts";
import type { CallOutcome } from "./session-types.ts";

/** The tree's error for an outcome that is not a reply. `path` is the caller's. */
export function outcomeError(outcome: Exclude<CallOutcome, { readonly kind: "reply" }>, path: string): TreeError {
  switch (outcome.kind) {
    case "error":
      return codeError(outcome.code, path);
    case "too-large":
      return { kind: "too-large", path, bytes: outcome.bytes, limit: zookeeperLimits.frameBytes };
    case "connection-loss":
    case "no-auth":
      return { kind: outcome.kind, path };
    case "session-expired":
    case "closed":
      return { kind: outcome.kind };
    default:
      return unreachable(outcome);
  }
}

/** The tree's error for a server's code. What leaves the outcome open, or is unknown to us, is `connection-loss`. */
export function codeError(code: number, path: string): TreeError {
  switch (code) {
    case errorCode.noNode:
      return { kind: "no-node", path };
    case errorCode.nodeExists:
      return { kind: "node-exists", path };
    case errorCode.badVersion:
      return { kind: "bad-version", path };
    case errorCode.notEmpty:
      return { kind: "not-empty", path };
    case errorCode.noChildrenForEphemerals:
      return { kind: "no-children-for-ephemerals", path };
    case errorCode.noAuth:
    case errorCode.authFailed:
    case errorCode.closedRequiresAuth:
      return { kind: "no-auth", path };
    case errorCode.quotaExceeded:
      return { kind: "storage-full", path };
    case errorCode.sessionExpired:
      return { kind: "session-expired" };
    case errorCode.badArguments:
      return { kind: "bad-arguments", path, why: "the server refused the arguments" };
    case errorCode.invalidAcl:
      return { kind: "bad-arguments", path, why: "the server refused the access list" };
    case errorCode.unimplemented:
      return { kind: "bad-arguments", path, why: "the server cannot do this operation" };
    case errorCode.marshallingError:
      return { kind: "bad-arguments", path, why: "the server could not read the request" };
    default:
      return { kind: "connection-loss", path };
  }
}

/** The server's code for the tree's error: the other direction, for the embedded server. */
export function errorCodeOf(error: TreeError): number {
  switch (error.kind) {
    case "no-node":
      return errorCode.noNode;
    case "node-exists":
      return errorCode.nodeExists;
    case "bad-version":
      return errorCode.badVersion;
    case "not-empty":
      return errorCode.notEmpty;
    case "no-children-for-ephemerals":
      return errorCode.noChildrenForEphemerals;
    case "bad-arguments":
    case "too-large":
      return errorCode.badArguments;
    case "no-auth":
      return errorCode.noAuth;
    case "storage-full":
      return errorCode.quotaExceeded;
    case "connection-loss":
      return errorCode.connectionLoss;
    case "session-expired":
    case "closed":
      return errorCode.sessionExpired;
    default:
      return unreachable(error);
  }
}

/** What can be known of an operation without asking a server: its arguments. */
export function operationFault(operation: TreeOperation): TreeError | undefined {
  const { path } = operation;
  const mode = operation.op === "create" ? (operation.options?.mode ?? "persistent") : "";
  const why = pathFault(mode.endsWith("-sequential") ? `${path}0` : path);
  if (why !== undefined) return { kind: "bad-arguments", path, why };
  if ("data" in operation && operation.data.length > zookeeperLimits.nodeBytes) {
    return { kind: "too-large", path, bytes: operation.data.length, limit: zookeeperLimits.nodeBytes };
  }
  return operation.op === "create" ? createFault(operation) : undefined;
}

function createFault({ path, options }: TreeOperation & { readonly op: "create" }): TreeError | undefined {
  const mode = options?.mode ?? "persistent";
  const ttlMs = options?.ttlMs;
  if (path === "/") return { kind: "node-exists", path };
  if (ttlMs === undefined) return undefined;
  if (!mode.startsWith("persistent")) {
    return { kind: "bad-arguments", path, why: "only persistent nodes have a time to live" };
  }
  if (Number.isInteger(ttlMs) && ttlMs > 0 && ttlMs <= 0xff_ffff_ffff) return undefined;
  return { kind: "bad-arguments", path, why: "ttlMs is a whole number of at most 40 bits" };
}

/** The request for a write. Its data is a copy: the request may have to wait, and the caller may reuse his buffer. */
export function writeRequestOf(operation: TreeOperation, acl: readonly Acl[]): WriteOperation {
  switch (operation.op) {
    case "create":
      return createRequestOf(operation.path, { ...operation, data: operation.data.slice() }, acl);
    case "set":
      return { op: "setData", path: operation.path, data: operation.data.slice(), version: operation.version ?? -1 };
    case "remove":
      return { op: "delete", path: operation.path, version: operation.version ?? -1 };
    case "check":
      return { op: "check", path: operation.path, version: operation.version };
    default:
      return unreachable(operation);
  }
}

const flagOf = {
  persistent: createFlag.persistent,
  ephemeral: createFlag.ephemeral,
  "persistent-sequential": createFlag.persistentSequential,
  "ephemeral-sequential": createFlag.ephemeralSequential,
  container: createFlag.container,
} as const;

function createRequestOf(
  path: string,
  { data, options = {} }: { readonly data: Uint8Array; readonly options?: CreateOptions },
  acl: readonly Acl[],
): CreateRequest {
  const mode = options.mode ?? "persistent";
  if (options.ttlMs !== undefined) {
    const flags = mode === "persistent-sequential" ? createFlag.ttlSequential : createFlag.ttl;
    return { op: "createTtl", path, data, acl, flags, ttlMs: options.ttlMs };
  }
  return { op: mode === "container" ? "createContainer" : "create", path, data, acl, flags: flagOf[mode], ttlMs: -1 };
}

/**
 * The outcome of a multi from the server's results. A failed one has an error for each operation: 0 for those before the one
 * that failed, its code, and -2 for those after it.
 */
export function multiOutcome(
  operations: readonly TreeOperation[],
  results: readonly MultiResult[],
  toClient: (path: string) => string,
): Result<readonly OperationResult[], MultiError> {
  for (const [index, result] of results.entries()) {
    if (result.op !== "error" || result.code === errorCode.ok) continue;
    return err({ index, error: codeError(result.code, operations[index]?.path ?? "/") });
  }
  return ok(results.map((result) => operationResult(result, toClient)));
}

function operationResult(result: MultiResult, toClient: (path: string) => string): OperationResult {
  switch (result.op) {
    case "create":
      return { op: "create", path: toClient(result.path) };
    case "setData":
      return { op: "set", stat: result.stat };
    case "delete":
      return { op: "remove" };
    default:
      return { op: "check" };
  }
}

/** The tree's event for a notification, or undefined for those that say nothing of a node (a watch that was removed). */
export function treeEvent(type: number, path: string): TreeEvent | undefined {
  switch (type) {
    case eventType.created:
      return { kind: "created", path };
    case eventType.deleted:
      return { kind: "deleted", path };
    case eventType.changed:
      return { kind: "changed", path };
    case eventType.children:
      return { kind: "children", path };
    default:
      return undefined;
  }
}
