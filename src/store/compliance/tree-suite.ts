import { after, before, describe } from "node:test";
import type { Tree } from "../tree.ts";
import { value } from "./expecting.ts";
import { noData, type Suite, type TreeServer } from "./tree-bench.ts";
import { createTests, multiTests, nodeTests } from "./tree-node-tests.ts";
import { faultTests, sessionTests, watchTests } from "./tree-watch-tests.ts";

let folders = 0;

/** Every sentence of the contract in tree.ts, as tests against a server of any driver. */
export function treeSuite(name: string, makeServer: () => Promise<TreeServer>): void {
  describe(`tree contract: ${name}`, { timeout: 60_000 }, () => {
    let server: TreeServer;
    let tree: Tree;
    before(async () => {
      server = await makeServer();
      tree = await server.connect();
    });
    after(async () => {
      await tree.close();
      await server.stop();
    });

    /** A folder of its own for each test, so that a suite may run over a server with other content. */
    const folder = async (): Promise<string> => {
      folders += 1;
      return value(await tree.create(`/suite-${folders}-`, noData, { mode: "persistent-sequential" }));
    };
    const suite: Suite = { server: () => server, tree: () => tree, folder };
    nodeTests(suite);
    createTests(suite);
    multiTests(suite);
    sessionTests(suite);
    watchTests(suite);
    faultTests(suite);
  });
}
