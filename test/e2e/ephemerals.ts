import { unwrap } from "../../src/base/result.ts";
import { childOf } from "../../src/store/data-tree-path.ts";
import type { Tree } from "../../src/store/tree.ts";

/** Every ephemeral node below a path with the session that owns it; a sequence number at the end of a name is left out. */
export async function ephemeralsBelow(tree: Tree, path: string): Promise<ReadonlyMap<string, bigint>> {
  const found = new Map<string, bigint>();
  const visit = async (at: string): Promise<void> => {
    const read = await tree.children(at);
    // It may go while it is looked for.
    if (!read.ok) return;
    const { names, stat } = read.value;
    if (stat.ephemeralOwner !== 0n) found.set(at.replace(/,\d{10}$/, ""), stat.ephemeralOwner);
    await Promise.all(names.map((name) => visit(childOf(at, name))));
  };
  unwrap(await tree.sync(path));
  await visit(path);
  return found;
}
