import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { MemoryLog } from "../base/log.ts";
import { VirtualScheduler } from "../base/scheduler.ts";
import { bridge, host } from "../model/testdata/topology.ts";
import { passTime } from "../store/compliance/virtual-time.ts";
import { MemoryTreeServer } from "../store/memory/memory-tree-server.ts";
import { StoreConnection } from "../store/recipes/connection.ts";
import { Layout } from "../store/recipes/layout.ts";
import { TreeTopologyStore } from "../store/recipes/tree-topology-store.ts";
import { backupOf, restoreBackup, takeSnapshot } from "../store/upkeep/backup.ts";
import type { HostMemory } from "./host-memory.ts";
import { LayoutGuard } from "./layout-guard.ts";

const layout = new Layout();

describe("the guard of the layout", () => {
  let scheduler: VirtualScheduler;
  let server: MemoryTreeServer;
  let operator: StoreConnection;
  let guard: LayoutGuard;
  const log = new MemoryLog();
  const connect = (): StoreConnection => new StoreConnection({ scheduler, connect: () => server.connect() });
  const during = async <T>(outcome: Promise<T>): Promise<T> => {
    await passTime(scheduler, 5_000);
    return outcome;
  };
  const events = (): readonly string[] => log.lines.map(({ event }) => event);

  beforeEach(async () => {
    log.lines.length = 0;
    scheduler = new VirtualScheduler();
    server = new MemoryTreeServer({ scheduler });
    operator = connect();
    const topology = new TreeTopologyStore(operator, layout);
    assert.ok((await during(topology.transact([host(1), bridge(2)].map((object) => ({ op: "create", object }))))).ok);
    const made = await during(operator.tree.exists(layout.version));
    const layoutMadeBy = made.ok ? made.value?.czxid.toString(16) : undefined;
    const memory = { kept: { layoutMadeBy }, keep: () => undefined } as unknown as HostMemory;
    guard = new LayoutGuard({ hostId: host(1).id, connection: connect(), layout, memory, log });
    await passTime(scheduler, 1_000);
  });
  afterEach(() => {
    guard.close();
    server.stop();
  });

  it("tells a restore of a live store from a store that was emptied", async () => {
    const taken = await during(takeSnapshot(operator, layout));
    assert.ok(taken.ok);
    const backup = backupOf(taken.value, { root: layout.root, release: "x", takenAtMs: 0 });
    const other = new TreeTopologyStore(operator, layout);
    assert.ok((await during(other.transact([{ op: "create", object: bridge(3) }]))).ok);
    assert.ok((await during(restoreBackup(operator, layout, { backup }))).ok);
    assert.deepEqual(events(), ["store.filling", "store.restored"]);
    assert.ok((await during(operator.tree.remove(layout.version))).ok);
    assert.deepEqual(events().slice(2), ["store.emptied"]);
  });
});
