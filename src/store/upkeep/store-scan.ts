import { err, ok, type Result } from "../../base/result.ts";
import { childOf } from "../data-tree-path.ts";
import { scanRoundsMax, scanTriesMax } from "../limits.ts";
import type { StoreConnection } from "../recipes/connection.ts";
import { each, noConnection, unavailable } from "../recipes/steadily.ts";
import type { StoreError } from "../recipes/store-error.ts";
import type { NodeStat, Tree, TreeError } from "../tree.ts";
import { isEphemeral } from "./node-place.ts";

/** A node as a scan found it. */
export interface ScannedNode {
  readonly data: Uint8Array;
  readonly stat: NodeStat;
  /** Its access list keeps us from reading it: nobody knows the content, the stat, nor what stands below. */
  readonly isUnreadable?: true;
}

/** Nodes by their path below the root that was scanned; the root itself has the empty path. Nothing when there is no root. */
export type ScannedTree = ReadonlyMap<string, ScannedNode>;

/** What a scan is of, and whom it tells how far it is. */
export interface ScanOptions {
  readonly root: string;
  onProgress?(nodes: number): void;
}

/**
 * Reads everything under a root as it was at one moment, while others may write: what changed during the reading is read again
 * until nothing persistent has changed between two looks. Ephemeral nodes are as they were some time near that moment. A node
 * that keeps us out is noted as unreadable; a root that does is an error, because such a scan would look like an empty store.
 */
export async function scanStore(
  connection: StoreConnection,
  options: ScanOptions,
): Promise<Result<ScannedTree, StoreError>> {
  let last: TreeError = { kind: "connection-loss", path: options.root };
  for (let attempt = 0; attempt < scanTriesMax; attempt++) {
    if (!(await connection.untilConnected(scanWaitMs))) return err(noConnection(connection));
    const scanned = await new Scan(connection.tree, options).run();
    if (scanned.ok) return scanned;
    if (scanned.error === "unsteady") return err({ kind: "busy", attempts: scanRoundsMax });
    last = scanned.error;
    if (last.kind !== "connection-loss" && last.kind !== "session-expired") break;
  }
  // Nothing can be said of a store whose root keeps us out: least of all that it is empty.
  if (last.kind === "no-auth") return err({ kind: "no-auth", path: last.path });
  return err(unavailable(`${last.kind}${"path" in last ? ` at ${last.path}` : ""}`));
}

const scanWaitMs = 30_000;

/** Of a node that keeps us out: not even its stat can be read. */
const unknownStat: NodeStat = {
  ...{ czxid: 0n, mzxid: 0n, pzxid: 0n, ctime: 0, mtime: 0, version: 0, cversion: 0, aversion: 0 },
  ...{ ephemeralOwner: 0n, dataLength: 0, childCount: 0 },
};

class Scan {
  readonly #tree: Tree;
  readonly #options: ScanOptions;
  readonly #nodes = new Map<string, ScannedNode>();
  readonly #dirty = new Set<string>();
  #isCut = false;

  constructor(tree: Tree, options: ScanOptions) {
    this.#tree = tree;
    this.#options = options;
  }

  async run(): Promise<Result<ScannedTree, TreeError | "unsteady">> {
    const { root } = this.#options;
    const watch = await this.#tree.watch(root, {
      recursive: true,
      onEvent: ({ path }) => void this.#dirty.add(path === root ? "" : path.slice(root.length + 1)),
      onResync: () => {
        this.#isCut = true;
      },
    });
    if (!watch.ok) return watch;
    const outcome = await this.#readAll();
    watch.value.close();
    return outcome;
  }

  async #readAll(): Promise<Result<ScannedTree, TreeError | "unsteady">> {
    // A server of an ensemble may be behind what was acknowledged to others.
    const synced = await this.#tree.sync(this.#options.root);
    const read = synced.ok ? await this.#descend([""]) : synced;
    if (!read.ok) return read;
    for (let round = 0; round < scanRoundsMax; round++) {
      const now = await this.#tree.sync(this.#options.root);
      if (!now.ok) return now;
      if (this.#isCut) return err({ kind: "connection-loss", path: this.#options.root });
      const dirty = [...this.#dirty];
      this.#dirty.clear();
      const altered = await this.#readAgain(dirty);
      if (!altered.ok) return altered;
      if (!altered.value) return ok(this.#nodes);
    }
    return err("unsteady");
  }

  /** Reads these nodes and everything under them. */
  async #descend(paths: readonly string[]): Promise<Result<void, TreeError>> {
    let level = paths;
    while (level.length > 0) {
      const found = await each(level, (path) => this.#readNode(path));
      const next: string[] = [];
      for (const children of found) {
        if (!children.ok) return children;
        next.push(...children.value);
      }
      this.#options.onProgress?.(this.#nodes.size);
      level = next;
    }
    return ok(undefined);
  }

  /** Reads one node; the value is the paths of its children. */
  async #readNode(path: string): Promise<Result<readonly string[], TreeError>> {
    const full = this.#full(path);
    const read = await this.#tree.get(full);
    if (!read.ok && read.error.kind === "no-auth" && path !== "") {
      this.#nodes.set(path, { data: new Uint8Array(0), stat: unknownStat, isUnreadable: true });
      return ok([]);
    }
    if (!read.ok) return read.error.kind === "no-node" ? ok([]) : read;
    this.#nodes.set(path, { data: read.value.data, stat: read.value.stat });
    if (isEphemeral(read.value.stat)) return ok([]);
    // What got its first child since is announced by the watch.
    if (read.value.stat.childCount === 0) return ok([]);
    const list = await this.#tree.children(full);
    if (!list.ok) return list.error.kind === "no-node" ? ok([]) : list;
    return ok(list.value.names.map((name) => (path === "" ? name : `${path}/${name}`)));
  }

  /** Reads what was announced; the value is whether anything persistent is not as it was. */
  async #readAgain(paths: readonly string[]): Promise<Result<boolean, TreeError>> {
    let isAltered = false;
    const reads = await each(paths, async (path) => [path, await this.#tree.get(this.#full(path))] as const);
    const fresh: string[] = [];
    for (const [path, read] of reads) {
      if (!read.ok && read.error.kind === "no-auth" && path !== "") continue;
      if (!read.ok && read.error.kind !== "no-node") return read;
      const before = this.#nodes.get(path);
      const wasKept = before !== undefined && !isEphemeral(before.stat);
      if (!read.ok) {
        isAltered ||= wasKept;
        this.#nodes.delete(path);
        continue;
      }
      const isKept = !isEphemeral(read.value.stat);
      isAltered ||= isKept !== wasKept || (isKept && before?.stat.mzxid !== read.value.stat.mzxid);
      this.#nodes.set(path, { data: read.value.data, stat: read.value.stat });
      // Made after the watch: its children may have been made before we looked.
      if (before === undefined && read.value.stat.childCount > 0) fresh.push(path);
    }
    const descended = await this.#descend(fresh);
    return descended.ok ? ok(isAltered) : descended;
  }

  #full(path: string): string {
    return path === "" ? this.#options.root : childOf(this.#options.root, path);
  }
}
