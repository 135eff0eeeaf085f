import assert from "node:assert/strict";
import { it } from "node:test";
import type { Log } from "../base/log.ts";
import { VirtualScheduler } from "../base/scheduler.ts";
import { DatapathAudit } from "./datapath-audit.ts";
import { DATAPATH_AUDIT_MS } from "./limits.ts";

/** Promises that are settled go on before this resolves. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

it("the datapath's records are looked at again and again, what differs is counted and told, and the end is the end", async () => {
  const scheduler = new VirtualScheduler();
  const found = [["the record of vport 3"], [], ["peer 1", "tunnel key 7"]];
  const told: unknown[] = [];
  const log = { warn: (event: string, fields: unknown) => told.push([event, fields]) } as unknown as Log;
  let looks = 0;
  const datapath = { audit: async () => found[looks++] ?? [] };
  const audit = new DatapathAudit({ datapath, scheduler, log });
  audit.start();
  for (let i = 1; i <= 3; i++) {
    assert.equal(scheduler.nextAt(), i * DATAPATH_AUDIT_MS);
    scheduler.step();
    await settled();
  }
  assert.deepEqual(
    [audit.counters.get("weft_agent_audits"), audit.counters.get("weft_agent_audit_differences")],
    [3, 3],
  );
  assert.deepEqual(
    told,
    ["the record of vport 3", "peer 1", "tunnel key 7"].map((what) => ["audit.record", { what }]),
  );
  audit.close();
  while (scheduler.step());
  await settled();
  assert.equal(looks, 3);
});
