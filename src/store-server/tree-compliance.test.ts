import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unwrap } from "../base/result.ts";
import { treeSuite } from "../store/compliance/tree-suite.ts";
import { clientTreeServer } from "../zookeeper/compliance/client-server.ts";
import { startStoreServer } from "./start.ts";

treeSuite("client and embedded server over a Unix socket", async () => {
  const folder = mkdtempSync(join(tmpdir(), "weft-store-"));
  const running = unwrap(
    await startStoreServer({ folder, listen: [{ kind: "unix", path: join(folder, "store.sock") }] }),
  );
  return clientTreeServer({
    options: { servers: running.addresses },
    sweep: async () => running.server.sweep(),
    async stop() {
      await running.stop();
      rmSync(folder, { recursive: true });
    },
  });
});
