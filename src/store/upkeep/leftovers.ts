import type { Kind } from "../../model/objects.ts";
import { isKind } from "../../model/registry.ts";
import { parentOf } from "../data-tree-path.ts";
import { emptyFolderAgeMs, repairBatchOperations } from "../limits.ts";
import { type Layout, unescapeName } from "../recipes/layout.ts";
import type { TreeOperation } from "../tree.ts";
import { isEphemeral, opinionName, placeOf } from "./node-place.ts";
import type { ScannedNode, ScannedTree } from "./store-scan.ts";

/** Why something is a leftover. */
export type LeftoverKind =
  | "map-of-nothing"
  | "ports-of-nothing"
  | "ownerless-opinion"
  | "ownerless-key"
  | "empty-folder";

/** Something that nobody needs any more, and what takes it away. */
export interface Leftover {
  readonly kind: LeftoverKind;
  /** Below the root. */
  readonly path: string;
  /** One transaction: it fails when the object is there after all, or when something has changed. Full paths. */
  readonly operations: readonly TreeOperation[];
  /** Nodes that stay until the sessions that hold them end. */
  readonly held: number;
}

/** Kinds that have blocks of ports: whose id stands there. */
const leasingKinds: readonly Kind[] = ["router", "bridge", "port"];

/**
 * What dead hosts and deleted objects have left in a tree. Hosts themselves are never among it: a host that is away may come
 * back. Nor is what live sessions hold: it goes with them. `wall` is the time of the store's machines, roughly.
 */
export function findLeftovers(tree: ScannedTree, layout: Layout, wall: number): readonly Leftover[] {
  const found: Leftover[] = [];
  const groups = groupsOf(tree);
  for (const [folder, nodes] of groups) {
    const [top, kind = "", id = ""] = folder.split("/");
    const kinds = top === "maps" ? [kind].filter(isKind) : leasingKinds;
    const objectId = unescapeName(top === "maps" ? id : kind);
    if (objectId === undefined || kinds.length === 0) continue;
    const isGone = kinds.every((one) => !tree.has(layout.object(one, objectId).slice(layout.root.length + 1)));
    if (isGone) found.push(...orphaned({ layout, folder, nodes, kinds, objectId }));
    else found.push(...ownerless(layout, nodes));
  }
  for (const [path, node] of tree) {
    const { place } = placeOf(path);
    const isKey = place === "state-key" && !isEphemeral(node.stat);
    const isFolder = place === "queue-folder" || place === "state-folder";
    const isDeep = path.split("/").length > (place === "state-folder" ? 2 : 1);
    if (isKey) found.push(one("ownerless-key", layout, [path, node]));
    else if (isFolder && isDeep && node.stat.childCount === 0 && wall - node.stat.ctime > emptyFolderAgeMs)
      found.push(one("empty-folder", layout, [path, node]));
  }
  return found;
}

/** Nodes of maps and port blocks by the folder of their object, parents before children. */
function groupsOf(tree: ScannedTree): ReadonlyMap<string, readonly (readonly [string, ScannedNode])[]> {
  const groups = new Map<string, (readonly [string, ScannedNode])[]>();
  for (const [path, node] of tree) {
    const parts = path.split("/");
    const depth = parts[0] === "maps" ? 3 : parts[0] === "nat" ? 2 : 0;
    if (depth === 0 || parts.length < depth) continue;
    const folder = parts.slice(0, depth).join("/");
    const nodes = groups.get(folder);
    if (nodes === undefined) groups.set(folder, [[path, node]]);
    else nodes.push([path, node]);
  }
  return groups;
}

interface Orphaned {
  readonly layout: Layout;
  readonly folder: string;
  readonly nodes: readonly (readonly [string, ScannedNode])[];
  readonly kinds: readonly Kind[];
  readonly objectId: string;
}

/** Everything below the folder of an object that is gone, but what sessions hold. */
function orphaned({ layout, folder, nodes, kinds, objectId }: Orphaned): readonly Leftover[] {
  const held = new Set<string>();
  for (const [path, { stat }] of nodes) {
    if (!isEphemeral(stat)) continue;
    for (let at = path; at.length >= folder.length; at = parentOf(`/${at}`).slice(1)) held.add(at);
  }
  const going = nodes.filter(([path]) => !held.has(path)).sort(([a], [b]) => (a < b ? 1 : -1));
  if (going.length === 0) return [];
  const removals = going
    .slice(0, repairBatchOperations)
    .map(
      ([path, { stat }]): TreeOperation => ({ op: "remove", path: `${layout.root}/${path}`, version: stat.version }),
    );
  const kind = folder.startsWith("maps/") ? "map-of-nothing" : "ports-of-nothing";
  const proof = kinds.flatMap((one) => absenceProof(layout.object(one, objectId)));
  return [{ kind, path: folder, operations: [...proof, ...removals], held: held.size === 0 ? 0 : held.size }];
}

/** Operations of a transaction that fails when the node exists, and change nothing else. */
export function absenceProof(path: string): readonly TreeOperation[] {
  return [
    { op: "create", path, data: new Uint8Array(0) },
    { op: "remove", path, version: 0 },
  ];
}

/** Learned opinions that no session holds: they would never go. */
function ownerless(layout: Layout, nodes: readonly (readonly [string, ScannedNode])[]): readonly Leftover[] {
  return nodes.flatMap(([path, node]) => {
    const match = opinionName.exec(path.slice(path.lastIndexOf("/") + 1));
    const isLeft = placeOf(path).place === "opinion" && match?.[1] === "" && !isEphemeral(node.stat);
    return isLeft ? [one("ownerless-opinion", layout, [path, node])] : [];
  });
}

function one(kind: LeftoverKind, { root }: Layout, [path, { stat }]: readonly [string, ScannedNode]): Leftover {
  return { kind, path, operations: [{ op: "remove", path: `${root}/${path}`, version: stat.version }], held: 0 };
}
