import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Worker } from "node:worker_threads";
import { unwrap } from "../base/result.ts";
import { ACTION_SET_MAC, ACTION_VPORT, CLASS_L2, SHARD_COUNT, VPORT_UP, VPORT_WORDS } from "../flow/layout.ts";
import { buildFrame } from "../wire/build-frame.ts";
import { EbpfWorker } from "./ebpf-worker.ts";
import { ProgramRunner } from "./fixture/program-runner.ts";
import { actionOf } from "./fixture/switch-agent.ts";
import { compileDatapath, TestHost } from "./fixture/test-host.ts";

const RUNS = Number(process.env["WEFT_FUZZ_FRAMES"] ?? 30_000);
const VPORT = 9;
const frame = buildFrame({
  eth: { src: 0x0200_0000_0001, dst: 0x0200_0000_0002 },
  ipv4: { src: 0x0a00_0001, dst: 0x0a00_0002 },
  udp: { srcPort: 1000, dstPort: 2000 },
});

let host: TestHost;
let worker: EbpfWorker;

before(async () => {
  assert.ok(compileDatapath());
  host = await TestHost.open();
  const place = { worker: 0, shards: Array.from({ length: SHARD_COUNT }, (_, i) => i), netns: host.space.netns };
  worker = unwrap(EbpfWorker.open(host.datapath.workerSettings(), place));
});

after(async () => {
  worker?.close();
  await host?.close();
});

test("a program executes an action that was written, never a mixture, while another CPU rewrites the slot", async () => {
  const runner = new ProgramRunner(host.datapath, worker);
  for (let vport = 1; vport <= 16; vport++) {
    host.datapath.memory.vports.set([2, 1, 3, VPORT_UP, 1, 64, 1 << 20], vport * VPORT_WORDS);
  }
  const mac = 0x0101_0101;
  const slot = runner.install(
    { frame, vport: VPORT },
    CLASS_L2,
    actionOf([ACTION_VPORT | ACTION_SET_MAC, 1, 0, 0, mac, mac, mac]),
  );
  const workerData = { settings: host.datapath.workerSettings(), slot };
  const thread = new Worker(new URL("./fixture/rewriter.ts", import.meta.url), { workerData });
  await new Promise((resolve) => thread.once("message", resolve));
  const seen = new Map<number, number>();
  let misses = 0;
  for (let i = 0; i < RUNS; i++) {
    const outcome = runner.runFrame({ frame, vport: VPORT });
    if (outcome.verdict === "upcall") {
      misses++;
      continue;
    }
    assert.equal(outcome.verdict, "vport");
    const macs = outcome.frame.subarray(0, 12);
    assert.ok(
      macs.every((byte) => byte === outcome.index),
      `vport ${outcome.index} with ${Buffer.from(macs).toString("hex")}`,
    );
    seen.set(outcome.index, (seen.get(outcome.index) ?? 0) + 1);
  }
  await thread.terminate();
  assert.ok(seen.size > 4, `${[...seen.keys()]}`);
  assert.ok(misses < RUNS, `${misses} misses`);
});
