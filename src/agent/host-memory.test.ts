import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { MemoryLog } from "../base/log.ts";
import { VirtualScheduler } from "../base/scheduler.ts";
import { value } from "../store/compliance/expecting.ts";
import { passTime } from "../store/compliance/virtual-time.ts";
import { MemoryLocalJournal } from "../store/memory/memory-local-journal.ts";
import { HostMemory } from "./host-memory.ts";
import { JOURNAL_SLACK_RECORDS } from "./limits.ts";

const HOST = "00000000-0000-8000-8000-000000000001";

describe("host memory", () => {
  let scheduler: VirtualScheduler;
  let journal: MemoryLocalJournal;
  let log: MemoryLog;

  beforeEach(() => {
    scheduler = new VirtualScheduler();
    journal = new MemoryLocalJournal();
    log = new MemoryLog();
  });

  async function open(): Promise<HostMemory> {
    return value(await HostMemory.open({ hostId: HOST, journal, snapshots: journal, scheduler, log }));
  }

  it("has after a loss of power everything that had settled", async () => {
    const memory = await open();
    const ticket = { id: 0x1000_0000_0000_0001n, password: Uint8Array.of(1, 0xff), lastZxid: 29n };
    memory.keepSession(ticket);
    memory.keep({ record: "key", owner: "p", key: 7, generation: 1 });
    await passTime(scheduler, 10);
    await memory.settled();
    memory.keep({ record: "rest", key: 7, until: 5 });
    journal.losePower();
    const later = await open();
    assert.deepEqual(later.ticket, ticket);
    assert.deepEqual([...later.kept.keys.values()], [{ owner: "p", key: 7, generation: 1 }]);
  });

  it("writes once for what one turn brings, and nothing for a session that it knows", async () => {
    const memory = await open();
    const ticket = { id: 1n, password: Uint8Array.of(), lastZxid: 0n };
    memory.keepSession(ticket);
    for (let key = 1; key <= 100; key++) memory.keep({ record: "key", owner: `p${key}`, key, generation: 1 });
    memory.keepSession(ticket);
    await passTime(scheduler, 10);
    await memory.settled();
    assert.equal(memory.counters.get("weft_agent_journal_syncs"), 1);
  });

  it("writes the journal anew before it has grown beyond what it says", async () => {
    const memory = await open();
    for (let i = 0; i < 3 * JOURNAL_SLACK_RECORDS; i++) {
      memory.keep({ record: "layout", madeBy: `${i}` });
      await passTime(scheduler, 1);
      await memory.settled();
    }
    assert.equal(value(await journal.read()).records.length < JOURNAL_SLACK_RECORDS + 10, true);
    assert.ok(memory.counters.get("weft_agent_journal_rewrites") <= 4);
    assert.equal((await open()).kept.layoutMadeBy, `${3 * JOURNAL_SLACK_RECORDS - 1}`);
  });

  it("goes on when the disk is full, says so once, and has everything when there is room", async () => {
    const memory = await open();
    journal.failWith({ code: "ENOSPC", what: "sync" });
    for (const key of [1, 2]) {
      memory.keep({ record: "key", owner: `p${key}`, key, generation: 1 });
      await passTime(scheduler, 10);
      await memory.settled();
    }
    assert.equal(log.lines.filter((line) => JSON.stringify(line).includes("journal.failed")).length, 1);
    journal.failWith(undefined);
    memory.keep({ record: "key", owner: "p3", key: 3, generation: 1 });
    await passTime(scheduler, 10);
    await memory.settled();
    journal.losePower();
    assert.equal((await open()).kept.keys.size, 3);
  });

  it("is refused with a sentence when the disk cannot be read", async () => {
    journal.failWith({ code: "EIO", what: "read" });
    const refused = await HostMemory.open({ hostId: HOST, journal, snapshots: journal, scheduler, log });
    assert.match(refused.ok ? "" : refused.error, /EIO/);
  });
});
