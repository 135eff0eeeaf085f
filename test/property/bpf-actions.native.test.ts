import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Prng } from "../../src/base/prng.ts";
import { unwrap } from "../../src/base/result.ts";
import { rewrite, shapeOf, ttlOf } from "../../src/datapath/memory/rewrite.ts";
import { EbpfWorker } from "../../src/ebpf/ebpf-worker.ts";
import { ProgramRunner } from "../../src/ebpf/fixture/program-runner.ts";
import { compileDatapath, TestHost } from "../../src/ebpf/fixture/test-host.ts";
import { extractKey } from "../../src/flow/key.ts";
import {
  ACTION_DEC_TTL,
  ACTION_POP_SHIFT,
  ACTION_PUSH_SHIFT,
  ACTION_SET_DSCP,
  ACTION_SET_DST,
  ACTION_SET_MAC,
  ACTION_SET_PORTS,
  ACTION_SET_SRC,
  ACTION_VPORT,
  ACTION_WORDS,
  CLASS_COUNT,
  FRAME_IP4,
  KEY_WORDS,
  PARSE_OK,
  PARSE_OPTIONS,
  SHARD_COUNT,
  VPORT_UP,
  VPORT_WORDS,
  W0_PARSE_SHIFT,
} from "../../src/flow/layout.ts";
import { buildFrame } from "../../src/wire/build-frame.ts";
import { badChecksumsOf } from "../../src/wire/frame-checksum.ts";
import { parseFrame } from "../../src/wire/frame.ts";
import { FRAME_KINDS } from "../fixtures/frames.ts";

const VPORT = 9;
const OUT = 8;
const RUNS = Number(process.env["WEFT_FUZZ_FRAMES"] ?? 10_000);
const ALL_SHARDS = Array.from({ length: SHARD_COUNT }, (_, i) => i);
const REWRITES = [ACTION_SET_MAC, ACTION_SET_SRC, ACTION_SET_DST, ACTION_SET_PORTS, ACTION_SET_DSCP, ACTION_DEC_TTL] as const;
const FRAMES = FRAME_KINDS.map(({ name, spec }) => ({ name, bytes: buildFrame(spec) })).filter(({ bytes }) => isForwardable(bytes));

let host: TestHost;
let worker: EbpfWorker;
let runner: ProgramRunner;

function isForwardable(frame: Uint8Array): boolean {
  const words = new Uint32Array(KEY_WORDS);
  extractKey(frame, { vportIndex: VPORT }, words);
  const state = ((words[0] as number) >>> W0_PARSE_SHIFT) & 7;
  return (state === PARSE_OK || state === PARSE_OPTIONS) && frame.length < 3400;
}

before(async () => {
  assert.ok(compileDatapath());
  host = await TestHost.open();
  const { datapath } = host;
  worker = unwrap(EbpfWorker.open(datapath.workerSettings(), { worker: 0, shards: ALL_SHARDS, netns: host.space.netns }));
  datapath.memory.vports.set([2, 1, 3, VPORT_UP, 1, 64, 1 << 20], VPORT * VPORT_WORDS);
  datapath.memory.vports.set([2, 1, 3, VPORT_UP, 1, 64, 1 << 20], OUT * VPORT_WORDS);
  runner = new ProgramRunner(datapath, worker);
});

after(async () => {
  worker?.close();
  await host?.close();
});

/** An action with random rewrites that this frame may have. */
function randomAction(prng: Prng, frame: Uint8Array, word0: number): Uint32Array {
  const action = new Uint32Array(ACTION_WORDS);
  const shape = shapeOf(frame, word0);
  for (let i = 4; i < 17; i++) action[i] = prng.u32();
  const isIp4 = shape.frameClass === FRAME_IP4;
  if (isIp4) for (const i of [9, 10, 11, 13, 14, 15]) action[i] = 0;
  let flags = ACTION_VPORT;
  for (const flag of REWRITES) if (prng.below(2) === 0) flags |= flag;
  const hasPorts = [1, 6, 17, 58].includes(shape.protocol);
  if (!hasPorts || shape.l4 < 0) flags &= ~ACTION_SET_PORTS;
  if ((ttlOf(frame, shape) ?? 255) < 4) flags &= ~ACTION_DEC_TTL;
  if (prng.below(3) === 0) flags |= (prng.below(3) << ACTION_POP_SHIFT) | (prng.below(3) << ACTION_PUSH_SHIFT);
  action[0] = flags;
  action[1] = OUT;
  action[3] = ((1 + prng.below(3)) << 16) | (prng.below(64) << 24);
  // TCIs without the bit that no header of a frame keeps apart from its priority.
  action[7] = prng.u32() & 0xefff_efff;
  return action;
}

test("rewrites leave the bytes that the reference datapath leaves, checksums right, in every class", () => {
  const prng = new Prng(7);
  for (let i = 0; i < RUNS; i++) {
    const { name, bytes } = prng.pick(FRAMES);
    const words = new Uint32Array(KEY_WORDS);
    extractKey(bytes, { vportIndex: VPORT }, words);
    const word0 = words[0] as number;
    const action = randomAction(prng, bytes, word0);
    const story = `${i} ${name} flags 0x${(action[0] as number).toString(16)} of ${Buffer.from(bytes).toString("hex")}`;
    const slot = runner.install({ frame: bytes, vport: VPORT }, prng.below(CLASS_COUNT), action);
    const before = runner.flows.packetsAt(slot);
    const outcome = runner.runFrame({ frame: bytes, vport: VPORT });
    assert.deepEqual([outcome.verdict, outcome.index], ["vport", OUT], story);
    assert.equal(runner.flows.packetsAt(slot) - before, 1, story);
    const expected = rewrite(bytes, shapeOf(bytes, word0), { action, offset: 0 });
    assert.equal(hex(outcome.frame), hex(expected), story);
    assert.deepEqual(badChecksums(outcome.frame), badChecksums(bytes), story);
    // The agent's own frames take the same way.
    assert.equal(hex(runner.execute(bytes, VPORT, action).frame), hex(expected), story);
    runner.flows.remove(slot);
  }
});

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function badChecksums(frame: Uint8Array): readonly string[] {
  return badChecksumsOf(parseFrame(frame));
}

