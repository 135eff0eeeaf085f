import { parentOf } from "../data-tree-path.ts";
import { isEphemeral, opinionName, placeOf } from "./node-place.ts";
import type { ScannedNode, ScannedTree } from "./store-scan.ts";

/**
 * A node that outlives every session, as it is copied and kept in backups. `path` is below the root, in normal form: configured
 * opinions of a map are numbered from 0 in their order, because a number means nothing but the order, and numbers of another tree
 * would be newer than everything that is learned in this one.
 */
export interface PersistentNode {
  readonly path: string;
  readonly data: Uint8Array;
  /** Of a block of ports: how often it was leased. */
  readonly leases?: number;
}

/** Tops of what lives with sessions or with one store only, folders included. */
const fleeting = new Set(["layout", "incomplete", "term", "transactions", "state", "locks", "elections", "owners"]);

/**
 * What a copy or a backup carries of a tree: everything that is persistent, in an order in which it can be created again. The
 * layout's node is not among it: it is written last, by whoever has checked the rest.
 */
export function persistentPart(tree: ScannedTree): readonly PersistentNode[] {
  const nodes: PersistentNode[] = [];
  const maps = new Map<string, { readonly name: string; readonly node: ScannedNode }[]>();
  const blocks: { readonly path: string; readonly node: ScannedNode }[] = [];
  for (const [path, node] of tree) {
    const top = path.split("/", 1)[0] ?? "";
    if (path === "" || fleeting.has(top) || isEphemeral(node.stat) || node.isUnreadable) continue;
    const { place } = placeOf(path);
    if (place === "map-folder" || (place === "folder" && top === "maps")) continue;
    if (place === "opinion") {
      const folder = parentOf(`/${path}`).slice(1);
      const opinions = maps.get(folder) ?? [];
      opinions.push({ name: path.slice(folder.length + 1), node });
      maps.set(folder, opinions);
    } else if (place === "block") blocks.push({ path, node });
    else nodes.push({ path, data: node.data });
  }
  nodes.sort((a, b) => (a.path < b.path ? -1 : 1));
  // Blocks are leased again in the order in which their last leases ended.
  blocks.sort((a, b) => Number(a.node.stat.pzxid - b.node.stat.pzxid));
  return [
    ...nodes,
    ...blocks.map(({ path, node }) => ({ path, data: node.data, leases: node.stat.version })),
    ...[...maps].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([folder, opinions]) => numbered(folder, opinions)),
  ];
}

interface MapOpinion {
  readonly name: string;
  readonly node: ScannedNode;
}

/** Configured opinions of one map in normal form. What was learned has no business outliving its session. */
function numbered(folder: string, opinions: readonly MapOpinion[]): readonly PersistentNode[] {
  const configured = opinions.flatMap(({ name, node }) => {
    const [, mark, digits] = opinionName.exec(name) ?? [];
    return mark === "c" ? [{ name, node, sequence: Number(digits) }] : [];
  });
  configured.sort((a, b) => a.sequence - b.sequence || (a.name < b.name ? -1 : 1));
  return configured.map(({ name, node }, i) => {
    const prefix = name.slice(0, name.lastIndexOf(",") + 1);
    return { path: `${folder}/${prefix}c${String(i).padStart(10, "0")}`, data: node.data };
  });
}

/** Whether two nodes in normal form are the same. How often a block was leased is not compared: it goes on growing. */
export function isSameNode(a: PersistentNode, b: PersistentNode): boolean {
  return a.path === b.path && Buffer.compare(a.data, b.data) === 0;
}
