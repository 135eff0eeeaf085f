import { after, before, describe } from "node:test";
import type { StoreConnection } from "../recipes/connection.ts";
import type { Tree } from "../tree.ts";
import { coordinationTests } from "./coordination-suite.ts";
import { keysTests } from "./keys-suite.ts";
import { leaseTests } from "./lease-suite.ts";
import { mapTests } from "./map-suite.ts";
import { connectionTo, topologyTests } from "./topology-suite.ts";
import type { TreeServer } from "./tree-bench.ts";

/** A server for recipes: as for the tree suite, but sessions open without waiting, as a StoreConnection wants them. */
export interface RecipeServer extends Omit<TreeServer, "connect"> {
  connect(): Tree;
}

/** What the parts of the suite share. */
export interface RecipeBench {
  server(): RecipeServer;
  /** A connection of its own, closed at the end; `over` may put something between the recipes and the tree. */
  connection(over?: (tree: Tree) => Tree): Promise<StoreConnection>;
  /** A place of its own in the tree. */
  freshRoot(): string;
  /** Every connection has seen everything that was written before. */
  syncAll(): Promise<void>;
}

let roots = 0;

/** What the recipes promise, over a tree of any driver. */
export function recipeSuite(name: string, makeServer: () => Promise<RecipeServer>): void {
  describe(`recipes: ${name}`, { timeout: 120_000 }, () => {
    let server: RecipeServer;
    const connections: StoreConnection[] = [];
    before(async () => {
      server = await makeServer();
    });
    after(async () => {
      await Promise.all(connections.map((connection) => connection.close()));
      await server.stop();
    });
    const bench: RecipeBench = {
      server: () => server,
      connection: async (over = (tree) => tree) => {
        const connection = connectionTo(() => over(server.connect()));
        connections.push(connection);
        await connection.untilConnected(10_000);
        return connection;
      },
      freshRoot: () => {
        roots += 1;
        return `/recipes-${Date.now().toString(36)}-${roots}`;
      },
      syncAll: async () => {
        await Promise.all(connections.map((connection) => connection.tree.sync("/")));
      },
    };
    topologyTests(bench);
    mapTests(bench);
    keysTests(bench);
    coordinationTests(bench);
    leaseTests(bench);
  });
}
