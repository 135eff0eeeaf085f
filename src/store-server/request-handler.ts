import type { Result } from "../base/result.ts";
import type { DataTree, Moment, Outcome } from "../store/data-tree.ts";
import type { TransactionRecord } from "../store/data-tree-record.ts";
import type { WatchNotice } from "../store/data-tree-watches.ts";
import { watchesMax } from "../store/limits.ts";
import type { MultiError, OperationResult, TreeError, TreeEvent } from "../store/tree.ts";
import {
  errorCode,
  type Identity,
  isWriteOperation,
  type MultiResult,
  openAcl,
  type Reply,
  type Request,
  type SetWatchesRequest,
  type WriteOperation,
  watcherType,
  watchMode,
} from "../zookeeper/protocol.ts";
import { errorCodeOf } from "../zookeeper/translate.ts";
import { aclFault, operationOf } from "./operations.ts";

/** Who asks, when, and of what. */
export interface RequestContext {
  readonly tree: DataTree;
  readonly session: bigint;
  readonly at: Moment;
  readonly identities: readonly Identity[];
  /** The disk is full: what would have to be written is refused before it touches the tree. */
  readonly isFull: boolean;
}

/** What a request came to. To be done in this order: log `record`, send `events`, send the reply. */
export interface Handled {
  /** One of `errorCode`. */
  readonly error: number;
  readonly reply: Reply;
  readonly events: readonly WatchNotice[];
  /** Events for the session that asked, in front of its reply. */
  readonly missed: readonly TreeEvent[];
  readonly record: TransactionRecord | undefined;
}

const none: Reply = { op: "none" };

/** Serves one request. `auth` is the connection's own business and does not come here. */
export function handleRequest(request: Request, context: RequestContext): Handled {
  const { tree, session } = context;
  if (isWriteOperation(request)) return write(request, context);
  switch (request.op) {
    case "multi":
      return multi(request.operations, context);
    case "exists":
    case "getData":
    case "getChildren":
    case "getChildren2":
      return read(request, context);
    case "multiRead":
      return replied({ op: "multi", results: request.operations.map(({ op, path }) => readResult(tree, op, path)) });
    case "sync":
      return replied({ op: "path", path: request.path });
    case "ping":
      return replied(none);
    case "closeSession": {
      if (context.isFull) return failed(errorCode.quotaExceeded);
      const { events, record } = tree.closeSession(session, context.at);
      return { ...replied(none), events, record };
    }
    case "whoAmI":
      return replied({ op: "identities", identities: context.identities });
    case "addWatch":
      return addWatch(request.path, request.mode, context);
    case "removeWatches":
      return removeWatches(request.path, request.type, context);
    case "setWatches":
    case "setWatches2":
      return setWatches(request, context);
    default:
      return handleRare(request, context);
  }
}

function handleRare(request: Request, { tree, session, identities }: RequestContext): Handled {
  switch (request.op) {
    case "getAcl": {
      const node = tree.get(request.path);
      return node.ok ? replied({ op: "acl", acl: openAcl, stat: node.value.stat }) : failed(errorCodeOf(node.error));
    }
    case "setAcl": {
      const node = tree.get(request.path);
      if (!node.ok) return failed(errorCodeOf(node.error));
      const fault = aclFault(request.acl, identities.length > 1);
      return fault === undefined ? replied({ op: "stat", stat: node.value.stat }) : failed(fault);
    }
    case "getEphemerals": {
      const own = tree.sessions.get(session)?.ephemerals ?? new Set<string>();
      return replied({ op: "paths", paths: [...own].filter((path) => path.startsWith(request.path)) });
    }
    default:
      return failed(errorCode.unimplemented);
  }
}

function write(request: WriteOperation, context: RequestContext): Handled {
  const operation = operationOf(request, context.identities.length > 1);
  if (!operation.ok) return failed(operation.error);
  if (context.isFull && request.op !== "check") return failed(errorCode.quotaExceeded);
  const { tree, session, at } = context;
  const { reply, events, record } = tree.write(operation.value, session, at);
  if (!reply.ok) return failed(errorCodeOf(reply.error));
  return { error: errorCode.ok, reply: writeReply(request, reply.value, tree), events, missed: [], record };
}

function writeReply(request: WriteOperation, result: OperationResult, tree: DataTree): Reply {
  switch (result.op) {
    case "create": {
      const stat = request.op === "create" ? undefined : tree.exists(result.path);
      return { op: "create", path: result.path, stat: stat?.ok === true ? stat.value : undefined };
    }
    case "set":
      return { op: "stat", stat: result.stat };
    case "remove":
      return none;
    case "check": {
      const stat = tree.exists(request.path);
      return stat.ok && stat.value !== undefined ? { op: "stat", stat: stat.value } : none;
    }
  }
}

function multi(requests: readonly WriteOperation[], context: RequestContext): Handled {
  const { tree, session, at } = context;
  const operations = [];
  for (const [index, request] of requests.entries()) {
    const operation = operationOf(request, context.identities.length > 1);
    if (!operation.ok) return replied({ op: "multi", results: multiFailure(requests.length, index, operation.error) });
    operations.push(operation.value);
  }
  if (context.isFull && operations.some(({ op }) => op !== "check")) return failed(errorCode.quotaExceeded);
  const outcome = tree.multi(operations, session, at);
  return multiHandled(requests, outcome, tree);
}

/**
 * The reply to writes that were applied elsewhere, as by the leader of an ensemble; `tree` is as they left it.
 * `requests`: of a multi all of them, else the one.
 */
export function answerToWrites(
  request: Request,
  requests: readonly WriteOperation[],
  { tree, reply }: { readonly tree: DataTree; readonly reply: Result<readonly OperationResult[], MultiError> },
): Pick<Handled, "error" | "reply"> {
  if (request.op === "multi") return multiHandled(requests, { reply, events: [], record: undefined }, tree);
  if (!reply.ok) return failed(errorCodeOf(reply.error.error));
  const [only] = requests;
  const [result] = reply.value;
  if (only === undefined || result === undefined) return replied(none);
  return replied(writeReply(only, result, tree));
}

function multiHandled(
  requests: readonly WriteOperation[],
  { reply, events, record }: Outcome<readonly OperationResult[], MultiError>,
  tree: DataTree,
): Handled {
  if (!reply.ok) {
    const { index, error } = reply.error;
    const code = errorCodeOf(error);
    return index === undefined
      ? failed(code)
      : replied({ op: "multi", results: multiFailure(requests.length, index, code) });
  }
  const results = reply.value.map((result, index) => multiResult(requests[index], result, tree));
  return { error: errorCode.ok, reply: { op: "multi", results }, events, missed: [], record };
}

function multiResult(request: WriteOperation | undefined, result: OperationResult, tree: DataTree): MultiResult {
  switch (result.op) {
    case "create": {
      const stat = request?.op === "create" ? undefined : tree.exists(result.path);
      return { op: "create", path: result.path, stat: stat?.ok === true ? stat.value : undefined };
    }
    case "set":
      return { op: "setData", stat: result.stat };
    case "remove":
      return { op: "delete" };
    case "check":
      return { op: "check" };
  }
}

/** An error for each operation: 0 before the one that failed, its code, and "not tried" after it. */
function multiFailure(count: number, index: number, code: number): MultiResult[] {
  return Array.from({ length: count }, (_, i): MultiResult => {
    if (i === index) return { op: "error", code };
    return { op: "error", code: i < index ? errorCode.ok : errorCode.runtimeInconsistency };
  });
}

type ReadRequest = Extract<Request, { readonly op: "exists" | "getData" | "getChildren" | "getChildren2" }>;

function read(request: ReadRequest, context: RequestContext): Handled {
  const { tree } = context;
  const { path } = request;
  switch (request.op) {
    case "exists": {
      const found = tree.exists(path);
      if (found.ok && request.watch) watchOnce("data", path, context);
      if (!found.ok) return failed(errorCodeOf(found.error));
      return found.value === undefined ? failed(errorCode.noNode) : replied({ op: "stat", stat: found.value });
    }
    case "getData": {
      const content = tree.get(path);
      if (!content.ok) return failed(errorCodeOf(content.error));
      if (request.watch) watchOnce("data", path, context);
      return replied({ op: "getData", ...content.value });
    }
    case "getChildren":
    case "getChildren2": {
      const list = tree.children(path);
      if (!list.ok) return failed(errorCodeOf(list.error));
      if (request.watch) watchOnce("child", path, context);
      const stat = request.op === "getChildren2" ? list.value.stat : undefined;
      return replied({ op: "children", names: list.value.names, stat });
    }
  }
}

function readResult(tree: DataTree, op: "getData" | "getChildren", path: string): MultiResult {
  const result: Result<MultiResult, TreeError> = op === "getData" ? contentResult(tree, path) : namesResult(tree, path);
  return result.ok ? result.value : { op: "error", code: errorCodeOf(result.error) };
}

function contentResult(tree: DataTree, path: string): Result<MultiResult, TreeError> {
  const content = tree.get(path);
  return content.ok ? { ok: true, value: { op: "getData", ...content.value } } : content;
}

function namesResult(tree: DataTree, path: string): Result<MultiResult, TreeError> {
  const list = tree.children(path);
  return list.ok ? { ok: true, value: { op: "getChildren", names: list.value.names } } : list;
}

function watchOnce(target: "data" | "child", path: string, { tree, session }: RequestContext): void {
  // A client that asks for more than the tree may hold goes without, as its read has succeeded.
  if (tree.watches.size < watchesMax) tree.watches.add(target, session, { path, mode: "once" });
}

function addWatch(path: string, mode: number, { tree, session }: RequestContext): Handled {
  const known = tree.exists(path);
  if (!known.ok) return failed(errorCodeOf(known.error));
  if (mode !== watchMode.persistent && mode !== watchMode.recursive) return failed(errorCode.badArguments);
  if (tree.watches.size >= watchesMax) return failed(errorCode.quotaExceeded);
  tree.watches.addPersistent(session, path, mode === watchMode.recursive);
  return replied({ op: "count", count: 0 });
}

function removeWatches(path: string, type: number, { tree, session }: RequestContext): Handled {
  const { watches } = tree;
  const remove = (): boolean => {
    switch (type) {
      case watcherType.any:
        return watches.remove("any", session, path);
      case watcherType.data:
        return watches.remove("data", session, path);
      case watcherType.children:
        return watches.remove("child", session, path);
      default:
        return watches.removePersistent(session, path, type === watcherType.recursive);
    }
  };
  return remove() ? replied(none) : failed(errorCode.noWatcher);
}

function setWatches(request: SetWatchesRequest, { tree, session }: RequestContext): Handled {
  const missed = tree.setWatches(session, Number(request.relativeZxid), request);
  return { ...replied(none), missed };
}

function replied(reply: Reply): Handled {
  return { error: errorCode.ok, reply, events: [], missed: [], record: undefined };
}

function failed(error: number): Handled {
  return { error, reply: none, events: [], missed: [], record: undefined };
}
