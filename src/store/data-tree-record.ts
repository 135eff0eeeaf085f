import type { NodeLifetime } from "./data-tree-node.ts";

/**
 * One committed write, complete: applying the same records in order to an empty tree gives the same tree.
 * The server appends it to its log before the reply leaves. Plain values only (bigint and Uint8Array included).
 */
export interface TransactionRecord {
  /** Transaction id: 1 for the first, one more each time. */
  readonly zxid: number;
  /** Wall clock of the server, Unix milliseconds: becomes ctime and mtime. */
  readonly time: number;
  /** The session that asked; 0n for what the server did by itself (expiry, sweep). */
  readonly session: bigint;
  /** In order. Several only for a multi. */
  readonly changes: readonly TreeChange[];
}

/** One change of a record: nothing in it can fail any more. */
export type TreeChange =
  | {
      readonly op: "create";
      readonly path: string;
      readonly data: Uint8Array;
      readonly lifetime: NodeLifetime;
      readonly ttlMs: number;
    }
  | { readonly op: "set"; readonly path: string; readonly data: Uint8Array }
  | { readonly op: "remove"; readonly path: string }
  | {
      readonly op: "open-session";
      readonly session: bigint;
      readonly timeoutMs: number;
      /** 16 bytes that a client shows to resume the session. */
      readonly password: Uint8Array;
    }
  | { readonly op: "close-session"; readonly session: bigint };

/** One piece of a snapshot. Sessions come before nodes, a parent before its children. */
export type SnapshotEntry =
  | { readonly entry: "head"; readonly zxid: number; readonly nextSession: bigint }
  | { readonly entry: "session"; readonly session: bigint; readonly timeoutMs: number; readonly password: Uint8Array }
  | {
      readonly entry: "node";
      readonly path: string;
      readonly data: Uint8Array;
      readonly lifetime: NodeLifetime;
      readonly ttlMs: number;
      readonly owner: bigint;
      readonly czxid: number;
      readonly mzxid: number;
      readonly pzxid: number;
      readonly ctime: number;
      readonly mtime: number;
      readonly version: number;
      readonly creates: number;
    };
