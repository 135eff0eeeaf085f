import { systemScheduler } from "../../base/scheduler.ts";
import { type RecipeServer, recipeSuite } from "../compliance/recipe-suite.ts";
import { MemoryTree } from "../memory/memory-tree.ts";
import { MemoryTreeServer } from "../memory/memory-tree-server.ts";
import type { Tree } from "../tree.ts";

const own = (tree: Tree): MemoryTree => {
  if (!(tree instanceof MemoryTree)) throw new Error("a tree of another driver");
  return tree;
};

recipeSuite("memory", async (): Promise<RecipeServer> => {
  const server = new MemoryTreeServer({ scheduler: systemScheduler, redialMs: 1 });
  return {
    connect: () => server.connect(),
    disconnect: async (tree) => server.disconnect(own(tree)),
    loseNext: async (tree, fate) => server.disconnect(own(tree), fate),
    expire: async (tree) => server.expire(own(tree)),
    sweep: async () => server.sweep(),
    stop: async () => server.stop(),
  };
});
