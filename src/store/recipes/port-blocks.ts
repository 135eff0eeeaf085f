import type { Prng } from "../../base/prng.ts";
import { err, ok, type Result } from "../../base/result.ts";
import { sleep } from "../../base/scheduler.ts";
import { childOf } from "../data-tree-path.ts";
import { blocksPerAddress, portsPerBlock, reconnectWaitMs, retryWaitMs } from "../limits.ts";
import type { MultiError, NodeStat, Tree, TreeError, TreeOperation } from "../tree.ts";
import type { StoreConnection } from "./connection.ts";
import { fenceOf, termPathOf } from "./fences.ts";
import { makeFolders } from "./open-layout.ts";
import type { PortBlockRequest } from "./port-lease.ts";
import { each, steadily, storeError, unavailable } from "./steadily.ts";
import type { StoreError } from "./store-error.ts";

/** A block that is free, as far as could be seen. */
export interface FreeBlock {
  readonly block: number;
  /** Leases it has seen; undefined when it has never been leased. */
  readonly turn: number | undefined;
}

/** A block that a session has. */
export interface OwnBlock {
  readonly tree: Tree;
  readonly turn: number;
  readonly fence: bigint;
}

/** Which block to take, and whether one that this session has already counts as taken now. */
export interface Occupation extends FreeBlock {
  readonly folder: string;
  readonly label: string;
  readonly mayBeOurs: boolean;
}

/** The port blocks of addresses as they stand in the store: which is free, taking one, giving one back. */
export class PortBlocks {
  readonly #connection: StoreConnection;
  readonly #prng: Prng;

  constructor(connection: StoreConnection, prng: Prng) {
    this.#connection = connection;
    this.#prng = prng;
  }

  /**
   * A block that never was leased, at random so that hosts seldom meet; when there is none, the free one whose last lease ended
   * first. Undefined when all are leased. `isOwn` says which are not to be chosen.
   */
  async choose(
    folder: string,
    { firstPort, lastPort }: PortBlockRequest,
    isOwn: (block: number) => boolean,
  ): Promise<Result<FreeBlock | undefined, StoreError>> {
    const list = await steadily(this.#connection, (tree) => tree.children(folder));
    if (!list.ok && list.error.kind !== "no-node") return err(storeError(list.error));
    const used = new Set(list.ok ? list.value.names.map(Number) : []);
    const wanted = blocksOf(firstPort, lastPort).filter((block) => !isOwn(block));
    const virgin = wanted.filter((block) => !used.has(block));
    if (virgin.length > 0) return ok({ block: this.#prng.pick(virgin), turn: undefined });
    const stats = await each(wanted, (block) =>
      steadily(this.#connection, (tree) => tree.exists(childOf(folder, String(block)))),
    );
    let oldest: { readonly block: number; readonly stat: NodeStat } | undefined;
    for (const [i, read] of stats.entries()) {
      if (!read.ok) return err(storeError(read.error));
      const stat = read.value;
      const block = wanted[i];
      if (stat === undefined || block === undefined || stat.childCount > 0) continue;
      if (oldest === undefined || stat.pzxid < oldest.stat.pzxid) oldest = { block, stat };
    }
    return ok(oldest && { block: oldest.block, turn: oldest.stat.version });
  }

  /** Takes a block. Undefined when somebody else was faster, or had it since `turn`. */
  async occupy(wanted: Occupation): Promise<Result<OwnBlock | undefined, StoreError>> {
    const path = childOf(wanted.folder, String(wanted.block));
    let { mayBeOurs, turn } = wanted;
    while (await this.#connection.untilConnected(reconnectWaitMs)) {
      const { tree } = this.#connection;
      const reply = await tree.multi(operations(path, { ...wanted, turn }));
      if (!reply.ok) {
        const verdict = await this.#judge(reply.error, wanted.folder);
        if (!verdict.ok) return verdict;
        if (verdict.value === "again") continue;
        if (verdict.value === "unknown") mayBeOurs = true;
        else if (!mayBeOurs) return ok(undefined);
      }
      const own = await this.#look(tree, path);
      // Nobody is kept from a block that we cannot use, but for one that was ours: it comes back when it can be used.
      if (!own.ok && !wanted.mayBeOurs) await this.vacate(tree, path);
      if (!own.ok || own.value !== undefined) return own;
      if (reply.ok) turn = turn === undefined ? 0 : turn + 1;
      else if (reply.error.error.kind !== "connection-loss") return ok(undefined);
    }
    return err(unavailable("no connection to the store"));
  }

  /** Gives a block back that the tree's session has; it is gone when this resolves, or goes with the session. */
  async vacate(tree: Tree, path: string): Promise<void> {
    const taken = takenOf(path);
    while (this.#isCurrent(tree)) {
      // When a reply was lost the block may be somebody else's by now: only what is ours is removed.
      const found = await tree.exists(taken);
      if (found.ok && found.value?.ephemeralOwner !== tree.session.id) return;
      const removed = found.ok ? await tree.remove(taken) : found;
      if (removed.ok) return;
      await this.#recover(removed.error);
      await tree.sync(taken);
    }
  }

  /** What is ours in the store, after everything sent before has happened or never will; undefined when it is not ours. */
  async #look(tree: Tree, path: string): Promise<Result<OwnBlock | undefined, StoreError>> {
    while (this.#isCurrent(tree)) {
      const synced = await tree.sync(path);
      const taken = synced.ok ? await tree.exists(takenOf(path)) : synced;
      const block = taken.ok ? await tree.exists(path) : taken;
      if (taken.ok && block.ok) {
        const isOurs = taken.value !== undefined && taken.value.ephemeralOwner === tree.session.id;
        if (!isOurs || taken.value === undefined || block.value === undefined) return ok(undefined);
        const of = { termPath: termPathOf(path, 4), czxid: taken.value.czxid };
        const fence = await fenceOf(this.#connection, tree, of);
        if (fence.ok) return ok({ tree, turn: block.value.version, fence: fence.value });
        // A damaged term is repaired by somebody or never: who wants ports is told.
        if (fence.error.kind === "bad-arguments") return err(storeError(fence.error));
        await this.#recover(fence.error);
      } else if (!block.ok) await this.#recover(block.error);
    }
    return ok(undefined);
  }

  async #judge(
    { error, index }: MultiError,
    folder: string,
  ): Promise<Result<"again" | "unknown" | "refused", StoreError>> {
    switch (error.kind) {
      case "node-exists":
      case "bad-version":
        return ok("refused");
      case "no-node": {
        if (index !== 0) return ok("refused");
        const made = await makeFolders(this.#connection, [folder]);
        return made.ok ? ok("again") : made;
      }
      case "connection-loss":
        return ok("unknown");
      case "session-expired":
        return ok("again");
      case "closed":
        return err(unavailable("the store connection was closed"));
      default:
        return err(storeError(error));
    }
  }

  #isCurrent(tree: Tree): boolean {
    return tree === this.#connection.tree && !this.#connection.isClosed;
  }

  async #recover(error: TreeError): Promise<void> {
    if (error.kind === "session-expired" || error.kind === "closed") return;
    if (this.#connection.tree.session.state === "connected") await sleep(this.#connection.scheduler, retryWaitMs);
    else await this.#connection.untilConnected(reconnectWaitMs);
  }
}

/** The blocks that hold ports of a range, both ends included. */
function blocksOf(firstPort: number, lastPort: number): readonly number[] {
  const first = Math.max(0, Math.floor(firstPort / portsPerBlock));
  const last = Math.min(blocksPerAddress - 1, Math.floor(lastPort / portsPerBlock));
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
}

/** The version of the block counts its leases: nobody takes one that somebody had since it was looked at. */
function operations(path: string, { turn, label }: Occupation): readonly TreeOperation[] {
  const data = new TextEncoder().encode(label);
  return [
    turn === undefined ? { op: "create", path, data } : { op: "set", path, data, version: turn },
    { op: "create", path: takenOf(path), data, options: { mode: "ephemeral" } },
  ];
}

function takenOf(path: string): string {
  return childOf(path, "taken");
}
