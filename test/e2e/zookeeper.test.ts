import { test } from "node:test";
import { unwrap } from "../../src/base/result.ts";
import { treeSuite } from "../../src/store/compliance/tree-suite.ts";
import type { Tree } from "../../src/store/tree.ts";
import { clientTreeServer } from "../../src/zookeeper/compliance/client-server.ts";
import { connectZooKeeper } from "../../src/zookeeper/connect.ts";
import { needs } from "../needs.ts";
import { startApache } from "./apache-zookeeper.ts";

const skip = needs("java", "mvn");
if (skip === false) apacheSuite();
else test("client and Apache ZooKeeper", { skip }, () => undefined);

function apacheSuite(): void {
  treeSuite("client and Apache ZooKeeper", async () => {
    const apache = await startApache();
    const options = { servers: apache.addresses };
    const helper = unwrap(await connectZooKeeper(options));
    return clientTreeServer({
      options,
      sweep: async () => {
        // A removal seen may belong to a look that began before the call; the second one's began after it.
        for (let round = 0; round < 2; round++) await sweepSeen(helper);
      },
      async stop() {
        await helper.close();
        await apache.stop();
      },
    });
  });
}

/** Resolves when the server has looked for empty containers and removed one of ours. */
async function sweepSeen(tree: Tree): Promise<void> {
  const container = unwrap(await tree.create("/sweep-", new Uint8Array(0), { mode: "persistent-sequential" }));
  const path = `${container}/c`;
  unwrap(await tree.create(path, new Uint8Array(0), { mode: "container" }));
  unwrap(await tree.create(`${path}/x`, new Uint8Array(0)));
  await new Promise<void>((resolve) => {
    const options = {
      recursive: false,
      onResync: () => undefined,
      onEvent: (event: { readonly kind: string }) => {
        if (event.kind === "deleted") resolve();
      },
    };
    void tree.watch(path, options).then(() => tree.remove(`${path}/x`));
  });
  unwrap(await tree.remove(container));
}
