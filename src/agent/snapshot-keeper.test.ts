import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { MemoryLog } from "../base/log.ts";
import { Counters } from "../base/metrics.ts";
import { VirtualScheduler } from "../base/scheduler.ts";
import { value } from "../store/compliance/expecting.ts";
import { passTime } from "../store/compliance/virtual-time.ts";
import { MemoryLocalJournal } from "../store/memory/memory-local-journal.ts";
import { decodeSnapshot, type KnownWorld, type WorldSnapshot } from "./core/world-snapshot.ts";
import { hostMemoryMetrics } from "./host-memory.ts";
import { SNAPSHOT_BYTES_MAX, SNAPSHOT_DELAY_MS, SNAPSHOT_SHARE } from "./limits.ts";
import { SnapshotKeeper } from "./snapshot-keeper.ts";

const HOST = "00000000-0000-8000-8000-000000000001";

describe("snapshot keeper", () => {
  let scheduler: VirtualScheduler;
  let journal: MemoryLocalJournal;
  let counters: Counters<typeof hostMemoryMetrics>;
  let log: MemoryLog;
  /** Every snapshot that was taken costs as much time as the test says. */
  let costMs: number;
  let entries: readonly (readonly [string, string])[];
  let maps: KnownWorld["maps"] | undefined;
  let isReady: boolean;
  let keeper: SnapshotKeeper;

  beforeEach(() => {
    scheduler = new VirtualScheduler();
    journal = new MemoryLocalJournal();
    counters = new Counters(hostMemoryMetrics);
    log = new MemoryLog();
    costMs = 0;
    entries = [["k", "v"]];
    maps = undefined;
    isReady = true;
    const take = (): KnownWorld | undefined => {
      scheduler.advanceTo(scheduler.clock.now() + costMs);
      if (!isReady) return undefined;
      const none: never[] = [];
      return {
        at: scheduler.clock.wall(),
        objects: none,
        actives: none,
        floods: none,
        maps: maps ?? new Map([["fdb/x", entries]]),
      };
    };
    keeper = new SnapshotKeeper({ hostId: HOST, journal, scheduler, log, counters, take });
  });

  async function kept(): Promise<WorldSnapshot | undefined> {
    return value(decodeSnapshot(value(await journal.read()).records, HOST));
  }

  it("writes once for many changes, some time after the first", async () => {
    for (let i = 0; i < 100; i++) keeper.touch();
    await passTime(scheduler, SNAPSHOT_DELAY_MS - 1);
    assert.equal(await kept(), undefined);
    await passTime(scheduler, 10);
    assert.deepEqual((await kept())?.maps.get("fdb/x"), entries);
    await passTime(scheduler, 600_000);
    assert.equal(counters.get("weft_agent_snapshots"), 1);
  });

  it("costs no more than its share of the time, however often things change", async () => {
    costMs = 200;
    const end = scheduler.clock.now() + 100_000;
    while (scheduler.clock.now() < end) {
      keeper.touch();
      await passTime(scheduler, 50);
    }
    assert.ok(counters.get("weft_agent_snapshots") * costMs <= 100_000 * SNAPSHOT_SHARE + 2 * costMs);
    assert.ok(counters.get("weft_agent_snapshots") >= 5);
  });

  it("waits while what is known is not the store's", async () => {
    isReady = false;
    keeper.touch();
    await passTime(scheduler, 60_000);
    assert.equal(await kept(), undefined);
    isReady = true;
    await passTime(scheduler, 2 * SNAPSHOT_DELAY_MS);
    assert.notEqual(await kept(), undefined);
  });

  it("is made in pieces, between which other work is done", async () => {
    const many = Array.from({ length: 100 }, (_, i) => [`fdb/${i}`, [["k", "x".repeat(8_192)]]] as const);
    let others = 0;
    let atOnce = 0;
    const other = (): void => {
      others++;
      atOnce = 0;
      if (others < 1_000) scheduler.soon(other);
    };
    maps = new Map(
      many.map(([name, entries]): readonly [string, Iterable<readonly [string, string]>] => [
        name,
        {
          [Symbol.iterator]: () => {
            atOnce++;
            assert.ok(atOnce <= 2, "one of these is one piece");
            return entries.values() as IterableIterator<readonly [string, string]>;
          },
        },
      ]),
    );
    keeper.touch();
    scheduler.after(SNAPSHOT_DELAY_MS, other);
    await passTime(scheduler, 2 * SNAPSHOT_DELAY_MS);
    assert.ok(others >= 20);
    assert.equal((await kept())?.maps.size, 100);
  });

  it("is whole when it is asked for while another one is made, and given up when nobody wants it", async () => {
    maps = new Map(Array.from({ length: 100 }, (_, i) => [`fdb/${i}`, [["k", "x".repeat(8_192)]]] as const));
    keeper.touch();
    const first = keeper.write();
    await Promise.resolve();
    keeper.touch();
    let isDone = false;
    const second = keeper.write().then(() => {
      isDone = true;
    });
    assert.equal(isDone, false);
    await passTime(scheduler, SNAPSHOT_DELAY_MS - 1);
    await Promise.all([first, second]);
    assert.equal(counters.get("weft_agent_snapshots"), 2);
    keeper.touch();
    void keeper.write();
    await Promise.resolve();
    await Promise.resolve();
    keeper.close();
    await passTime(scheduler, SNAPSHOT_DELAY_MS);
    assert.equal(counters.get("weft_agent_snapshots"), 2);
  });

  it("is given up when the store goes while it is made, and made anew when that is back", async () => {
    maps = Array.from({ length: 100 }, (_, i) => [`fdb/${i}`, [["k", "x".repeat(8_192)]]]);
    keeper.touch();
    scheduler.after(SNAPSHOT_DELAY_MS, () => {
      isReady = false;
    });
    await passTime(scheduler, 10_000);
    assert.equal(await kept(), undefined);
    isReady = true;
    await passTime(scheduler, 10_000);
    assert.equal((await kept())?.maps.size, 100);
  });

  it("keeps the one before when the new one is too large or the disk is full, and says so", async () => {
    keeper.touch();
    await passTime(scheduler, 10_000);
    const before = await kept();
    entries = [["k", "x".repeat(SNAPSHOT_BYTES_MAX)]];
    keeper.touch();
    await passTime(scheduler, 10_000);
    assert.deepEqual(await kept(), before);
    entries = [["k", "new"]];
    journal.failWith({ code: "ENOSPC", what: "write" });
    keeper.touch();
    await passTime(scheduler, 10_000);
    journal.failWith(undefined);
    assert.ok(counters.get("weft_agent_snapshot_failures") >= 2);
    await passTime(scheduler, 10_000);
    assert.deepEqual((await kept())?.maps.get("fdb/x"), entries, "tried again");
  });
});
