import { assert, unreachable } from "../base/assert.ts";
import type { Instant } from "../base/clock.ts";
import { err, ok, type Result } from "../base/result.ts";
import { type Accepted, Draft } from "./data-tree-draft.ts";
import type { TreeNode } from "./data-tree-node.ts";
import { NodeTrie } from "./data-tree-nodes.ts";
import { pathFault } from "./data-tree-path.ts";
import type { SnapshotEntry, TransactionRecord, TreeChange } from "./data-tree-record.ts";
import { SessionTable, samePassword, type TreeSession } from "./data-tree-sessions.ts";
import { setWatches, type WatchLists } from "./data-tree-set-watches.ts";
import { type WatchNotice, WatchTable } from "./data-tree-watches.ts";
import {
  multiOperationsMax,
  nodeBytesMax,
  sessionsMax,
  sessionTimeoutMaxMs,
  sessionTimeoutMinMs,
  treeBytesMax,
  treeNodesMax,
} from "./limits.ts";
import type {
  ChildList,
  MultiError,
  NodeContent,
  NodeStat,
  OperationResult,
  TreeError,
  TreeEvent,
  TreeOperation,
} from "./tree.ts";

/** Both clocks of the server at one moment: `now` (monotonic) for sessions, `wall` (Unix) for ctime, mtime and ttl. */
export interface Moment {
  readonly now: Instant;
  readonly wall: Instant;
}

/**
 * What came of a write. Do in this order: append `record` to the log (when there is one), send `events`, send `reply`.
 * A write that failed has no record and no events.
 */
export interface Outcome<T, E = TreeError> {
  readonly reply: Result<T, E>;
  readonly events: readonly WatchNotice[];
  readonly record: TransactionRecord | undefined;
}

/** Why a session could not be resumed or opened. */
export type SessionRefusal = { readonly kind: "session-expired" } | { readonly kind: "too-many-sessions" };

/** Bounds of a tree; the defaults stand in limits.ts. */
export interface TreeLimits {
  readonly nodesMax: number;
  readonly bytesMax: number;
  readonly sessionsMax: number;
}

/**
 * ZooKeeper's contract (see tree.ts) as a pure state machine: nodes, sessions, ephemerals, watches, transaction ids. No
 * clock, no I/O, no randomness: time and passwords are arguments, what is to be logged and sent is returned.
 *
 * Durable by replay: `apply` of every record in order, or of those after a snapshot, gives the same tree. Watches and
 * deadlines are not durable. Content arrays are kept as given: neither side may change one afterwards.
 * The cost of an operation depends on the depth of its path and the number of its watchers, never on the size of the tree.
 */
export class DataTree {
  readonly watches = new WatchTable();
  readonly sessions = new SessionTable();
  readonly #limits: TreeLimits;
  readonly #nodes = new NodeTrie();
  #zxid = 0;
  #nextSession = 1n;

  constructor(limits: Partial<TreeLimits> = {}) {
    this.#limits = { nodesMax: treeNodesMax, bytesMax: treeBytesMax, sessionsMax, ...limits };
  }

  /** Id of the last committed transaction. */
  get zxid(): number {
    return this.#zxid;
  }

  /** Nodes, the root included. */
  get nodes(): number {
    return this.#nodes.count;
  }

  /** Bytes of names and content. */
  get bytes(): number {
    return this.#nodes.bytes;
  }

  /** Whether a sweep may ever find something: there are containers or nodes with a time to live. */
  get needsSweep(): boolean {
    return this.#nodes.hasPerishables;
  }

  // Sessions.

  /** Opens a session. The time-out asked for is brought into the limits; `password` is 16 secret bytes. */
  openSession(timeoutMs: number, password: Uint8Array, at: Moment): Outcome<TreeSession, SessionRefusal> {
    if (this.sessions.size >= this.#limits.sessionsMax) return refused({ kind: "too-many-sessions" });
    const session = this.#nextSession;
    const granted = Math.min(sessionTimeoutMaxMs, Math.max(sessionTimeoutMinMs, Math.floor(timeoutMs) || 0));
    const change: TreeChange = { op: "open-session", session, timeoutMs: granted, password };
    const { record, events } = this.#commit([change], { session, at });
    return { reply: ok(this.#touched(session, at.now)), events, record };
  }

  /** Takes a session up again after a lost connection. Its watches are gone: see `setWatches`. */
  resumeSession(id: bigint, password: Uint8Array, at: Moment): Result<TreeSession, SessionRefusal> {
    const session = this.sessions.get(id);
    if (session === undefined || !samePassword(session.password, password)) return err({ kind: "session-expired" });
    this.watches.drop(id);
    return ok(this.#touched(id, at.now));
  }

  /** The session was heard of. False when it has ended. */
  touch(id: bigint, now: Instant): boolean {
    const session = this.sessions.get(id);
    if (session === undefined) return false;
    session.deadline = now + session.timeoutMs;
    return true;
  }

  /** Ends a session: its ephemeral nodes go in one transaction. Ending it twice is no error and has no record. */
  closeSession(id: bigint, at: Moment): Outcome<void> {
    if (this.sessions.get(id) === undefined) return { reply: ok(undefined), events: [], record: undefined };
    const { record, events } = this.#commit([{ op: "close-session", session: id }], { session: id, at });
    return { reply: ok(undefined), events, record };
  }

  /** The connection of a session has gone: its watches go, the session stays until its deadline. */
  disconnected(id: bigint): void {
    this.watches.drop(id);
  }

  /** Ends every session that was not heard of in time. */
  expireSessions(at: Moment): readonly Outcome<void>[] {
    return this.sessions.overdue(at.now).map((id) => this.closeSession(id, at));
  }

  /** Every session gets its full time again: after a restart, before the first client comes back. */
  renewSessions(now: Instant): void {
    for (const session of this.sessions.values()) session.deadline = now + session.timeoutMs;
  }

  // Reads. They see every write that was applied.

  /** Content and stat of a node. */
  get(path: string): Result<NodeContent, TreeError> {
    const node = this.#existing(path);
    return node.ok ? ok({ data: node.value.data, stat: node.value.stat() }) : node;
  }

  /** Stat of a node, undefined when it does not exist. */
  exists(path: string): Result<NodeStat | undefined, TreeError> {
    const fault = pathFault(path);
    if (fault !== undefined) return err({ kind: "bad-arguments", path, why: fault });
    return ok(this.#nodes.find(path)?.stat());
  }

  /** Names of the children, in order of creation, and the node's stat. */
  children(path: string): Result<ChildList, TreeError> {
    const node = this.#existing(path);
    return node.ok ? ok({ names: [...node.value.children.keys()], stat: node.value.stat() }) : node;
  }

  // Writes.

  /** One create, set or remove. */
  write(operation: TreeOperation, session: bigint, at: Moment): Outcome<OperationResult> {
    const { reply, events, record } = this.multi([operation], session, at);
    if (!reply.ok) return { reply: err(reply.error.error), events, record };
    const [result] = reply.value;
    assert(result !== undefined, "a write has one result");
    return { reply: ok(result), events, record };
  }

  /** Several operations, all or nothing. */
  multi(
    operations: readonly TreeOperation[],
    session: bigint,
    at: Moment,
  ): Outcome<readonly OperationResult[], MultiError> {
    if (this.sessions.get(session) === undefined)
      return refused({ index: undefined, error: { kind: "session-expired" } });
    const judged = this.#judge(operations);
    if (!judged.ok) return { reply: judged, events: [], record: undefined };
    const changes = judged.value.flatMap(({ change }) => (change === undefined ? [] : [change]));
    if (changes.length === 0) {
      return { reply: ok(operations.map(() => ({ op: "check" }) as const)), events: [], record: undefined };
    }
    const stats: NodeStat[] = [];
    const { record, events } = this.#commit(changes, { session, at, stats });
    return { reply: ok(judged.value.map(({ op, path }) => resultOf(op, path, stats))), events, record };
  }

  /** Removes containers that lost their last child and ttl nodes whose time has passed. Call it about once a minute. */
  sweep(at: Moment): Outcome<number> {
    const changes = this.#nodes.perished(at.wall).map((path): TreeChange => ({ op: "remove", path }));
    if (changes.length === 0) return { reply: ok(0), events: [], record: undefined };
    const { record, events } = this.#commit(changes, { session: 0n, at });
    return { reply: ok(changes.length), events, record };
  }

  // Watches that a client brings back.

  /**
   * Registers the watches of a client that last saw `since`, and returns the events that one-shot watches missed
   * (ZooKeeper's setWatches2). Persistent watches get no missed events: their holder reads again.
   */
  setWatches(session: bigint, since: number, lists: WatchLists): readonly TreeEvent[] {
    return setWatches({ watches: this.watches, find: (path) => this.#nodes.find(path), session, since }, lists);
  }

  // Durability.

  /** Applies a committed record: replay of a log. The events are those that the write caused; replay drops them. */
  apply(record: TransactionRecord): readonly WatchNotice[] {
    return this.#apply(record, []);
  }

  #apply(record: TransactionRecord, stats: NodeStat[]): readonly WatchNotice[] {
    assert(record.zxid === this.#zxid + 1, "records apply in order", { zxid: record.zxid, last: this.#zxid });
    this.#zxid = record.zxid;
    const notices: WatchNotice[] = [];
    for (const change of record.changes) {
      this.#applyChange(change, record, notices);
      if (change.op === "set") stats.push((this.#nodes.find(change.path) as TreeNode).stat());
    }
    return notices;
  }

  /** The whole tree as entries; taken within one synchronous run, else later writes mix in. */
  *snapshot(): Generator<SnapshotEntry> {
    yield { entry: "head", zxid: this.#zxid, nextSession: this.#nextSession };
    for (const { id, timeoutMs, password } of this.sessions.values()) {
      yield { entry: "session", session: id, timeoutMs, password };
    }
    yield* this.#nodes.snapshot();
  }

  /** A tree from the entries of a snapshot, in their order. Sessions have no deadline yet: call `renewSessions`. */
  static restore(entries: Iterable<SnapshotEntry>, limits: Partial<TreeLimits> = {}): DataTree {
    const tree = new DataTree(limits);
    for (const entry of entries) tree.#restoreEntry(entry);
    tree.#sortEphemerals();
    return tree;
  }

  #touched(id: bigint, now: Instant): TreeSession {
    this.touch(id, now);
    const session = this.sessions.get(id);
    assert(session !== undefined, "the session lives");
    return session;
  }

  #judge(operations: readonly TreeOperation[]): Result<readonly Accepted[], MultiError> {
    if (operations.length > multiOperationsMax) {
      const why = `a multi has at most ${multiOperationsMax} operations`;
      return err({ index: undefined, error: { kind: "bad-arguments", path: "/", why } });
    }
    const draft = new Draft((path) => this.#nodes.find(path));
    const accepted: Accepted[] = [];
    for (const [index, operation] of operations.entries()) {
      const judged = draft.add(operation);
      if (!judged.ok) return err({ index, error: judged.error });
      accepted.push(judged.value);
    }
    const path = accepted[0]?.path ?? "/";
    if (draft.bytes > nodeBytesMax) {
      return err({ index: undefined, error: { kind: "too-large", path, bytes: draft.bytes, limit: nodeBytesMax } });
    }
    const isFull =
      (draft.nodes > 0 && this.nodes + draft.nodes > this.#limits.nodesMax) ||
      (draft.growth > 0 && this.bytes + draft.growth > this.#limits.bytesMax);
    return isFull ? err({ index: undefined, error: { kind: "storage-full", path } }) : ok(accepted);
  }

  #commit(changes: readonly TreeChange[], mark: CommitMark): Commit {
    const { session, at, stats } = mark;
    const record: TransactionRecord = { zxid: this.#zxid + 1, time: Math.floor(at.wall), session, changes };
    return { record, events: this.#apply(record, stats ?? []) };
  }

  #applyChange(change: TreeChange, record: TransactionRecord, notices: WatchNotice[]): void {
    switch (change.op) {
      case "create": {
        const { owner } = this.#nodes.create(change, record);
        if (owner !== 0n) this.sessions.get(owner)?.ephemerals.add(change.path);
        this.watches.created(change.path, notices);
        break;
      }
      case "set":
        this.#nodes.set(change.path, change.data, record);
        this.watches.changed(change.path, notices);
        break;
      case "remove":
        this.#applyRemove(change.path, record, notices);
        break;
      case "open-session":
        this.sessions.add(change);
        if (change.session >= this.#nextSession) this.#nextSession = change.session + 1n;
        break;
      case "close-session": {
        this.watches.drop(change.session);
        const paths = this.sessions.get(change.session)?.ephemerals ?? [];
        for (const path of [...paths]) this.#applyRemove(path, record, notices);
        this.sessions.remove(change.session);
        break;
      }
      default:
        unreachable(change);
    }
  }

  #applyRemove(path: string, record: TransactionRecord, notices: WatchNotice[]): void {
    const { owner } = this.#nodes.remove(path, record);
    if (owner !== 0n) this.sessions.get(owner)?.ephemerals.delete(path);
    this.watches.deleted(path, notices);
  }

  #restoreEntry(entry: SnapshotEntry): void {
    switch (entry.entry) {
      case "head":
        this.#zxid = entry.zxid;
        this.#nextSession = entry.nextSession;
        break;
      case "session":
        this.sessions.add(entry);
        break;
      case "node": {
        const { owner } = this.#nodes.restore(entry);
        if (owner !== 0n) this.sessions.get(owner)?.ephemerals.add(entry.path);
        break;
      }
      default:
        unreachable(entry);
    }
  }

  #sortEphemerals(): void {
    for (const { ephemerals } of this.sessions.values()) {
      const paths = [...ephemerals].sort(
        (a, b) => (this.#nodes.find(a)?.czxid ?? 0) - (this.#nodes.find(b)?.czxid ?? 0),
      );
      ephemerals.clear();
      for (const path of paths) ephemerals.add(path);
    }
  }

  #existing(path: string): Result<TreeNode, TreeError> {
    const fault = pathFault(path);
    if (fault !== undefined) return err({ kind: "bad-arguments", path, why: fault });
    const node = this.#nodes.find(path);
    return node === undefined ? err({ kind: "no-node", path }) : ok(node);
  }
}

interface CommitMark {
  readonly session: bigint;
  readonly at: Moment;
  /** Receives the stat after each set. */
  readonly stats?: NodeStat[];
}

interface Commit {
  readonly record: TransactionRecord;
  readonly events: readonly WatchNotice[];
}

function refused<E>(error: E): Outcome<never, E> {
  return { reply: err(error), events: [], record: undefined };
}

/** The result of an accepted operation; takes the stats of sets from the front. */
function resultOf(op: TreeOperation["op"], path: string, stats: NodeStat[]): OperationResult {
  switch (op) {
    case "create":
      return { op, path };
    case "set":
      return { op, stat: stats.shift() as NodeStat };
    case "remove":
    case "check":
      return { op };
    default:
      return unreachable(op);
  }
}
