import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unwrap } from "../base/result.ts";
import { recipeSuite } from "../store/compliance/recipe-suite.ts";
import { treeSuite } from "../store/compliance/tree-suite.ts";
import { clientRecipeServer, clientTreeServer, type ServerUnderTest } from "../zookeeper/compliance/client-server.ts";
import { startStoreServer } from "./start.ts";

async function embedded(more: Partial<ServerUnderTest["options"]> = {}): Promise<ServerUnderTest> {
  const folder = mkdtempSync(join(tmpdir(), "weft-store-"));
  const listen = [{ kind: "unix", path: join(folder, "store.sock") }] as const;
  const running = unwrap(await startStoreServer({ folder, listen }));
  return {
    options: { servers: running.addresses, ...more },
    sweep: async () => running.server.sweep(),
    async stop() {
      await running.stop();
      rmSync(folder, { recursive: true });
    },
  };
}

treeSuite("client and embedded server over a Unix socket", async () => clientTreeServer(await embedded()));
treeSuite("client with a chroot and embedded server", async () =>
  clientTreeServer(await embedded({ chroot: "/clouds/one" })),
);
recipeSuite("client and embedded server over a Unix socket", async () => clientRecipeServer(await embedded()));
