import { err, ok, type Result } from "../base/result.ts";
import { each, type LastingError, steadily, storeError, type Unavailable } from "../store/recipes/steadily.ts";
import type { StoreError } from "../store/recipes/store-error.ts";
import { scanStore } from "../store/upkeep/store-scan.ts";
import { ZooKeeperClient } from "../zookeeper/client.ts";
import type { ToolStore } from "./tool-transfer.ts";

/**
 * Takes everything under the root away from everybody but who shows our secret: what a fill found as it should be, and what live
 * sessions hold, keeps the access list that it was made with. The value is how many nodes were open; none in an embedded store, which
 * keeps no access lists: its socket's file mode says who may come. What somebody else has closed is not ours to open:
 * `weft store check` names it.
 */
export async function closeToStrangers(store: ToolStore): Promise<Result<number, StoreError>> {
  const { connection, layout } = store;
  const first = await close(store, layout.root);
  if (!first.ok) return err(storeError(first.error));
  const again = first.value ? await close(store, layout.root) : first;
  if (!again.ok) return err(storeError(again.error));
  if (again.value) return ok(0);
  const tree = await scanStore(connection, { root: layout.root });
  if (!tree.ok) return tree;
  const paths = [...tree.value].filter(([path, { isUnreadable }]) => path !== "" && isUnreadable !== true);
  const outcomes = await each(paths, ([path]) => close(store, `${layout.root}/${path}`));
  let closed = first.value ? 1 : 0;
  for (const outcome of outcomes) {
    if (!outcome.ok) return err(storeError(outcome.error));
    if (outcome.value) closed += 1;
  }
  return ok(closed);
}

/** The value is whether the node was open. A node that has gone needs no closing. */
function close({ connection }: ToolStore, path: string): Promise<Result<boolean, LastingError | Unavailable>> {
  return steadily(connection, async (tree) => {
    if (!(tree instanceof ZooKeeperClient)) return ok(false);
    const done = await tree.closeToStrangers(path);
    return !done.ok && done.error.kind === "no-node" ? ok(false) : done;
  });
}
