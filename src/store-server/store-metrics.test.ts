import assert from "node:assert/strict";
import { test } from "node:test";
import { ProcessMetrics } from "../base/process-metrics.ts";
import { unwrap } from "../base/result.ts";
import { VirtualScheduler } from "../base/scheduler.ts";
import { parseExposition } from "../base/testing/exposition-parser.ts";
import { MemoryJournal } from "./memory-journal.ts";
import { StoreServer } from "./server.ts";
import { STORE_SERVER_METRICS, storeMetricsText } from "./store-metrics.ts";

test("the embedded store tells every metric of its catalogue, gauges as of now", () => {
  const scheduler = new VirtualScheduler();
  const server = unwrap(
    StoreServer.start({
      ...{ journal: new MemoryJournal(), scheduler },
      newPassword: () => new Uint8Array(16),
      isAuthentic: () => true,
      onBroken: () => undefined,
    }),
  );
  const process = new ProcessMetrics(scheduler, {
    process: "store-server",
    release: "1",
    logLines: () => ({ warn: 3 }),
  });
  const families = parseExposition(storeMetricsText(server, process));
  assert.deepEqual([...families.keys()], Object.keys(STORE_SERVER_METRICS));
  assert.equal(families.get("weft_store_nodes")?.samples[0]?.value, server.tree.nodes);
  assert.equal(families.get("weft_store_disk_full")?.samples[0]?.value, 0);
  server.stop();
});
