import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { VirtualScheduler } from "../../base/scheduler.ts";
import { bridge } from "../../model/testdata/topology.ts";
import { failure, value } from "../compliance/expecting.ts";
import { drain, passTime } from "../compliance/virtual-time.ts";
import { reconnectWaitMs } from "../limits.ts";
import { MemoryTreeServer } from "../memory/memory-tree-server.ts";
import { StoreConnection } from "./connection.ts";
import type { StoreError } from "./store-error.ts";
import { TreeTopologyStore } from "./tree-topology-store.ts";

const patienceMs = 5_000;

describe("a store that is away", () => {
  let scheduler: VirtualScheduler;
  let server: MemoryTreeServer;
  beforeEach(() => {
    scheduler = new VirtualScheduler();
    server = new MemoryTreeServer({ scheduler });
  });
  afterEach(() => server.stop());

  /** A topology store with something in it, just cut off from its server. */
  const cutOff = async (patience?: number): Promise<TreeTopologyStore> => {
    const options = patience === undefined ? {} : { patienceMs: patience };
    const connect = () => server.connect({ place: "here" });
    const topology = new TreeTopologyStore(new StoreConnection({ scheduler, connect, ...options }));
    const made = topology.transact([{ op: "create", object: bridge(1) }]);
    await passTime(scheduler, 1_000);
    value(await made);
    server.isolate("here");
    await passTime(scheduler, 1);
    return topology;
  };

  /** How long each kind of question waited for its answer, which must be that there is no connection. */
  const waits = async (topology: TreeTopologyStore): Promise<readonly number[]> => {
    const from = scheduler.clock.now();
    const until = (asked: Promise<{ ok: true; value: unknown } | { ok: false; error: StoreError }>) =>
      asked.then((answer) => {
        const since = new Date(scheduler.clock.wall()).toISOString().slice(0, 10);
        assert.match(
          JSON.stringify(failure(answer)),
          new RegExp(`store-unavailable.*no connection to the store since ${since}`),
        );
        return Math.round(scheduler.clock.now() - from);
      });
    const all = Promise.all([
      until(topology.list("bridge")),
      until(topology.get("bridge", bridge(1).id)),
      until(topology.transact([{ op: "create", object: bridge(2) }])),
    ]);
    await drain();
    await passTime(scheduler, 2 * reconnectWaitMs);
    return all;
  };

  test("is waited for as long as the connection has patience, counted from its loss, and not at all after that", async () => {
    const topology = await cutOff(patienceMs);
    await passTime(scheduler, 1_999);
    assert.deepEqual(await waits(topology), [3_000, 3_000, 3_000]);
    assert.deepEqual(await waits(topology), [0, 0, 0]);
    server.rejoin("here");
    await passTime(scheduler, 1_000);
    const list = topology.list("bridge");
    await passTime(scheduler, 1_000);
    assert.equal(value(await list).objects.length, 1, "nothing that was refused happened later");
  });

  test("is waited for longer by what runs in the background", async () => {
    const topology = await cutOff();
    for (const waited of await waits(topology)) assert.equal(waited, reconnectWaitMs);
  });
});
