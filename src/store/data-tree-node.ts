import { childOf } from "./data-tree-path.ts";
import type { NodeStat } from "./tree.ts";

/** How long a node stays. `ttl` and `container` nodes go by the sweep, `ephemeral` ones with their session. */
export type NodeLifetime = "persistent" | "ephemeral" | "container" | "ttl";

const noChildren: ReadonlyMap<string, TreeNode> = new Map();

/**
 * One node of the data tree. Changed by the data tree only.
 * Transaction ids are numbers here (below 2^53, a counter), bigint at the interface.
 */
export class TreeNode {
  readonly name: string;
  readonly parent: TreeNode | undefined;
  readonly lifetime: NodeLifetime;
  /** Session id of the owner of an ephemeral node, else 0n. */
  readonly owner: bigint;
  /** Time to live of a `ttl` node in milliseconds, else 0. */
  readonly ttlMs: number;
  readonly czxid: number;
  readonly ctime: number;
  data: Uint8Array;
  mzxid: number;
  pzxid: number;
  mtime: number;
  version = 0;
  /** Children ever created: the next sequence number. ZooKeeper shows it as cversion = 2 * creates - children. */
  creates = 0;
  #children: Map<string, TreeNode> | undefined;

  constructor(birth: NodeBirth) {
    this.name = birth.name;
    this.parent = birth.parent;
    this.lifetime = birth.lifetime;
    this.owner = birth.owner;
    this.ttlMs = birth.ttlMs;
    this.data = birth.data;
    this.czxid = this.mzxid = this.pzxid = birth.zxid;
    this.ctime = this.mtime = birth.time;
  }

  /** The children by name. */
  get children(): ReadonlyMap<string, TreeNode> {
    return this.#children ?? noChildren;
  }

  /** Adds a child that does not exist yet. */
  addChild(child: TreeNode): void {
    this.#children ??= new Map();
    this.#children.set(child.name, child);
  }

  /** Takes a child out. */
  removeChild(name: string): void {
    this.#children?.delete(name);
    if (this.#children?.size === 0) this.#children = undefined;
  }

  /** The node's full path. */
  path(): string {
    return this.parent === undefined ? "/" : childOf(this.parent.path(), this.name);
  }

  /** The node's stat as a client sees it. */
  stat(): NodeStat {
    return {
      czxid: BigInt(this.czxid),
      mzxid: BigInt(this.mzxid),
      pzxid: BigInt(this.pzxid),
      ctime: this.ctime,
      mtime: this.mtime,
      version: this.version,
      cversion: (2 * this.creates - this.children.size) | 0,
      aversion: 0,
      ephemeralOwner: this.owner,
      dataLength: this.data.length,
      childCount: this.children.size,
    };
  }
}

/** What a node is born with. `zxid` and `time` (Unix milliseconds) are those of the transaction. */
export interface NodeBirth {
  readonly name: string;
  readonly parent: TreeNode | undefined;
  readonly lifetime: NodeLifetime;
  readonly owner: bigint;
  readonly ttlMs: number;
  readonly data: Uint8Array;
  readonly zxid: number;
  readonly time: number;
}
