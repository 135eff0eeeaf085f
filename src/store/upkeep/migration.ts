import { assert } from "../../base/assert.ts";
import { err, ok, type Result } from "../../base/result.ts";
import { migrationRoundsMax } from "../limits.ts";
import type { StoreConnection } from "../recipes/connection.ts";
import type { Layout } from "../recipes/layout.ts";
import { type FoundLayout, formatLayout, parseLayout } from "../recipes/layout-document.ts";
import type { StoreError } from "../recipes/store-error.ts";
import type { TreeOperation } from "../tree.ts";
import { attempt } from "./check.ts";
import { type ScannedNode, type ScannedTree, scanStore } from "./store-scan.ts";

/** A node as a migration finds it, by its full path. */
export interface MigratedNode extends ScannedNode {
  readonly path: string;
}

/**
 * One step between two layouts. `convert` says what has to happen to a node so that it stands as the later layout wants it: one
 * transaction, with the version of everything that it replaces; none when the node is right already. Pure and idempotent: after
 * a crash it is asked again about every node, those that it converted included. `tree` holds all nodes by path below the root.
 */
export interface MigrationStep {
  readonly from: number;
  /** What changes, in a line for people. */
  readonly what: string;
  convert(node: MigratedNode, tree: ScannedTree): readonly TreeOperation[];
}

/** Every step there is, from the oldest layout that this release can still bring to its own. Layout 1 is the first. */
export const MIGRATION_STEPS: readonly MigrationStep[] = [];

/** What a migration would do, or did. */
export interface Migrated {
  readonly from: number;
  readonly to: number;
  /** The steps, by what they change, and how many transactions each took. */
  readonly steps: readonly { readonly what: string; readonly writes: number }[];
}

/** How a migration runs. */
export interface MigrationOptions {
  /** Default: `MIGRATION_STEPS`. */
  readonly steps?: readonly MigrationStep[];
  /** Only says what would be done. */
  readonly isDry?: boolean;
  onProgress?(done: number, all: number): void;
}

/**
 * Brings a store from its layout to the one that `layout` writes, step by step. Before a step's first write the layout's node says
 * to which layout it leads: that stops every writer, in the middle of a transaction too. It says the new layout when a full read
 * finds nothing more to convert. A crash anywhere leaves a store that says so, and the next run goes on.
 */
export async function migrateStore(
  connection: StoreConnection,
  layout: Layout,
  options: MigrationOptions = {},
): Promise<Result<Migrated, StoreError>> {
  const { steps = MIGRATION_STEPS, isDry = false } = options;
  const done: { readonly what: string; readonly writes: number }[] = [];
  const first = await readStore(connection, layout);
  if (!first.ok) return first;
  const { layout: from } = first.value.found;
  if (from > layout.written) return err({ kind: "layout-newer", found: from, supported: layout.written });
  for (let at = from; at < layout.written; at++) {
    const step = steps.find((one) => one.from === at);
    if (step === undefined) return err({ kind: "layout-older", found: at, supported: layout.written });
    const writes = isDry
      ? ok(conversions(layout, step, first.value.tree).length)
      : await runStep({ connection, layout, step, options });
    if (!writes.ok) return writes;
    done.push({ what: step.what, writes: writes.value });
  }
  return ok({ from, to: layout.written, steps: done });
}

interface StepRun {
  readonly connection: StoreConnection;
  readonly layout: Layout;
  readonly step: MigrationStep;
  readonly options: MigrationOptions;
}

async function runStep({ connection, layout, step, options }: StepRun): Promise<Result<number, StoreError>> {
  const to = step.from + 1;
  let writes = 0;
  for (let round = 0; round < migrationRoundsMax; round++) {
    const store = await readStore(connection, layout);
    if (!store.ok) return store;
    const { tree, found, version } = store.value;
    if (found.layout === to) return ok(writes);
    const say = (what: FoundLayout): TreeOperation => ({
      ...{ op: "set", path: layout.version, data: formatLayout(what), version },
    });
    if (found.migratingTo !== to) {
      const begun = await attempt(connection, [say({ layout: step.from, migratingTo: to })]);
      if (!begun.ok) return begun;
      continue;
    }
    const groups = conversions(layout, step, tree);
    if (groups.length === 0) {
      const ended = await attempt(connection, [say({ layout: to })]);
      if (!ended.ok) return ended;
      continue;
    }
    const check: TreeOperation = { op: "check", path: layout.version, version };
    for (const [i, group] of groups.entries()) {
      const written = await attempt(connection, [check, ...group]);
      if (!written.ok) return written;
      if (written.value) writes += 1;
      options.onProgress?.(i + 1, groups.length);
    }
  }
  return err({ kind: "busy", attempts: migrationRoundsMax });
}

function conversions(layout: Layout, step: MigrationStep, tree: ScannedTree): readonly (readonly TreeOperation[])[] {
  const groups: (readonly TreeOperation[])[] = [];
  for (const [path, node] of tree) {
    if (path === "layout" || path === "incomplete") continue;
    const operations = step.convert({ ...node, path: path === "" ? layout.root : `${layout.root}/${path}` }, tree);
    for (const operation of operations)
      assert(operation.path !== layout.version, "a migration's step leaves the layout's node alone", {
        step: step.what,
      });
    if (operations.length > 0) groups.push(operations);
  }
  return groups;
}

interface ReadStore {
  readonly tree: ScannedTree;
  readonly found: FoundLayout;
  readonly version: number;
}

async function readStore(connection: StoreConnection, layout: Layout): Promise<Result<ReadStore, StoreError>> {
  const tree = await scanStore(connection, { root: layout.root });
  if (!tree.ok) return tree;
  const node = tree.value.get("layout");
  const found = node && parseLayout(node.data);
  if (tree.value.has("incomplete"))
    return err({ kind: "layout-gone", why: `a copy or restore into ${layout.root} has not ended: run it again first` });
  if (node === undefined || found === undefined)
    return err({ kind: "layout-gone", why: `${layout.version} is missing or damaged: weft store restore FILE` });
  return ok({ tree: tree.value, found, version: node.stat.version });
}
