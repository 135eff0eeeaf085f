import { err, ok, type Result } from "../../base/result.ts";
import type { Kind } from "../../model/objects.ts";
import { parentOf } from "../data-tree-path.ts";
import type { TreeOperation } from "../tree.ts";
import type { StoreConnection } from "./connection.ts";
import { deletionCountersMax } from "./deletion-counts.ts";
import { formatTerm, nextTerm } from "./fences.ts";
import type { Layout } from "./layout.ts";
import { type FoundLayout, formatLayout, parseLayout } from "./layout-document.ts";
import { steadily, storeError, unavailable } from "./steadily.ts";
import type { StoreError } from "./store-error.ts";

const noBytes = new Uint8Array(0);

/** How a layout is opened. */
export interface OpenLayoutOptions {
  readonly kinds: readonly Kind[];
  /** Whether an empty store may be given a layout. Who has seen one before finds a store that was emptied, and must not. */
  readonly mayCreate: boolean;
}

/** A layout that was found fit, and the version of its node: whoever writes checks it. Whoever reads looks for its last write. */
export interface OpenedLayout extends FoundLayout {
  readonly nodeVersion: number;
  readonly mzxid: bigint;
}

/** Makes sure that the layout in the store is one that this release can read, and that its folders exist. */
export async function openLayout(
  connection: StoreConnection,
  layout: Layout,
  { kinds, mayCreate }: OpenLayoutOptions,
): Promise<Result<OpenedLayout, StoreError>> {
  const found = await findLayout(connection, layout, mayCreate);
  if (!found.ok) return found;
  const refusal = readRefusal(layout, found.value);
  if (refusal !== undefined) return err(refusal);
  // Folders belong to the layout that this release writes.
  if (writeRefusal(layout, found.value) !== undefined) return found;
  const folders = kinds.flatMap((kind) => [layout.kind(kind), layout.names(kind)]);
  const counters = Array.from({ length: deletionCountersMax }, (_, counter) => layout.deletions(counter));
  const made = await makeFolders(connection, [layout.transactions, ...folders, ...counters]);
  return made.ok ? found : made;
}

/**
 * Looks whether this release can read the store, and makes nothing. Undefined: there is no layout, the store is empty or was emptied.
 */
export async function lookAtLayout(
  connection: StoreConnection,
  layout: Layout,
): Promise<Result<FoundLayout | undefined, StoreError>> {
  const read = await steadily(connection, (tree) => tree.get(layout.version));
  if (!read.ok) return read.error.kind === "no-node" ? ok(undefined) : err(storeError(read.error));
  const found = parseLayout(read.value.data);
  if (found === undefined) return err(unreadable(layout));
  const refusal = readRefusal(layout, found);
  return refusal === undefined ? ok(found) : err(refusal);
}

function unreadable({ version }: Layout): StoreError {
  return { kind: "layout-gone", why: `the node ${version} does not say which layout this is: see weft store check` };
}

/** Why this release cannot read such a store; undefined when it can. */
function readRefusal({ written }: Layout, { layout }: FoundLayout): StoreError | undefined {
  if (layout > written) return { kind: "layout-newer", found: layout, supported: written };
  if (layout < written - 1) return { kind: "layout-older", found: layout, supported: written };
  return undefined;
}

/** Why this release must not write to a store that it reads; undefined when it may. */
export function writeRefusal({ written }: Layout, { layout, migratingTo }: FoundLayout): StoreError | undefined {
  if (migratingTo !== undefined && migratingTo > written)
    return { kind: "layout-newer", found: migratingTo, supported: written };
  const isOlder = layout !== written || migratingTo !== undefined;
  return isOlder ? { kind: "layout-older", found: layout, supported: written } : undefined;
}

/** Creates the paths and everything above them, where they do not exist. */
export async function makeFolders(
  connection: StoreConnection,
  paths: readonly string[],
): Promise<Result<void, StoreError>> {
  const all = [...new Set(paths.flatMap(withParents))];
  // Mostly everything is there: reads are cheaper than refused writes.
  const present = await Promise.all(all.map((path) => steadily(connection, (tree) => tree.exists(path))));
  const absent = all.filter((_, i) => present[i]?.ok !== true || present[i].value === undefined);
  if (absent.length > 0 && !(await mayMake(connection))) return err(unavailable(EMPTIED));
  const byDepth = absent.sort((a, b) => a.split("/").length - b.split("/").length);
  const made = await Promise.all(
    byDepth.map((path) => steadily(connection, (tree) => tree.create(path, noBytes, { mode: "persistent" }))),
  );
  for (const result of made) {
    if (!result.ok && result.error.kind !== "node-exists") return err(storeError(result.error));
  }
  return ok(undefined);
}

/** Reads the layout's node, and makes it when the store is empty and may be begun. */
async function findLayout(
  connection: StoreConnection,
  layout: Layout,
  mayCreate: boolean,
): Promise<Result<OpenedLayout, StoreError>> {
  for (let attempt = 0; attempt < findAttemptsMax; attempt++) {
    const read = await steadily(connection, (tree) => tree.get(layout.version));
    if (read.ok) {
      const found = parseLayout(read.value.data);
      const { version: nodeVersion, mzxid } = read.value.stat;
      if (found !== undefined) return ok({ ...found, nodeVersion, mzxid });
      return err(unreadable(layout));
    }
    if (read.error.kind !== "no-node") return err(storeError(read.error));
    const partial = await steadily(connection, (tree) => tree.exists(layout.incomplete));
    if (!partial.ok) return err(storeError(partial.error));
    if (partial.value !== undefined) return err(beingFilled(layout));
    if (!mayCreate) return err(emptied(layout));
    const rooted = await makeFolders(connection, [layout.root]);
    if (!rooted.ok) return rooted;
    const term = await steadily(connection, (tree) => tree.exists(layout.term));
    if (!term.ok) return err(storeError(term.error));
    const begun = term.value === undefined ? nextTerm([], connection.scheduler.clock.wall()) : undefined;
    const made = await steadily(connection, async (tree) => {
      const reply = await tree.multi(creationOf(layout, begun));
      return reply.ok ? ok(undefined) : err(reply.error.error);
    });
    const isLost = !made.ok && made.error.kind !== "node-exists" && made.error.kind !== "no-node";
    if (isLost) return err(storeError(made.error));
  }
  return err(unavailable(`${layout.version} came and went`));
}

/** The layout's node, made only while nobody fills the store: a copy that begins at the same moment wins. */
function creationOf(layout: Layout, term: bigint | undefined): readonly TreeOperation[] {
  const terms: TreeOperation[] =
    term === undefined ? [] : [{ op: "create", path: layout.term, data: formatTerm(term) }];
  return [
    { op: "create", path: layout.incomplete, data: noBytes },
    { op: "create", path: layout.version, data: formatLayout({ layout: layout.written }) },
    ...terms,
    { op: "remove", path: layout.incomplete },
  ];
}

function beingFilled({ root }: Layout): StoreError {
  const why = `a copy or restore into ${root} has not ended: wait for it, or run it again`;
  return { kind: "layout-gone", why };
}

function emptied({ root }: Layout): StoreError {
  const why = `everything under ${root} is gone: bring it back with weft store restore, or start anew to begin empty`;
  return { kind: "layout-gone", why };
}

function withParents(path: string): readonly string[] {
  return path === "/" ? [] : [...withParents(parentOf(path)), path];
}

/** Attempts at reading or making the layout's node while others do the same. */
const findAttemptsMax = 8;

/** Why nothing is made in a store that was emptied. */
export const EMPTIED = "the store was emptied: nothing is made in it before it is restored";

/** Whether something may be made in the store, see `StoreGuard`. */
export async function mayMake({ guard }: StoreConnection): Promise<boolean> {
  return guard === undefined || (await guard.mayMake());
}

/** Creates a container and those above it, where they do not exist: they go by themselves when they have become empty. */
export async function makeContainers(connection: StoreConnection, path: string): Promise<Result<void, StoreError>> {
  if (!(await mayMake(connection))) return err(unavailable(EMPTIED));
  return makeContainer(connection, path);
}

async function makeContainer(connection: StoreConnection, path: string): Promise<Result<void, StoreError>> {
  const made = await steadily(connection, (tree) => tree.create(path, noBytes, { mode: "container" }));
  if (made.ok || made.error.kind === "node-exists") return ok(undefined);
  if (made.error.kind !== "no-node" || path === "/") return err(storeError(made.error));
  const above = await makeContainer(connection, parentOf(path));
  return above.ok ? makeContainer(connection, path) : above;
}
