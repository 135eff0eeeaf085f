import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Worker } from "node:worker_threads";
import { systemClock } from "../../../src/base/clock.ts";
import { Prng } from "../../../src/base/prng.ts";
import { compileDatapath, TestHost } from "../../../src/ebpf/fixture/test-host.ts";
import { FlowTable } from "../../../src/flow/flow-table.ts";
import { shardOf } from "../../../src/flow/hash.ts";
import { extractKey } from "../../../src/flow/key.ts";
import {
  ACTION_SET_DST,
  ACTION_SET_MAC,
  ACTION_SET_PORTS,
  ACTION_SET_SRC,
  ACTION_VPORT,
  ACTION_WORDS,
  CLASS_FULL,
  KEY_WORDS,
  VPORT_MAX,
  VPORT_UP,
  VPORT_WORDS,
} from "../../../src/flow/layout.ts";
import { buildFrame } from "../../../src/wire/build-frame.ts";
import type { SlotReaderFindings, SlotReaderTask } from "./slot-reader.worker.ts";

const VPORT = 9;
const OUT = 8;
const LOOPBACK = 1;
const RUN_MS = 1500;
/** Writes between looks at the clock. */
const BATCH = 2000;
const PAUSED = 14;
const FLAGS = ACTION_VPORT | ACTION_SET_MAC | ACTION_SET_SRC | ACTION_SET_DST | ACTION_SET_PORTS;

let host: TestHost;

before(async () => {
  assert.ok(compileDatapath());
  host = await TestHost.open("stress", 1);
  const { memory } = host.datapath;
  for (const vport of [VPORT, OUT]) memory.vports.set([2, 1, 3, VPORT_UP, 1, 64, 128 << 10], vport * VPORT_WORDS);
  // Misses are many here, and nobody takes them.
  memory.control[PAUSED] = 1;
  host.datapath.nameInterface(LOOPBACK, VPORT);
});

after(async () => {
  await host?.close();
});

/** Two frames of one shard, whose flows take turns in the slots of the shard's only bucket. */
function framesOfOneShard(): readonly [Uint8Array, Uint8Array] {
  const { control } = host.datapath.memory;
  const seen = new Map<number, Uint8Array>();
  for (let src = 1; ; src++) {
    const frame = buildFrame({
      eth: { src: 0x0200_0000_0001, dst: 0x0200_0000_0002 },
      ipv4: { src: 0x0a00_0001, dst: 0x0a00_0002 },
      udp: { srcPort: src, dstPort: 53 },
    });
    const shard = shardOf(keyOf(frame), 0, control);
    const other = seen.get(shard);
    if (other !== undefined) return [other, frame];
    seen.set(shard, frame);
  }
}

function keyOf(frame: Uint8Array): Uint32Array {
  const key = new Uint32Array(KEY_WORDS);
  extractKey(frame, { vportIndex: VPORT }, key);
  return key;
}

/** An action all of whose words tell the key (0 or 1) and a version (0..255). */
function actionOf(key: number, version: number): Uint32Array {
  const action = new Uint32Array(ACTION_WORDS);
  const bytes = new Uint8Array(action.buffer);
  action[0] = FLAGS;
  action[1] = OUT;
  const mark = (at: number, length: number): void => {
    bytes.fill(version, at, at + length);
    bytes[at] = key * 2;
  };
  for (const at of [16, 22]) mark(at, 6);
  for (const at of [32, 48]) mark(at, 4);
  for (const at of [64, 66]) mark(at, 2);
  return action;
}

/** Installs, overwrites, revokes and removes flows of both keys at random, until the time is up. Returns the number of operations. */
function write(frames: readonly Uint8Array[]): number {
  const { memory } = host.datapath;
  const flows = new FlowTable(memory, VPORT_MAX);
  const keys = frames.map(keyOf);
  const actions = keys.map((_, key) => Array.from({ length: 256 }, (_, version) => actionOf(key, version)));
  const shard = shardOf(keys[0] as Uint32Array, 0, memory.control);
  const prng = new Prng(11);
  const end = systemClock.now() + RUN_MS;
  let count = 0;
  while (systemClock.now() < end) {
    for (let i = 0; i < BATCH; i++, count++) {
      const key = prng.below(2);
      const words = keys[key] as Uint32Array;
      const action = actions[key]?.[prng.below(256)] as Uint32Array;
      const slot = flows.place(words, 0, { flowClass: CLASS_FULL, shard, now: 0 });
      const isThere = flows.placement === "same";
      const act = prng.below(8);
      if (!isThere)
        flows.write(slot, { key: words, keyOffset: 0, flowClass: CLASS_FULL, action, actionOffset: 0, now: 0 });
      else if (act < 5) flows.overwrite(slot, action, 0);
      else if (act === 5) flows.revoke(slot);
      else flows.remove(slot);
    }
  }
  return count;
}

test("while flows change as fast as they can, a program on another CPU executes only whole actions of its own key", async (t) => {
  const frames = framesOfOneShard();
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const task: SlotReaderTask = { programFd: host.datapath.programFd("vport_ingress"), frames, stop };
  const reader = new Worker(new URL("./slot-reader.worker.ts", import.meta.url), { workerData: task });
  const findings = new Promise<SlotReaderFindings>((resolve, reject) =>
    reader.once("message", resolve).once("error", reject),
  );
  await new Promise((resolve) => reader.once("online", resolve));
  const writes = write(frames);
  Atomics.store(stop, 0, 1);
  const { hits, misses, versions, wrong } = await findings;
  await reader.terminate();
  t.diagnostic(`${writes} operations, ${hits} hits of ${versions} versions, ${misses} misses`);
  assert.deepEqual(wrong, []);
  assert.ok(hits > 1000 && misses > 0 && versions > 100, `${hits} hits, ${misses} misses, ${versions} versions`);
});
