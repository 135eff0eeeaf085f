import { test } from "node:test";
import { unwrap } from "../../src/base/result.ts";
import { recipeSuite } from "../../src/store/compliance/recipe-suite.ts";
import { treeSuite } from "../../src/store/compliance/tree-suite.ts";
import type { Tree } from "../../src/store/tree.ts";
import {
  clientRecipeServer,
  clientTreeServer,
  type ServerUnderTest,
} from "../../src/zookeeper/compliance/client-server.ts";
import { connectZooKeeper, digest } from "../../src/zookeeper/connect.ts";
import { needs } from "../needs.ts";
import { startApache } from "./apache-zookeeper.ts";

const skip = needs("java", "mvn");
if (skip === false) apacheSuites();
else test("tree and recipes on Apache ZooKeeper", { skip }, () => undefined);

function apacheSuites(): void {
  treeSuite("client and Apache ZooKeeper", async () => clientTreeServer(await apache()));
  treeSuite("client with a chroot, a digest and nodes of its own, and Apache ZooKeeper", async () =>
    clientTreeServer(await apache({ chroot: "/clouds/one", auth: [digest("weft:secret")], isPrivate: true })),
  );
  recipeSuite("client and Apache ZooKeeper", async () => clientRecipeServer(await apache()));
}

async function apache(more: Partial<ServerUnderTest["options"]> = {}): Promise<ServerUnderTest> {
  const running = await startApache();
  const options = { servers: running.addresses, ...more };
  const helper = unwrap(await connectZooKeeper(options));
  return {
    options,
    sweep: async () => {
      // A removal seen may belong to a look that began before the call; the second one's began after it.
      for (let round = 0; round < 2; round++) await sweepSeen(helper);
    },
    async stop() {
      await helper.close();
      await running.stop();
    },
  };
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
