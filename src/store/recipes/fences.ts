import { err, ok, type Result } from "../../base/result.ts";
import { childOf, parentOf } from "../data-tree-path.ts";
import type { Tree, TreeError } from "../tree.ts";
import type { StoreConnection } from "./connection.ts";

/**
 * Fencing numbers: the id of the transaction that made a node, and above it the store's **term**. Transactions are numbered anew in
 * another store, so a store that was begun, restored or copied gets a term that is higher than that of the store before. Without a
 * node a term is 0: a store that was never restored by a release that knows of terms.
 */
const transactionBits = 64n;

/** The node of the term of the store that a path is in, so many levels above it is the root. */
export function termPathOf(path: string, levels: number): string {
  let root = path;
  for (let level = 0; level < levels; level++) root = parentOf(root);
  return childOf(root, "term");
}

/**
 * The fencing number of a node that this session was told of before. The term is read after the node was seen, so that a number never
 * has an older term than one that was given out before it. A term that is there and is none is `bad-arguments`, and logged: a number
 * without it would be lower than those that were given out before.
 */
export async function fenceOf(
  connection: StoreConnection,
  tree: Tree,
  { termPath, czxid }: { readonly termPath: string; readonly czxid: bigint },
): Promise<Result<bigint, TreeError>> {
  const read = await tree.get(termPath);
  if (!read.ok && read.error.kind !== "no-node") return err(read.error);
  const term = read.ok ? parseTerm(read.value.data) : 0n;
  connection.termSeen(termPath, term !== undefined);
  if (term === undefined) return err({ kind: "bad-arguments", path: termPath, why: "it holds no term" });
  return ok((term << transactionBits) | czxid);
}

/** A term as the node's content: decimal. */
export function formatTerm(term: bigint): Uint8Array {
  return new TextEncoder().encode(`${term}`);
}

/** The term that a node says; undefined for anything else. */
export function parseTerm(data: Uint8Array): bigint | undefined {
  const text = new TextDecoder().decode(data);
  return /^\d{1,18}$/.test(text) ? BigInt(text) : undefined;
}

/**
 * The term of a store that begins: above every term that is known of, and above that of stores which nobody remembers, as long as
 * clocks go forward. `wallMs` is the wall clock.
 */
export function nextTerm(known: readonly bigint[], wallMs: number): bigint {
  let term = BigInt(Math.max(1, Math.floor(wallMs)));
  for (const before of known) if (before >= term) term = before + 1n;
  return term;
}
