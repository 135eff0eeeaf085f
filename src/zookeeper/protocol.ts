import type { NodeStat } from "../store/tree.ts";

/** Operation codes (ZooDefs.OpCode of ZooKeeper 3.9). */
export const opCode = {
  create: 1,
  delete: 2,
  exists: 3,
  getData: 4,
  setData: 5,
  getAcl: 6,
  setAcl: 7,
  getChildren: 8,
  sync: 9,
  ping: 11,
  getChildren2: 12,
  check: 13,
  multi: 14,
  create2: 15,
  checkWatches: 17,
  removeWatches: 18,
  createContainer: 19,
  createTtl: 21,
  multiRead: 22,
  auth: 100,
  setWatches: 101,
  getEphemerals: 103,
  getAllChildrenNumber: 104,
  setWatches2: 105,
  addWatch: 106,
  whoAmI: 107,
  closeSession: -11,
  error: -1,
} as const;

/** Transaction numbers that are not requests of the caller (ClientCnxn of ZooKeeper 3.9). */
export const specialXid = { notification: -1, ping: -2, auth: -4, setWatches: -8 } as const;

/** Reply codes (KeeperException.Code of ZooKeeper 3.9). The embedded server says `quotaExceeded` when its disk is full. */
export const errorCode = {
  ok: 0,
  systemError: -1,
  runtimeInconsistency: -2,
  connectionLoss: -4,
  marshallingError: -5,
  unimplemented: -6,
  operationTimeout: -7,
  badArguments: -8,
  noNode: -101,
  noAuth: -102,
  badVersion: -103,
  noChildrenForEphemerals: -108,
  nodeExists: -110,
  notEmpty: -111,
  sessionExpired: -112,
  invalidAcl: -114,
  authFailed: -115,
  sessionMoved: -118,
  noWatcher: -121,
  requestTimeout: -122,
  closedRequiresAuth: -124,
  quotaExceeded: -125,
  throttled: -127,
} as const;

/** Create flags (CreateMode). */
export const createFlag = {
  persistent: 0,
  ephemeral: 1,
  persistentSequential: 2,
  ephemeralSequential: 3,
  container: 4,
  ttl: 5,
  ttlSequential: 6,
} as const;

/** Modes of addWatch. */
export const watchMode = { persistent: 0, recursive: 1 } as const;

/** Types of checkWatches and removeWatches (Watcher.WatcherType; 4 and 5 since 3.9). */
export const watcherType = { children: 1, data: 2, any: 3, persistent: 4, recursive: 5 } as const;

/** Event types of a notification (Watcher.Event.EventType). */
export const eventType = {
  none: -1,
  created: 1,
  deleted: 2,
  changed: 3,
  children: 4,
  dataWatchRemoved: 5,
  childWatchRemoved: 6,
  persistentWatchRemoved: 7,
} as const;

/** Connection state in a notification: always this one from a server. */
export const syncConnected = 3;

/** Permission bits of an ACL. */
export const permission = { read: 1, write: 2, create: 4, delete: 8, admin: 16, all: 31 } as const;

/** One entry of an access list. */
export interface Acl {
  readonly permissions: number;
  readonly scheme: string;
  readonly id: string;
}

/** Everybody may do everything. */
export const openAcl: readonly Acl[] = [{ permissions: permission.all, scheme: "world", id: "anyone" }];

/** Whoever is authenticated when the node is created may do everything, nobody else anything. */
export const creatorAcl: readonly Acl[] = [{ permissions: permission.all, scheme: "auth", id: "" }];

/** First frame of a client. `password` has 16 bytes; session 0n asks for a new one. */
export interface ConnectRequest {
  readonly lastZxid: bigint;
  readonly timeoutMs: number;
  readonly sessionId: bigint;
  readonly password: Uint8Array;
  /** Undefined when the client is so old that it does not send the byte. */
  readonly readOnly: boolean | undefined;
}

/** First frame of a server. A time-out of 0 means that the session does not exist any more. */
export interface ConnectResponse {
  readonly timeoutMs: number;
  readonly sessionId: bigint;
  readonly password: Uint8Array;
  readonly readOnly: boolean | undefined;
}

/** A create; `ttlMs` goes with the TTL flags only. `op` decides the code on the wire and the form of the reply. */
export interface CreateRequest {
  readonly op: "create" | "create2" | "createContainer" | "createTtl";
  readonly path: string;
  readonly data: Uint8Array;
  readonly acl: readonly Acl[];
  readonly flags: number;
  readonly ttlMs: number;
}

/** A delete or a check: a path and the version that it must have (-1: any). */
export interface VersionRequest {
  readonly op: "delete" | "check";
  readonly path: string;
  readonly version: number;
}

/** Replaces data. */
export interface SetDataRequest {
  readonly op: "setData";
  readonly path: string;
  readonly data: Uint8Array;
  readonly version: number;
}

/** An operation of a multi. */
export type WriteOperation = CreateRequest | VersionRequest | SetDataRequest;

/** An operation of a multiRead. */
export interface ReadOperation {
  readonly op: "getData" | "getChildren";
  readonly path: string;
}

/** Watches that a client had before it reconnected. One-shot ones are compared with `relativeZxid`, persistent ones are not. */
export interface SetWatchesRequest {
  readonly op: "setWatches" | "setWatches2";
  readonly relativeZxid: bigint;
  readonly data: readonly string[];
  readonly exist: readonly string[];
  readonly child: readonly string[];
  readonly persistent: readonly string[];
  readonly recursive: readonly string[];
}

/** Everything that a client asks for after the connect request. */
export type Request =
  | WriteOperation
  | {
      readonly op: "exists" | "getData" | "getChildren" | "getChildren2";
      readonly path: string;
      readonly watch: boolean;
    }
  | { readonly op: "getAcl" | "sync" | "getEphemerals" | "getAllChildrenNumber"; readonly path: string }
  | { readonly op: "setAcl"; readonly path: string; readonly acl: readonly Acl[]; readonly version: number }
  | { readonly op: "ping" | "closeSession" | "whoAmI" }
  | { readonly op: "auth"; readonly scheme: string; readonly auth: Uint8Array }
  | { readonly op: "multi"; readonly operations: readonly WriteOperation[] }
  | { readonly op: "multiRead"; readonly operations: readonly ReadOperation[] }
  | { readonly op: "addWatch"; readonly path: string; readonly mode: number }
  | { readonly op: "checkWatches" | "removeWatches"; readonly path: string; readonly type: number }
  | SetWatchesRequest
  | { readonly op: "unknown"; readonly code: number };

/** Result of one operation of a multi or multiRead. */
export type MultiResult =
  | { readonly op: "create"; readonly path: string; readonly stat: NodeStat | undefined }
  | { readonly op: "setData"; readonly stat: NodeStat }
  | { readonly op: "delete" | "check" }
  | { readonly op: "getData"; readonly data: Uint8Array; readonly stat: NodeStat }
  | { readonly op: "getChildren"; readonly names: readonly string[] }
  | { readonly op: "error"; readonly code: number };

/** Body of a successful reply, by the operation that was asked. */
export type Reply =
  | { readonly op: "none" }
  | { readonly op: "create"; readonly path: string; readonly stat: NodeStat | undefined }
  | { readonly op: "stat"; readonly stat: NodeStat }
  | { readonly op: "getData"; readonly data: Uint8Array; readonly stat: NodeStat }
  | { readonly op: "children"; readonly names: readonly string[]; readonly stat: NodeStat | undefined }
  | { readonly op: "acl"; readonly acl: readonly Acl[]; readonly stat: NodeStat }
  | { readonly op: "path"; readonly path: string }
  | { readonly op: "paths"; readonly paths: readonly string[] }
  | { readonly op: "count"; readonly count: number }
  | { readonly op: "multi"; readonly results: readonly MultiResult[] }
  | { readonly op: "identities"; readonly identities: readonly Identity[] };

/** Who a connection is, in whoAmI. */
export interface Identity {
  readonly scheme: string;
  readonly user: string;
}

/** A watch event on the wire. */
export interface Notification {
  readonly type: number;
  readonly path: string;
}

/** In front of every reply. `error` is one of `errorCode`, 0 when it succeeded. */
export interface ReplyHeader {
  readonly xid: number;
  readonly zxid: bigint;
  readonly error: number;
}

/** Whether a request is a single write; `multi` holds several. */
export function isWriteOperation(request: Request): request is WriteOperation {
  switch (request.op) {
    case "create":
    case "create2":
    case "createContainer":
    case "createTtl":
    case "setData":
    case "delete":
    case "check":
      return true;
    default:
      return false;
  }
}
