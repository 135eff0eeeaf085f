import { systemScheduler } from "../../base/scheduler.ts";
import type { TreeServer } from "../compliance/tree-bench.ts";
import { treeSuite } from "../compliance/tree-suite.ts";
import type { Tree } from "../tree.ts";
import { MemoryTree } from "./memory-tree.ts";
import { MemoryTreeServer } from "./memory-tree-server.ts";

const own = (tree: Tree): MemoryTree => {
  if (!(tree instanceof MemoryTree)) throw new Error("a tree of another driver");
  return tree;
};

treeSuite("memory", async (): Promise<TreeServer> => {
  const server = new MemoryTreeServer({ scheduler: systemScheduler, redialMs: 1 });
  return {
    connect: async (options) => server.connect(options),
    disconnect: async (tree) => server.disconnect(own(tree)),
    loseNext: async (tree, fate) => server.disconnect(own(tree), fate),
    expire: async (tree) => server.expire(own(tree)),
    sweep: async () => server.sweep(),
    stop: async () => server.stop(),
  };
});
