import type { Result } from "../base/result.ts";

/**
 * The tree: ZooKeeper's contract as a small interface. Three drivers implement it: the data tree in this process (memory), a
 * client session to the embedded server, and a client session to Apache ZooKeeper; one compliance suite holds all three.
 * Everything above (topology store, replicated maps, state keys, leases, elections) is written once, over this.
 *
 * Contract, as in ZooKeeper 3.9:
 * - Paths are absolute, `/a/b`, without trailing slash; `/` exists always.
 * - Writes of one session take effect in the order in which they were called, also when not awaited (pipelining).
 * - A read sees every earlier write of the same session. Two sessions may lag behind each other until `sync`.
 * - A watch event is delivered before any reply that already reflects the change.
 * - Ephemeral nodes are deleted when their session ends, never have children, and survive a reconnect.
 * - After a lost connection a write whose reply did not arrive ends as `connection-loss`: it may or may not have happened.
 *   The recipe above resolves that, nobody else.
 * - A call made while there is no connection waits for one, for at most one session time-out; then it ends as
 *   `connection-loss`, never sent. When the session has expired or was closed, every call says so at once.
 * - Callbacks run before promises that settle at the same time: a recipe keeps the events that arrive while it reads.
 */
export interface Tree {
  /** Creates a node. The value is its full path, with the sequence number appended for sequential modes (10 digits). */
  create(path: string, data: Uint8Array, options?: CreateOptions): Promise<Result<string, TreeError>>;
  /** Reads a node. */
  get(path: string): Promise<Result<NodeContent, TreeError>>;
  /** Replaces a node's data; `version` -1 matches any. */
  set(path: string, data: Uint8Array, version?: number): Promise<Result<NodeStat, TreeError>>;
  /** Deletes a node without children; `version` -1 matches any. */
  remove(path: string, version?: number): Promise<Result<void, TreeError>>;
  /** The node's stat, or undefined when it does not exist. */
  exists(path: string): Promise<Result<NodeStat | undefined, TreeError>>;
  /** Names (not paths) of the children, in no particular order, and the parent's stat. */
  children(path: string): Promise<Result<ChildList, TreeError>>;
  /** All or nothing. On failure nothing happened and the error names the first operation that failed. */
  multi(operations: readonly TreeOperation[]): Promise<Result<readonly OperationResult[], MultiError>>;
  /**
   * Watches a node and, when `recursive`, everything under it, until `close` (persistent watches, ZooKeeper 3.6).
   * The node need not exist. After every reconnect `resync` is called once: events may have been missed, read again.
   */
  watch(path: string, options: WatchOptions): Promise<Result<TreeWatch, TreeError>>;
  /** Resolves when this session has seen every write that was acknowledged to anyone before the call. */
  sync(path: string): Promise<Result<void, TreeError>>;
  /** The session behind this tree. */
  readonly session: Session;
  /** Ends the session: its ephemeral nodes go now. Idempotent. */
  close(): Promise<void>;
}

/** What takes up a session in another process. As secret as a password. */
export interface SessionTicket {
  readonly id: bigint;
  readonly password: Uint8Array;
  /** Last transaction seen: a server that is behind it is not spoken to. */
  readonly lastZxid: bigint;
}

/** A tree whose session can outlive the process: for a restart or a hand-over. */
export interface ResumableTree extends Tree {
  /** What another process needs to go on with this session; id 0n when there is none yet. */
  exportSession(): SessionTicket;
  /** Paths of this session's own ephemeral nodes at and under a path: what an earlier process of it has made too. */
  ephemerals(path: string): Promise<Result<readonly string[], TreeError>>;
  /** Stops without ending the session: it lives on at the server until its time-out, for another process to resume. */
  detach(): void;
}

/** `container` nodes go some time after their last child went. `ttlMs` nodes go some time after that long without change. */
export interface CreateOptions {
  readonly mode?: "persistent" | "ephemeral" | "persistent-sequential" | "ephemeral-sequential" | "container";
  readonly ttlMs?: number;
}

/** Data and stat of one node. */
export interface NodeContent {
  readonly data: Uint8Array;
  readonly stat: NodeStat;
}

/** Children of a node. */
export interface ChildList {
  readonly names: readonly string[];
  readonly stat: NodeStat;
}

/** ZooKeeper's Stat. Transaction ids and session ids are bigint: 64 bits on the wire. Times are Unix milliseconds. */
export interface NodeStat {
  readonly czxid: bigint;
  readonly mzxid: bigint;
  readonly pzxid: bigint;
  readonly ctime: number;
  readonly mtime: number;
  readonly version: number;
  readonly cversion: number;
  readonly aversion: number;
  /** Session id of the owner, 0n for a node that is not ephemeral. */
  readonly ephemeralOwner: bigint;
  readonly dataLength: number;
  readonly childCount: number;
}

/** One operation of a multi. */
export type TreeOperation =
  | { readonly op: "create"; readonly path: string; readonly data: Uint8Array; readonly options?: CreateOptions }
  | { readonly op: "set"; readonly path: string; readonly data: Uint8Array; readonly version?: number }
  | { readonly op: "remove"; readonly path: string; readonly version?: number }
  | { readonly op: "check"; readonly path: string; readonly version: number };

/** Result of one operation of a multi, in order. */
export type OperationResult =
  | { readonly op: "create"; readonly path: string }
  | { readonly op: "set"; readonly stat: NodeStat }
  | { readonly op: "remove" }
  | { readonly op: "check" };

/**
 * Every way in which an operation can fail.
 * `connection-loss`: the outcome is unknown. `session-expired`: nothing of this session works any more; open a new one.
 */
export type TreeError =
  | { readonly kind: "no-node"; readonly path: string }
  | { readonly kind: "node-exists"; readonly path: string }
  | { readonly kind: "bad-version"; readonly path: string }
  | { readonly kind: "not-empty"; readonly path: string }
  | { readonly kind: "no-children-for-ephemerals"; readonly path: string }
  | { readonly kind: "bad-arguments"; readonly path: string; readonly why: string }
  | { readonly kind: "no-auth"; readonly path: string }
  | { readonly kind: "too-large"; readonly path: string; readonly bytes: number; readonly limit: number }
  | { readonly kind: "storage-full"; readonly path: string }
  | { readonly kind: "connection-loss"; readonly path: string }
  | { readonly kind: "session-expired" }
  | { readonly kind: "closed" };

/** A multi that failed: the position of the operation that failed, or undefined when the whole request did. */
export interface MultiError {
  readonly index: number | undefined;
  readonly error: TreeError;
}

/** What happened to a node. Carries no data: read, or put the data into the name (replicated maps do). */
export interface TreeEvent {
  readonly kind: "created" | "changed" | "deleted" | "children";
  readonly path: string;
}

/** What to watch and whom to tell. */
export interface WatchOptions {
  /** Recursive watches see created, changed and deleted of every node under the path; others also `children` of the node. */
  readonly recursive: boolean;
  onEvent(event: TreeEvent): void;
  /** Events may have been missed (reconnect): read the subtree again. Not called at the first watch. */
  onResync(): void;
}

/** A watch that is held. Closing it stops events at once. */
export interface TreeWatch {
  close(): void;
}

/** State of a session. `suspended`: connection lost, the session may still be alive; `expired` and `closed` are final. */
export type SessionState = "connecting" | "connected" | "suspended" | "expired" | "closed";

/** The session behind a tree: the owner of its ephemeral nodes. */
export interface Session {
  readonly state: SessionState;
  /** 0n until the first connection. */
  readonly id: bigint;
  /** Negotiated time-out in milliseconds. */
  readonly timeoutMs: number;
  /** Called at every change of state. */
  onState(listener: (state: SessionState) => void): void;
}
