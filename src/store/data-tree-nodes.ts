import { assert } from "../base/assert.ts";
import type { Instant } from "../base/clock.ts";
import { TreeNode } from "./data-tree-node.ts";
import { childOf, nameOf, parentOf } from "./data-tree-path.ts";
import type { SnapshotEntry, TransactionRecord, TreeChange } from "./data-tree-record.ts";

/** Which write: its transaction id, its wall clock time, and the session that owns what it creates as ephemeral. */
export type WriteMark = Pick<TransactionRecord, "zxid" | "time" | "session">;

/** The nodes of a data tree, as a trie of names, with their number and size. Changed by the data tree only. */
export class NodeTrie {
  readonly #root = new TreeNode({
    ...{ name: "", parent: undefined, lifetime: "persistent", owner: 0n, ttlMs: 0 },
    ...{ data: new Uint8Array(0), zxid: 0, time: 0 },
  });
  /** Paths that a sweep looks at: containers and nodes with a time to live. */
  readonly #perishable = new Set<string>();
  #count = 1;
  #bytes = 0;

  /** Nodes, the root included. */
  get count(): number {
    return this.#count;
  }

  /** Bytes of names and content. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether there are containers or nodes with a time to live. */
  get hasPerishables(): boolean {
    return this.#perishable.size > 0;
  }

  /** The node at a path that passed `pathFault`. */
  find(path: string): TreeNode | undefined {
    let node: TreeNode | undefined = this.#root;
    for (let start = 1; start < path.length && node !== undefined; ) {
      const slash = path.indexOf("/", start);
      const end = slash < 0 ? path.length : slash;
      node = node.children.get(path.slice(start, end));
      start = end + 1;
    }
    return node;
  }

  /** Creates a node whose parent exists and which does not. */
  create(change: Extract<TreeChange, { readonly op: "create" }>, mark: WriteMark): TreeNode {
    const { path, data, lifetime, ttlMs } = change;
    const parent = this.find(parentOf(path));
    assert(parent !== undefined, "a record creates under an existing node", { path });
    const owner = lifetime === "ephemeral" ? mark.session : 0n;
    const node = new TreeNode({ ...mark, name: nameOf(path), parent, lifetime, owner, ttlMs, data });
    this.#add(node, path);
    parent.creates = (parent.creates + 1) | 0;
    parent.pzxid = mark.zxid;
    return node;
  }

  /** Replaces the content of a node that exists. */
  set(path: string, data: Uint8Array, mark: WriteMark): TreeNode {
    const node = this.find(path);
    assert(node !== undefined, "a record changes an existing node", { path });
    this.#bytes += data.length - node.data.length;
    node.data = data;
    node.version = (node.version + 1) | 0;
    node.mzxid = mark.zxid;
    node.mtime = mark.time;
    return node;
  }

  /** Removes a leaf that exists. */
  remove(path: string, mark: WriteMark): TreeNode {
    const node = this.find(path);
    assert(node?.parent !== undefined && node.children.size === 0, "a record removes an existing leaf", { path });
    node.parent.removeChild(node.name);
    node.parent.pzxid = mark.zxid;
    this.#count -= 1;
    this.#bytes -= weight(node);
    this.#perishable.delete(path);
    return node;
  }

  /** Paths of empty containers that once had a child, and of nodes that outlived their time. */
  perished(wall: Instant): readonly string[] {
    return [...this.#perishable].filter((path) => {
      const node = this.find(path);
      return node !== undefined && hasPerished(node, wall);
    });
  }

  /** All nodes, parents first. */
  snapshot(): Generator<SnapshotEntry> {
    return snapshotOf(this.#root, "/");
  }

  /** Puts a node of a snapshot back. */
  restore(entry: Extract<SnapshotEntry, { readonly entry: "node" }>): TreeNode {
    const node = entry.path === "/" ? this.#root : this.#restoredChild(entry);
    if (entry.path === "/") this.#bytes += entry.data.length;
    node.data = entry.data;
    node.mzxid = entry.mzxid;
    node.pzxid = entry.pzxid;
    node.mtime = entry.mtime;
    node.version = entry.version;
    node.creates = entry.creates;
    return node;
  }

  #restoredChild(entry: Extract<SnapshotEntry, { readonly entry: "node" }>): TreeNode {
    const { path, lifetime, ttlMs, owner, data, czxid: zxid, ctime: time } = entry;
    const parent = this.find(parentOf(path));
    assert(parent !== undefined, "a snapshot has parents before children", { path });
    const node = new TreeNode({ name: nameOf(path), parent, lifetime, owner, ttlMs, data, zxid, time });
    this.#add(node, path);
    return node;
  }

  #add(node: TreeNode, path: string): void {
    node.parent?.addChild(node);
    this.#count += 1;
    this.#bytes += weight(node);
    if (node.lifetime === "container" || node.lifetime === "ttl") this.#perishable.add(path);
  }
}

function weight(node: TreeNode): number {
  return node.data.length + node.name.length + 1;
}

function hasPerished(node: TreeNode, wall: Instant): boolean {
  if (node.children.size > 0) return false;
  // A container that never had a child waits for its first one, as in ZooKeeper.
  return node.lifetime === "container" ? node.creates > 0 : wall - node.mtime > node.ttlMs;
}

function* snapshotOf(node: TreeNode, path: string): Generator<SnapshotEntry> {
  const { data, lifetime, ttlMs, owner, czxid, mzxid, pzxid, ctime, mtime, version, creates } = node;
  const stat = { czxid, mzxid, pzxid, ctime, mtime, version, creates };
  yield { entry: "node", path, data, lifetime, ttlMs, owner, ...stat };
  for (const child of node.children.values()) yield* snapshotOf(child, childOf(path, child.name));
}
