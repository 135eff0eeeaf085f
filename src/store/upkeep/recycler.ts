import type { Log } from "../../base/log.ts";
import { Counters } from "../../base/metrics.ts";
import { err, ok, type Result } from "../../base/result.ts";
import { sleep, type Timer } from "../../base/scheduler.ts";
import type { Id } from "../../model/objects.ts";
import { isKind } from "../../model/registry.ts";
import { recyclePassMs, recyclePauseMs, recycleRemovalsMax } from "../limits.ts";
import type { StoreConnection } from "../recipes/connection.ts";
import { type Candidacy, TreeElection } from "../recipes/election.ts";
import { type Layout, unescapeName } from "../recipes/layout.ts";
import { parseLayout } from "../recipes/layout-document.ts";
import { writeRefusal } from "../recipes/open-layout.ts";
import { each, steadily, storeError } from "../recipes/steadily.ts";
import { formatStoreError, type StoreError } from "../recipes/store-error.ts";
import type { TreeOperation } from "../tree.ts";
import { attempt } from "./check.ts";
import { findLeftovers, type Leftover } from "./leftovers.ts";
import { recyclerMetrics } from "./recycler-metrics.ts";
import { type ScannedNode, scanStore } from "./store-scan.ts";

/** What a recycler works with. */
export interface RecyclerOptions {
  readonly connection: StoreConnection;
  readonly layout: Layout;
  readonly log: Log;
  /** Says who recycles, to people who look into the store. */
  readonly label: string;
  readonly counters?: Counters<typeof recyclerMetrics>;
}

/** Tops of the tree in which leftovers may lie. Objects are not among them: only whether they exist is asked. */
const tops = ["maps", "nat", "state", "locks", "elections", "owners"] as const;

/**
 * Removes what dead hosts and deleted objects leave in the store. Every process that may write stands for election; one at a time
 * works. Being elected only saves work: what keeps a recycler that stood still from removing something wrong is that each removal
 * is one transaction which proves, in the store, that the object is not there and that each node is the one that was seen. It
 * removes nothing before it was found in two looks, never a host, and nothing that a live session holds.
 */
export class Recycler {
  readonly counters: Counters<typeof recyclerMetrics>;
  readonly #options: RecyclerOptions;
  readonly #candidacy: Candidacy;
  #timer: Timer | undefined;
  /** Paths of what the look before found. */
  #seen: ReadonlySet<string> = new Set();
  #isWorking = false;
  #isClosed = false;

  constructor(options: RecyclerOptions) {
    const { connection, layout, label } = options;
    this.#options = options;
    this.counters = options.counters ?? new Counters(recyclerMetrics);
    this.#candidacy = new TreeElection(connection, layout.election("recycler")).stand({
      label,
      onElected: () => this.#arm(),
      onDeposed: () => this.#rest(),
    });
  }

  /** Works no more, and lets another be elected. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#rest();
    await this.#candidacy.resign();
  }

  /** Looks once, as the timer would. The value is how many leftovers were removed. */
  async pass(): Promise<number> {
    if (this.#isWorking || !this.#candidacy.isLeader()) return 0;
    this.#isWorking = true;
    const removed = await this.#look();
    this.#isWorking = false;
    this.counters.add("recycler_passes");
    if (!removed.ok) {
      this.counters.add("recycler_failed_passes");
      this.#options.log.info("recycler.interrupted", { why: formatStoreError(removed.error) });
      return 0;
    }
    return removed.value;
  }

  #arm(): void {
    this.#timer?.cancel();
    this.#timer = this.#options.connection.scheduler.after(recyclePassMs, () => {
      void this.pass().then(() => {
        if (!this.#isClosed && this.#candidacy.isLeader()) this.#arm();
      });
    });
  }

  #rest(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    // Another leader may have worked meanwhile: what is seen next is seen for the first time.
    this.#seen = new Set();
  }

  async #look(): Promise<Result<number, StoreError>> {
    const { connection, layout, log } = this.#options;
    const check = await this.#layoutCheck();
    if (!check.ok) return check;
    const leftovers = await readLeftovers(connection, layout);
    if (!leftovers.ok) return leftovers;
    this.counters.add("recycler_found", leftovers.value.length);
    const seenTwice = leftovers.value.filter(({ path }) => this.#seen.has(path));
    this.#seen = new Set(leftovers.value.map(({ path }) => path));
    this.counters.add("recycler_deferred", Math.max(0, seenTwice.length - recycleRemovalsMax));
    let removed = 0;
    for (const leftover of seenTwice.slice(0, recycleRemovalsMax)) {
      if (!this.#candidacy.isLeader()) return ok(removed);
      const done = await attempt(connection, [check.value, ...leftover.operations]);
      if (!done.ok) return done;
      this.counters.add(done.value ? "recycler_removed" : "recycler_refused");
      if (done.value) {
        removed += 1;
        log.info("recycler.removed", { what: leftover.kind, path: leftover.path, nodes: removals(leftover) });
      }
      await sleep(connection.scheduler, recyclePauseMs);
    }
    return ok(removed);
  }

  /** The operation by which each removal makes sure that the store is whole and of our layout. */
  async #layoutCheck(): Promise<Result<TreeOperation, StoreError>> {
    const { connection, layout } = this.#options;
    const read = await steadily(connection, (tree) => tree.get(layout.version));
    if (!read.ok) {
      const isGone = read.error.kind === "no-node";
      return err(isGone ? { kind: "layout-gone", why: `there is no ${layout.version}` } : storeError(read.error));
    }
    const found = parseLayout(read.value.data);
    if (found === undefined) return err({ kind: "layout-gone", why: `${layout.version} says no version` });
    const refusal = writeRefusal(layout, found);
    if (refusal !== undefined) return err(refusal);
    return ok({ op: "check", path: layout.version, version: read.value.stat.version });
  }
}

function removals({ operations }: Leftover): number {
  return operations.filter(({ op }) => op === "remove").length;
}

/** Finds leftovers without reading the objects: what it costs grows with maps and leases. */
export async function readLeftovers(
  connection: StoreConnection,
  layout: Layout,
): Promise<Result<readonly Leftover[], StoreError>> {
  const tree = new Map<string, ScannedNode>();
  for (const top of tops) {
    const part = await scanStore(connection, { root: `${layout.root}/${top}` });
    if (!part.ok) return part;
    for (const [path, node] of part.value) tree.set(path === "" ? top : `${top}/${path}`, node);
  }
  const objects = new Set<string>();
  for (const path of tree.keys()) for (const object of ownersOf(layout, path)) objects.add(object);
  const stats = await each([...objects], async (path) => ({
    path,
    found: await steadily(connection, (one) => one.exists(path)),
  }));
  for (const { path, found } of stats) {
    if (!found.ok) return err(storeError(found.error));
    if (found.value !== undefined)
      tree.set(path.slice(layout.root.length + 1), { data: new Uint8Array(0), stat: found.value });
  }
  return ok(findLeftovers(tree, layout, connection.scheduler.clock.wall()));
}

/** Paths of the objects to which a node below maps or nat may belong. */
function ownersOf(layout: Layout, path: string): readonly string[] {
  const [top, first = "", second = "", ...rest] = path.split("/");
  if (top === "maps" && second !== "" && rest.length === 0 && isKind(first)) {
    const id: Id | undefined = unescapeName(second);
    return id === undefined ? [] : [layout.object(first, id)];
  }
  const id = top === "nat" && first !== "" && second === "" ? unescapeName(first) : undefined;
  return id === undefined ? [] : (["router", "bridge", "port"] as const).map((kind) => layout.object(kind, id));
}
