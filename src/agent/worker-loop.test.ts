import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { ManualClock } from "../base/clock.ts";
import { Prng } from "../base/prng.ts";
import { VirtualScheduler } from "../base/scheduler.ts";
import { MemoryDatapath } from "../datapath/memory/memory-datapath.ts";
import { SHARD_COUNT } from "../flow/layout.ts";
import { NEIGHBOR_DEFAULTS } from "../state/neighbor-settings.ts";
import { buildFrame } from "../wire/build-frame.ts";
import { BatchPolicy } from "./batch-policy.ts";
import type { FromWorker } from "./core/messages.ts";
import type { WorkerCore } from "./core/worker.ts";
import { IdleHold } from "./idle-hold.ts";
import { BATCH_WAIT_MS, BATCH_WINDOW_MS, HOLD_MS } from "./limits.ts";
import { makeWorker } from "./make-worker.ts";
import { WorkerLoop } from "./worker-loop.ts";
import { shardsOf } from "./worker-settings.ts";

const FRAME = buildFrame({
  eth: { dst: 0x0200_0000_0002, src: 0x0200_0000_0001 },
  ipv4: { src: 1, dst: 2 },
  udp: { srcPort: 1, dstPort: 2 },
});

describe("worker loop", () => {
  let scheduler: VirtualScheduler;
  let datapath: MemoryDatapath;
  let sent: FromWorker[];
  let loop: WorkerLoop;

  beforeEach(async () => {
    scheduler = new VirtualScheduler();
    sent = [];
    const clock = scheduler.clock;
    datapath = new MemoryDatapath({ clock, prng: new Prng(1), bucketsPerShard: 2, send: () => undefined });
    datapath.addInterface("vm", { mac: 1, mtu: 1500, deliver: () => undefined });
    await datapath.setPorts([{ vport: 1, interfaceName: "vm", epoch: 1 }]);
    const face = datapath.openWorker(0, shardsOf(0, 1, SHARD_COUNT));
    const send = (message: FromWorker): void => void sent.push(message);
    const start = {
      worker: 0,
      workers: 1,
      shards: face.shards,
      seed: 1,
      datapath: {},
      neighbor: NEIGHBOR_DEFAULTS,
      maySpin: false,
    };
    const core = makeWorker(start, { datapath: face, clock, send });
    loop = new WorkerLoop({ core, datapath: face, scheduler, takeMessages: () => [], send, maySpin: false });
  });

  function run(until: number): void {
    for (let at = scheduler.nextAt(); at !== undefined && at <= until; at = scheduler.nextAt()) scheduler.step();
    scheduler.advanceTo(until);
  }

  function upcalls(): number {
    const counts = sent.filter((message) => message.kind === "counts").at(-1);
    return counts?.metrics["weft_worker_upcalls"] ?? 0;
  }

  it("sleeps, and is woken by a frame", () => {
    loop.kick();
    run(10);
    datapath.receive("vm", FRAME);
    run(2_000);
    assert.equal(upcalls(), 1);
  });

  it("takes what came in before it first slept", () => {
    datapath.receive("vm", FRAME);
    loop.kick();
    run(2_000);
    assert.equal(upcalls(), 1);
  });

  it("reports its counters about once a second, and does little else when nothing happens", () => {
    loop.kick();
    let steps = 0;
    for (let at = scheduler.nextAt(); at !== undefined && at <= 10_000; at = scheduler.nextAt()) {
      scheduler.step();
      steps++;
    }
    assert.ok(sent.length >= 9 && sent.length <= 11, `${sent.length} reports in ten seconds`);
    assert.ok(steps < 30, `${steps} wake-ups in ten seconds`);
  });

  it("answers a version of the world that it was told", () => {
    loop.kick();
    run(10);
    loop.receive([{ kind: "version", version: 3 }]);
    run(20);
    assert.ok(sent.some((message) => message.kind === "reached" && message.version === 3));
  });

  it("with a wait of its own waits there, and goes back to its event loop from time to time", () => {
    const waits: number[] = [];
    const clock = new ManualClock();
    const core = {
      turn: () => false,
      nextAt: () => clock.now() + 30,
      countsMessage: () => counts,
      receive: () => undefined,
    };
    const counts: FromWorker = { kind: "counts", drops: [], metrics: {} };
    const kicks: (() => void)[] = [];
    const waiting = new WorkerLoop({
      core: core as unknown as WorkerCore,
      datapath: datapath.openWorker(0, []),
      scheduler: { clock, after: () => assert.fail("a timer"), soon: (callback) => void kicks.push(callback) },
      takeMessages: () => [],
      send: () => undefined,
      maySpin: false,
      wait(span) {
        waits.push(span);
        clock.advance(span);
        return false;
      },
    });
    waiting.kick();
    kicks.pop()?.();
    assert.deepEqual(waits, [30, 30, 30, 10]);
    assert.equal(kicks.length, 1);
  });

  it("keeps processors awake while frames wake it, and no longer", () => {
    const clock = new ManualClock();
    const said: string[] = [];
    const spans: number[] = [];
    const request = {
      begin: () => void said.push("begin"),
      end: () => void said.push("end"),
      close: () => void said.push("close"),
    };
    const core = { turn: () => false, nextAt: () => clock.now() + 1_000, countsMessage: () => ({}), receive() {} };
    const parts = {
      core: core as unknown as WorkerCore,
      datapath: datapath.openWorker(0, []),
      scheduler: {
        clock,
        after: () => assert.fail("a timer"),
        soon: (callback: () => void) => void kicks.push(callback),
      },
      takeMessages: () => [],
      send: () => undefined,
      maySpin: false,
      hold: new IdleHold(request, () => undefined),
      wait(span: number) {
        spans.push(span);
        const isFrame = spans.length <= 10;
        clock.advance(isFrame ? 1 : span);
        return isFrame;
      },
    };
    const kicks: (() => void)[] = [];
    const held = new WorkerLoop(parts);
    held.kick();
    kicks.pop()?.();
    assert.deepEqual(said, ["begin", "end"]);
    assert.deepEqual(spans.slice(8), [HOLD_MS, HOLD_MS, HOLD_MS, 70]);
    held.close();
    assert.equal(said.at(-1), "close");
  });

  it("is scheduled in batches while upcalls come fast, until one that came in its sleep has waited too long", () => {
    const clock = new ManualClock();
    const said: string[] = [];
    let waits = 0;
    const request = { begin: () => void said.push(`begin ${waits}`), end: () => void said.push(`end ${waits}`) };
    const kicks: (() => void)[] = [];
    const late = { awake: 300, asleep: 400 };
    const core = {
      upcalls: 0,
      turn: () => false,
      nextAt: () => clock.now() + 1_000,
      countsMessage: () => ({}),
      takeWaited: () => (waits === late.awake || waits === late.asleep ? BATCH_WAIT_MS + 1 : 0),
    };
    const batched = new WorkerLoop({
      core: core as unknown as WorkerCore,
      datapath: datapath.openWorker(0, []),
      scheduler: { clock, after: () => assert.fail("a timer"), soon: (callback) => void kicks.push(callback) },
      takeMessages: () => [],
      send: () => undefined,
      maySpin: false,
      policy: new BatchPolicy(request, { onBegin: () => undefined, onBar: () => undefined }),
      hasSlept: () => waits !== late.awake,
      wait(span) {
        assert.ok(said.length !== 1 || span <= BATCH_WINDOW_MS);
        waits++;
        core.upcalls++;
        clock.advance(0.1);
        return true;
      },
    });
    batched.kick();
    kicks.pop()?.();
    assert.deepEqual([said[0]?.split(" ")[0], said[1]], ["begin", `end ${late.asleep}`]);
  });

  it("does nothing after it was closed", () => {
    loop.kick();
    run(10);
    loop.close();
    datapath.receive("vm", FRAME);
    sent.length = 0;
    run(5_000);
    assert.deepEqual(sent, []);
  });
});
