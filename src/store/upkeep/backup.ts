import { isoTime } from "../../base/clock.ts";
import { err, ok, type Result } from "../../base/result.ts";
import type { StoreConnection } from "../recipes/connection.ts";
import { parseTerm } from "../recipes/fences.ts";
import type { Layout } from "../recipes/layout.ts";
import { parseLayout } from "../recipes/layout-document.ts";
import type { StoreError } from "../recipes/store-error.ts";
import { type Backup, backupFormat } from "./backup-text.ts";
import { type FillPlan, planFill } from "./fill-plan.ts";
import { type Filled, fillStore } from "./fill-store.ts";
import { placeOf } from "./node-place.ts";
import { type PersistentNode, persistentPart } from "./persistent-part.ts";
import { type ScannedTree, scanStore } from "./store-scan.ts";

/** The persistent part of a whole store, as it was at one moment. */
export interface StoreSnapshot {
  readonly layout: number;
  readonly nodes: readonly PersistentNode[];
  /** What fencing numbers of this store begin with. */
  readonly term: bigint;
}

/** Told now and then how far a long work is; `of` is undefined when nobody knows yet. */
export type Progress = (what: "read" | "written", done: number, of: number | undefined) => void;

/** Reads the persistent part of a store. Refuses one that is not whole: its copy would look as if it were. */
export async function takeSnapshot(
  connection: StoreConnection,
  layout: Layout,
  onProgress: Progress = () => undefined,
): Promise<Result<StoreSnapshot, StoreError>> {
  const tree = await scanStore(connection, {
    root: layout.root,
    onProgress: (nodes) => onProgress("read", nodes, undefined),
  });
  return tree.ok ? snapshotOf(tree.value, layout) : tree;
}

function snapshotOf(tree: ScannedTree, layout: Layout): Result<StoreSnapshot, StoreError> {
  if (tree.has("incomplete")) {
    return err({ kind: "layout-gone", why: `a copy or restore into ${layout.root} has not ended: run it again first` });
  }
  const node = tree.get("layout");
  const found = node === undefined ? undefined : parseLayout(node.data);
  if (found === undefined) {
    const why = node === undefined ? `there is no ${layout.version}` : `${layout.version} says no version`;
    return err({ kind: "layout-gone", why: `${why}: this is no whole weft store` });
  }
  if (found.layout > layout.written) {
    return err({ kind: "layout-newer", found: found.layout, supported: layout.written });
  }
  if (found.migratingTo !== undefined)
    return err({ kind: "layout-older", found: found.layout, supported: found.migratingTo });
  for (const [path, { isUnreadable }] of tree) {
    if (isUnreadable && placeOf(path).place !== "foreign")
      return err({
        kind: "store-unavailable",
        why: `no-auth at ${layout.root}/${path}: what we take would not be whole`,
      });
  }
  // Of a damaged term nothing is known: whoever fills a store with this begins one above the clock.
  const term = tree.get("term");
  const known = term === undefined ? undefined : parseTerm(term.data);
  return ok({ layout: found.layout, nodes: persistentPart(tree), term: known ?? 0n });
}

/** A snapshot as a backup. `takenAtMs` is the wall clock's. */
export function backupOf(
  { layout, nodes, term }: StoreSnapshot,
  about: { readonly root: string; readonly release: string; readonly takenAtMs: number },
): Backup {
  const takenAt = isoTime(about.takenAtMs);
  return { head: { weftBackup: backupFormat, layout, ...about, takenAt, term: `${term}`, nodes: nodes.length }, nodes };
}

/** What a restore or a copy would find at its target, and do there. */
export interface FillPreview {
  readonly plan: FillPlan;
  /** Whether there is a layout: the store is in use. */
  readonly hasLayout: boolean;
  /** Whether a copy or restore began here and did not end; what it said about itself. */
  readonly incomplete: string | undefined;
}

/** Looks at a target without touching it. */
export async function previewFill(
  connection: StoreConnection,
  layout: Layout,
  wanted: readonly PersistentNode[],
): Promise<Result<FillPreview, StoreError>> {
  const target = await scanStore(connection, { root: layout.root });
  if (!target.ok) return target;
  const marker = target.value.get("incomplete");
  return ok({
    plan: planFill(layout.root, target.value, wanted),
    hasLayout: target.value.has("layout"),
    incomplete: marker === undefined ? undefined : new TextDecoder().decode(marker.data),
  });
}

/** Brings a backup's content into a store, whatever is there. Ask `previewFill` before. */
export function restoreBackup(
  connection: StoreConnection,
  layout: Layout,
  restore: { readonly backup: Backup; readonly onProgress?: Progress },
): Promise<Result<Filled, StoreError>> {
  const { head, nodes } = restore.backup;
  return fillStore(connection, layout, {
    wanted: nodes,
    layoutVersion: head.layout,
    term: BigInt(head.term ?? "0"),
    what: `restore of the backup of ${head.takenAt}`,
    onProgress: (done, all) => restore.onProgress?.("written", done, all),
  });
}

/** Two stores, each with its connection and its place in the tree. */
export interface CopyEnds {
  readonly from: { readonly connection: StoreConnection; readonly layout: Layout };
  readonly to: { readonly connection: StoreConnection; readonly layout: Layout };
  /** Names the source, for whoever finds the marker. */
  readonly source: string;
  readonly onProgress?: Progress;
}

/** What a copy came to. */
export interface Copied extends Filled {
  readonly nodes: number;
  /** Times that the source was written to meanwhile, and what changed was copied too. */
  readonly repeats: number;
}

/**
 * Copies the persistent part of one store into another, compares both, and looks whether the source has changed since: what did
 * is copied too. The target becomes whole only when it equals a source that stood still; a source that does not ends as `busy`.
 */
export async function copyStore(ends: CopyEnds): Promise<Result<Copied, StoreError>> {
  const { from, to, onProgress = () => undefined } = ends;
  const taken = await takeSnapshot(from.connection, from.layout, onProgress);
  if (!taken.ok) return taken;
  let nodes = taken.value.nodes;
  let looks = 0;
  const filled = await fillStore(to.connection, to.layout, {
    wanted: nodes,
    layoutVersion: taken.value.layout,
    term: taken.value.term,
    what: `copy of ${ends.source}`,
    onProgress: (done, all) => onProgress("written", done, all),
    latest: async () => {
      looks += 1;
      const again = await takeSnapshot(from.connection, from.layout, onProgress);
      if (!again.ok) return again;
      if (again.value.layout !== taken.value.layout) return err({ kind: "busy", attempts: looks });
      nodes = again.value.nodes;
      return ok(nodes);
    },
  });
  return filled.ok ? ok({ ...filled.value, nodes: nodes.length, repeats: looks - 1 }) : filled;
}
