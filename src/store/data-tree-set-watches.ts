import type { TreeNode } from "./data-tree-node.ts";
import type { WatchTable } from "./data-tree-watches.ts";
import type { TreeEvent } from "./tree.ts";

/** The watches of a client that has come back, as ZooKeeper's setWatches2. */
export interface WatchLists {
  readonly data: readonly string[];
  /** Watches of nodes that did not exist. */
  readonly exist: readonly string[];
  readonly child: readonly string[];
  readonly persistent: readonly string[];
  readonly recursive: readonly string[];
}

/** Whose watches come back: `since` is the last transaction that the client saw. */
export interface ReturningClient {
  readonly watches: WatchTable;
  readonly session: bigint;
  readonly since: number;
  find(path: string): TreeNode | undefined;
}

/** Registers the watches that are still waiting, and returns the events that one-shot watches missed. */
export function setWatches(client: ReturningClient, lists: WatchLists): readonly TreeEvent[] {
  const { watches, session, since } = client;
  const missed: TreeEvent[] = [];
  const once = (target: "data" | "child", path: string, event: TreeEvent["kind"] | undefined): void => {
    if (event === undefined) watches.add(target, session, { path, mode: "once" });
    else missed.push({ kind: event, path });
  };
  const late = (zxid: number, event: TreeEvent["kind"]) => (zxid > since ? event : undefined);
  for (const path of lists.data) {
    const node = client.find(path);
    once("data", path, node === undefined ? "deleted" : late(node.mzxid, "changed"));
  }
  for (const path of lists.exist) once("data", path, client.find(path) === undefined ? undefined : "created");
  for (const path of lists.child) {
    const node = client.find(path);
    once("child", path, node === undefined ? "deleted" : late(node.pzxid, "children"));
  }
  for (const path of lists.persistent) watches.addPersistent(session, path, false);
  for (const path of lists.recursive) watches.addPersistent(session, path, true);
  return missed;
}
