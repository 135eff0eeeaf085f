import { unreachable } from "../base/assert.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { NodeLifetime, TreeNode } from "./data-tree-node.ts";
import { nameOf, parentOf, pathFault, sequenceText } from "./data-tree-path.ts";
import type { TreeChange } from "./data-tree-record.ts";
import { nodeBytesMax, ttlMsMax } from "./limits.ts";
import type { CreateOptions, TreeError, TreeOperation } from "./tree.ts";

/** What a draft must know of a node to judge an operation. */
interface DraftNode {
  readonly version: number;
  readonly creates: number;
  readonly childCount: number;
  readonly dataLength: number;
  readonly isEphemeral: boolean;
}

/** An accepted operation: what to write, and the path that the caller is told. A check writes nothing. */
export interface Accepted {
  readonly op: TreeOperation["op"];
  readonly path: string;
  readonly change: TreeChange | undefined;
}

/**
 * Judges operations one after the other as if the earlier ones had happened, without touching the tree: the whole of
 * "all or nothing". Costs what the operations cost, whatever the size of the tree.
 */
export class Draft {
  /** Nodes and bytes that the tree grows by; negative when it shrinks. */
  nodes = 0;
  growth = 0;
  /** Bytes that the accepted operations carry. */
  bytes = 0;
  readonly #find: (path: string) => TreeNode | undefined;
  readonly #changed = new Map<string, DraftNode | undefined>();

  constructor(find: (path: string) => TreeNode | undefined) {
    this.#find = find;
  }

  /** Accepts an operation or says why not. Order of the checks as in ZooKeeper's PrepRequestProcessor. */
  add(operation: TreeOperation): Result<Accepted, TreeError> {
    switch (operation.op) {
      case "create":
        return this.#create(operation.path, operation.data, operation.options ?? {});
      case "set":
        return this.#set(operation.path, operation.data, operation.version ?? -1);
      case "remove":
        return this.#remove(operation.path, operation.version ?? -1);
      case "check": {
        const node = this.#existing(operation.path, operation.version);
        return node.ok ? ok({ op: "check", path: operation.path, change: undefined }) : node;
      }
      default:
        return unreachable(operation);
    }
  }

  #create(path: string, data: Uint8Array, options: CreateOptions): Result<Accepted, TreeError> {
    const mode = options.mode ?? "persistent";
    const isSequential = mode.endsWith("-sequential");
    const fault = pathFault(isSequential ? `${path}0` : path) ?? optionFault(mode, options.ttlMs);
    if (fault !== undefined) return err({ kind: "bad-arguments", path, why: fault });
    if (path === "/") return err({ kind: "node-exists", path });
    if (data.length > nodeBytesMax) return tooLarge(path, data.length);
    const parentPath = parentOf(path);
    const parent = this.#look(parentPath);
    if (parent === undefined) return err({ kind: "no-node", path });
    const full = isSequential ? path + sequenceText(parent.creates) : path;
    if (this.#look(full) !== undefined) return err({ kind: "node-exists", path: full });
    if (parent.isEphemeral) return err({ kind: "no-children-for-ephemerals", path });
    const lifetime = lifetimeOf(mode, options.ttlMs);
    this.#changed.set(parentPath, {
      ...parent,
      creates: (parent.creates + 1) | 0,
      childCount: parent.childCount + 1,
    });
    const isEphemeral = lifetime === "ephemeral";
    this.#changed.set(full, { version: 0, creates: 0, childCount: 0, dataLength: data.length, isEphemeral });
    this.nodes += 1;
    this.growth += data.length + nameOf(full).length + 1;
    this.bytes += data.length + full.length;
    const change: TreeChange = { op: "create", path: full, data, lifetime, ttlMs: options.ttlMs ?? 0 };
    return ok({ op: "create", path: full, change });
  }

  #set(path: string, data: Uint8Array, version: number): Result<Accepted, TreeError> {
    const node = this.#existing(path, version);
    if (!node.ok) return node;
    if (data.length > nodeBytesMax) return tooLarge(path, data.length);
    this.#changed.set(path, { ...node.value, version: (node.value.version + 1) | 0, dataLength: data.length });
    this.growth += data.length - node.value.dataLength;
    this.bytes += data.length + path.length;
    return ok({ op: "set", path, change: { op: "set", path, data } });
  }

  #remove(path: string, version: number): Result<Accepted, TreeError> {
    const node = this.#existing(path, version);
    if (!node.ok) return node;
    if (node.value.childCount > 0) return err({ kind: "not-empty", path });
    if (path === "/") return err({ kind: "bad-arguments", path, why: "the root stays" });
    const parentPath = parentOf(path);
    const parent = this.#look(parentPath);
    if (parent !== undefined) this.#changed.set(parentPath, { ...parent, childCount: parent.childCount - 1 });
    this.#changed.set(path, undefined);
    this.nodes -= 1;
    this.growth -= node.value.dataLength + nameOf(path).length + 1;
    this.bytes += path.length;
    return ok({ op: "remove", path, change: { op: "remove", path } });
  }

  #existing(path: string, version: number): Result<DraftNode, TreeError> {
    const fault = pathFault(path);
    if (fault !== undefined) return err({ kind: "bad-arguments", path, why: fault });
    const node = this.#look(path);
    if (node === undefined) return err({ kind: "no-node", path });
    if (version !== -1 && version !== node.version) return err({ kind: "bad-version", path });
    return ok(node);
  }

  #look(path: string): DraftNode | undefined {
    if (this.#changed.has(path)) return this.#changed.get(path);
    const node = this.#find(path);
    if (node === undefined) return undefined;
    const { version, creates, lifetime } = node;
    const isEphemeral = lifetime === "ephemeral";
    return { version, creates, childCount: node.children.size, dataLength: node.data.length, isEphemeral };
  }
}

function tooLarge(path: string, bytes: number): Result<never, TreeError> {
  return err({ kind: "too-large", path, bytes, limit: nodeBytesMax });
}

function lifetimeOf(mode: NonNullable<CreateOptions["mode"]>, ttlMs: number | undefined): NodeLifetime {
  if (mode.startsWith("ephemeral")) return "ephemeral";
  if (mode === "container") return "container";
  return ttlMs === undefined ? "persistent" : "ttl";
}

function optionFault(mode: NonNullable<CreateOptions["mode"]>, ttlMs: number | undefined): string | undefined {
  if (ttlMs === undefined) return undefined;
  if (!mode.startsWith("persistent")) return "only persistent nodes have a time to live";
  if (!Number.isInteger(ttlMs) || ttlMs < 1 || ttlMs > ttlMsMax) return `ttlMs is a whole number from 1 to ${ttlMsMax}`;
  return undefined;
}
