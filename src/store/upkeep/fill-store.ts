import { err, ok, type Result } from "../../base/result.ts";
import { fillBatchBytes, fillBatchOperations, fillTriesMax, reconnectWaitMs } from "../limits.ts";
import type { StoreConnection } from "../recipes/connection.ts";
import { formatTerm, nextTerm, parseTerm } from "../recipes/fences.ts";
import type { Layout } from "../recipes/layout.ts";
import { formatLayout } from "../recipes/layout-document.ts";
import { makeFolders } from "../recipes/open-layout.ts";
import { noConnection, steadily, storeError, unavailable } from "../recipes/steadily.ts";
import type { StoreError } from "../recipes/store-error.ts";
import type { TreeOperation } from "../tree.ts";
import { type FillPlan, planFill } from "./fill-plan.ts";
import type { PersistentNode } from "./persistent-part.ts";
import { scanStore } from "./store-scan.ts";

/** What a store is filled with. */
export interface FillOptions {
  readonly wanted: readonly PersistentNode[];
  /** Version of the layout of what is wanted. */
  readonly layoutVersion: number;
  /** Term of the store that it comes from: fencing numbers go on above those that were given out there. */
  readonly term: bigint;
  /** Says to people who look what is going on: stands in the marker. */
  readonly what: string;
  onProgress?(done: number, all: number): void;
  /** Asked when the store is what was wanted: what is wanted now. Default: the same. */
  latest?(): Promise<Result<readonly PersistentNode[], StoreError>>;
}

/** What filling a store came to. */
export interface Filled {
  readonly created: number;
  readonly changed: number;
  readonly removed: number;
  /** Nodes that are not wanted but stay, because live sessions hold nodes below them. */
  readonly left: readonly string[];
}

/**
 * Makes the persistent part of a store what is wanted. From the first write to the last the store has a marker and no layout, so
 * that nobody takes it for whole: every writer refuses it. The layout's node is written when everything was read back and found
 * right, in one transaction with the marker's end. Whatever interrupts it, running it again goes on where it was.
 */
export async function fillStore(
  connection: StoreConnection,
  layout: Layout,
  options: FillOptions,
): Promise<Result<Filled, StoreError>> {
  const begun = await begin(connection, layout, options.what);
  if (!begun.ok) return begun;
  const total = { created: 0, changed: 0, removed: 0 };
  let { wanted } = options;
  for (let attempt = 0; attempt < fillTriesMax; attempt++) {
    const target = await scanStore(connection, { root: layout.root });
    if (!target.ok) return target;
    let plan = planFill(layout.root, target.value, wanted);
    if (plan.groups.length === 0 && options.latest !== undefined) {
      const latest = await options.latest();
      if (!latest.ok) return latest;
      wanted = latest.value;
      plan = planFill(layout.root, target.value, wanted);
    }
    if (plan.groups.length === 0) {
      const ended = await end(connection, layout, { version: begun.value, options });
      return ended.ok ? ok({ ...total, left: plan.left }) : ended;
    }
    const written = await write(connection, layout, { plan, version: begun.value, options });
    if (!written.ok) return written;
    // What failed is found by the next look.
    total.created += plan.created.length;
    total.changed += plan.changed.length;
    total.removed += plan.removed.length;
  }
  return err({ kind: "busy", attempts: fillTriesMax });
}

/** Puts the marker up and takes the layout away, as one. The value is the version of the marker: whoever comes later raises it. */
async function begin(connection: StoreConnection, layout: Layout, what: string): Promise<Result<number, StoreError>> {
  const rooted = await makeFolders(connection, [layout.root]);
  if (!rooted.ok) return rooted;
  const data = new TextEncoder().encode(what);
  for (let attempt = 0; attempt < fillTriesMax; attempt++) {
    const marker = await steadily(connection, (tree) => tree.exists(layout.incomplete));
    const version = await steadily(connection, (tree) => tree.exists(layout.version));
    if (!marker.ok) return err(storeError(marker.error));
    if (!version.ok) return err(storeError(version.error));
    const found = marker.value;
    const operations: TreeOperation[] = [
      found === undefined
        ? { op: "create", path: layout.incomplete, data }
        : { op: "set", path: layout.incomplete, data, version: found.version },
    ];
    if (version.value !== undefined) operations.push({ op: "remove", path: layout.version });
    const done = await attemptMulti(connection, operations);
    if (!done.ok) return done;
    // When the reply was lost, the next round sees what has become of it, and raises the version once more.
    if (done.value === "done") return ok(found === undefined ? 0 : found.version + 1);
  }
  return err({ kind: "busy", attempts: fillTriesMax });
}

interface Writing {
  readonly plan: FillPlan;
  readonly version: number;
  readonly options: FillOptions;
}

async function write(
  connection: StoreConnection,
  layout: Layout,
  { plan, version, options }: Writing,
): Promise<Result<void, StoreError>> {
  const check: TreeOperation = { op: "check", path: layout.incomplete, version };
  const all = plan.groups.length;
  let done = 0;
  for (const batch of batchesOf(plan.groups)) {
    const outcome = await attemptMulti(connection, [check, ...batch.flat()]);
    if (!outcome.ok) return outcome;
    if (outcome.value === "overtaken") return err(overtaken(layout));
    if (outcome.value === "unknown" || outcome.value === "refused") return ok(undefined);
    done += batch.length;
    options.onProgress?.(done, all);
  }
  return ok(undefined);
}

async function end(
  connection: StoreConnection,
  layout: Layout,
  { version, options }: Omit<Writing, "plan">,
): Promise<Result<void, StoreError>> {
  for (let attempt = 0; attempt < fillTriesMax; attempt++) {
    const termed = await termWrite(connection, layout, options.term);
    if (!termed.ok) return termed;
    const outcome = await attemptMulti(connection, [
      { op: "remove", path: layout.incomplete, version },
      { op: "create", path: layout.version, data: formatLayout({ layout: options.layoutVersion }) },
      termed.value,
    ]);
    if (!outcome.ok) return outcome;
    if (outcome.value === "done") return ok(undefined);
    const now = await steadily(connection, async (tree) => {
      const synced = await tree.sync(layout.root);
      return synced.ok ? tree.exists(layout.version) : synced;
    });
    if (!now.ok) return err(storeError(now.error));
    if (now.value !== undefined) return ok(undefined);
    if (outcome.value !== "unknown") return err(overtaken(layout));
  }
  return err({ kind: "outcome-unknown" });
}

/** Above the term of the source and that of this store before: whoever fenced with a number of either is not overtaken by a lower one. */
async function termWrite(
  connection: StoreConnection,
  layout: Layout,
  source: bigint,
): Promise<Result<TreeOperation, StoreError>> {
  const read = await steadily(connection, (tree) => tree.get(layout.term));
  if (!read.ok && read.error.kind !== "no-node") return err(storeError(read.error));
  const own = read.ok ? (parseTerm(read.value.data) ?? 0n) : 0n;
  const data = formatTerm(nextTerm([source, own], connection.scheduler.clock.wall()));
  return ok(
    read.ok
      ? { op: "set", path: layout.term, data, version: read.value.stat.version }
      : { op: "create", path: layout.term, data },
  );
}

type MultiOutcome = "done" | "unknown" | "refused" | "overtaken";

/** `overtaken`: the first operation, the check of the marker, failed. `unknown`: the connection was lost before the reply. */
async function attemptMulti(
  connection: StoreConnection,
  operations: readonly TreeOperation[],
): Promise<Result<MultiOutcome, StoreError>> {
  if (!(await connection.untilConnected(reconnectWaitMs))) return err(noConnection(connection));
  const reply = await connection.tree.multi(operations);
  if (reply.ok) return ok("done");
  const { error, index } = reply.error;
  switch (error.kind) {
    case "connection-loss":
    case "session-expired":
      return ok("unknown");
    case "closed":
      return err(unavailable("the store connection was closed"));
    case "bad-version":
    case "no-node":
    case "node-exists":
    case "not-empty":
      return ok(index === 0 ? "overtaken" : "refused");
    default:
      return err(storeError(error));
  }
}

function overtaken({ root }: Layout): StoreError {
  return { kind: "layout-gone", why: `another copy or restore into ${root} has begun since: this one ends here` };
}

/** Groups put together to multis of a bounded size. A group stays whole. */
function batchesOf(groups: readonly (readonly TreeOperation[])[]): readonly (readonly (readonly TreeOperation[])[])[] {
  const batches: (readonly TreeOperation[])[][] = [];
  let [operations, bytes] = [Number.POSITIVE_INFINITY, 0];
  for (const group of groups) {
    const size = group.reduce((sum, one) => sum + one.path.length + ("data" in one ? one.data.length : 0) + 64, 0);
    if (operations + group.length > fillBatchOperations || bytes + size > fillBatchBytes) {
      batches.push([]);
      [operations, bytes] = [0, 0];
    }
    batches.at(-1)?.push(group);
    operations += group.length;
    bytes += size;
  }
  return batches;
}
