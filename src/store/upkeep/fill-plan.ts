import { parentOf } from "../data-tree-path.ts";
import { leasesKeptMax } from "../limits.ts";
import type { TreeOperation } from "../tree.ts";
import { opinionName } from "./node-place.ts";
import { isSameNode, type PersistentNode, persistentPart } from "./persistent-part.ts";
import type { ScannedTree } from "./store-scan.ts";

/** What has to happen to a tree so that its persistent part is what is wanted. Paths are below the root. */
export interface FillPlan {
  /** Groups of operations, in order; a group goes into one multi. Full paths. */
  readonly groups: readonly (readonly TreeOperation[])[];
  readonly created: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
  /** Not wanted, and left all the same: live sessions hold nodes below. */
  readonly left: readonly string[];
}

const noBytes = new Uint8Array(0);

/** Works out how to make the persistent part of `target` what is wanted. Pure; nothing to do for a tree that is right. */
export function planFill(root: string, target: ScannedTree, wanted: readonly PersistentNode[]): FillPlan {
  const full = (path: string): string => `${root}/${path}`;
  const present = persistentPart(target);
  const [wantedMaps, wantedNodes] = split(wanted);
  const [presentMaps, presentNodes] = split(present);
  const { removed, left } = removable(
    target,
    [...presentNodes.keys()].filter((path) => !wantedNodes.has(path)),
  );
  const groups: (readonly TreeOperation[])[] = removed.map((path) => [
    { op: "remove", path: full(path), version: target.get(path)?.stat.version ?? -1 },
  ]);
  const [created, changed]: [string[], string[]] = [[], []];
  for (const [path, node] of wantedNodes) {
    const before = presentNodes.get(path);
    if (before === undefined) {
      created.push(path);
      groups.push(creationOf(full(path), node));
    } else if (!isSameNode(before, node) && node.leases === undefined) {
      changed.push(path);
      const version = target.get(path)?.stat.version ?? -1;
      groups.push([{ op: "set", path: full(path), data: node.data, version }]);
    }
  }
  const made = new Set<string>();
  for (const folder of new Set([...wantedMaps.keys(), ...presentMaps.keys()])) {
    const [before, after] = [presentMaps.get(folder) ?? [], wantedMaps.get(folder) ?? []];
    if (before.length === after.length && before.every((node, i) => isSameNode(node, after[i] as PersistentNode)))
      continue;
    if (before.length === 0) created.push(folder);
    else if (after.length === 0) removed.push(folder);
    else changed.push(folder);
    groups.push(mapWrites({ root, folder, target, made, after }));
  }
  return { groups: groups.filter((group) => group.length > 0), created, changed, removed, left };
}

type Maps = ReadonlyMap<string, readonly PersistentNode[]>;

/** Opinions by map, and everything else by path. */
function split(nodes: readonly PersistentNode[]): readonly [Maps, ReadonlyMap<string, PersistentNode>] {
  const maps = new Map<string, PersistentNode[]>();
  const others = new Map<string, PersistentNode>();
  for (const node of nodes) {
    if (!isOpinion(node.path)) {
      others.set(node.path, node);
      continue;
    }
    const folder = parentOf(`/${node.path}`).slice(1);
    maps.set(folder, [...(maps.get(folder) ?? []), node]);
  }
  return [maps, others];
}

function isOpinion(path: string): boolean {
  return path.startsWith("maps/") && opinionName.test(path.slice(path.lastIndexOf("/") + 1));
}

/** Of the nodes that are not wanted those that can go, children first: whatever holds something that stays, stays. */
function removable(
  target: ScannedTree,
  unwanted: readonly string[],
): { readonly removed: string[]; readonly left: string[] } {
  const going = new Set(unwanted);
  const staying = new Map<string, number>();
  for (const path of target.keys()) {
    if (path === "" || going.has(path)) continue;
    for (let above = parentOf(`/${path}`).slice(1); above !== ""; above = parentOf(`/${above}`).slice(1))
      staying.set(above, (staying.get(above) ?? 0) + 1);
  }
  const removed = unwanted.filter((path) => !staying.has(path)).sort((a, b) => (a < b ? 1 : -1));
  return { removed, left: unwanted.filter((path) => staying.has(path)) };
}

function creationOf(path: string, { data, leases = 0 }: PersistentNode): readonly TreeOperation[] {
  const sets = Math.min(leases, leasesKeptMax);
  return [
    { op: "create", path, data },
    ...Array.from({ length: sets }, (): TreeOperation => ({ op: "set", path, data })),
  ];
}

interface MapWrites {
  readonly root: string;
  readonly folder: string;
  readonly target: ScannedTree;
  /** Folders that an earlier group makes. */
  readonly made: Set<string>;
  readonly after: readonly PersistentNode[];
}

/** All configured opinions of a map anew, in their order; numbers are the store's. */
function mapWrites({ root, folder, target, made, after }: MapWrites): readonly TreeOperation[] {
  const operations: TreeOperation[] = [];
  for (const [path, { stat }] of target) {
    const isOld = path.startsWith(`${folder}/`) && parentOf(`/${path}`).slice(1) === folder;
    const isConfigured = isOld && opinionName.exec(path.slice(folder.length + 1))?.[1] === "c";
    if (isConfigured) operations.push({ op: "remove", path: `${root}/${path}`, version: stat.version });
  }
  if (after.length === 0) return operations;
  const parts = folder.split("/");
  for (let depth = 1; depth <= parts.length; depth++) {
    const path = parts.slice(0, depth).join("/");
    if (target.has(path) || made.has(path)) continue;
    made.add(path);
    operations.push({ op: "create", path: `${root}/${path}`, data: noBytes, options: { mode: "container" } });
  }
  for (const { path, data } of after) {
    const options = { mode: "persistent-sequential" } as const;
    operations.push({ op: "create", path: `${root}/${path.replace(/\d+$/, "")}`, data, options });
  }
  return operations;
}
