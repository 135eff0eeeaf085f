import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ipFromV4 } from "../../src/addr/ip.ts";
import { Prng } from "../../src/base/prng.ts";
import { unwrap } from "../../src/base/result.ts";
import { EbpfWorker } from "../../src/ebpf/ebpf-worker.ts";
import { ProgramRunner, type RunOutcome } from "../../src/ebpf/fixture/program-runner.ts";
import { compileDatapath, TestHost } from "../../src/ebpf/fixture/test-host.ts";
import {
  ACTION_KIND_MASK,
  ACTION_MISS,
  CLASS_COUNT,
  SHARD_COUNT,
  UPCALL_KEY,
  VPORT_UP,
  VPORT_WORDS,
} from "../../src/flow/layout.ts";
import { FrameMutator } from "../fixtures/mutate-frame.ts";
import { MemoryTwin } from "../native/datapath/memory-twin.ts";
import { randomAction } from "./datapath-random-actions.ts";

const VPORT = 9;
const OUT = 8;
const PEER = 5;
const PEER_MTU = 1450;
const TARGETS = { vports: [OUT], peers: [PEER], groups: [], lost: [0, 6, 7, 5000, 0xffff_ffff] };
/** 10^4 frames by default, each with one action by each of two ways; `WEFT_FUZZ=1000000` for a night. */
const FRAMES = Number(process.env["WEFT_FUZZ"] ?? 10_000);
const SEED = Number(process.env["WEFT_FUZZ_SEED"] ?? 20_263);
const ALL_SHARDS = Array.from({ length: SHARD_COUNT }, (_, i) => i);

let host: TestHost;
let worker: EbpfWorker;
let runner: ProgramRunner;
let twin: MemoryTwin;

before(async () => {
  assert.ok(compileDatapath());
  host = await TestHost.open("twin");
  const { datapath } = host;
  const place = { worker: 0, shards: ALL_SHARDS, netns: host.space.netns };
  worker = unwrap(EbpfWorker.open(datapath.workerSettings(), place));
  for (const vport of [VPORT, OUT]) {
    datapath.memory.vports.set([2, 1, 3, VPORT_UP, 1, 64, 128 << 10], vport * VPORT_WORDS);
  }
  unwrap(await datapath.setUnderlay({ address: ipFromV4(0x0a00_0001), udpPort: 6677, mtu: 1500 }));
  const peer = { peer: PEER, address: ipFromV4(0x0a00_0002), mtu: PEER_MTU, isUp: true, epoch: 1 };
  unwrap(await datapath.setPeers([peer]));
  runner = new ProgramRunner(datapath, worker);
  twin = await MemoryTwin.of(datapath.memory, { vports: [VPORT, OUT], peer: PEER, peerMtu: PEER_MTU });
});

after(async () => {
  worker?.close();
  await host?.close();
});

/** Both did the same: verdict, target, bytes that left, what went up. */
function assertSame(found: RunOutcome, expected: RunOutcome, story: string): void {
  assert.deepEqual([found.verdict, found.index], [expected.verdict, expected.index], story);
  if (found.verdict === "vport" || found.verdict === "tunnel")
    assert.equal(hex(found.frame), hex(expected.frame), story);
  if (found.verdict === "tunnel") assert.equal(found.tunnelKey & 0xff_ffff, expected.tunnelKey, story);
  assert.equal(found.upcalls.length, expected.upcalls.length, story);
  for (const [i, upcall] of found.upcalls.entries()) {
    const other = expected.upcalls[i] as typeof upcall;
    assert.equal(hex(upcall.frame), hex(other.frame), story);
    assert.deepEqual(comparable(upcall.words), comparable(other.words), story);
  }
}

/**
 * Without the lengths and the tag beside the frame (a test run leaves the tag in the bytes, a device does not), without time, and
 * without the hint that a checksum might be partial, which the memory datapath never has.
 */
function comparable(words: Uint32Array): readonly number[] {
  const left = [...words];
  for (const i of [1, 2, 4, 8, 9, 10]) left[i] = 0;
  assert.equal(left.length > UPCALL_KEY, true);
  return left;
}

test("any action on any frame does the same in the programs and in the memory datapath, byte by byte", (t) => {
  const prng = new Prng(SEED);
  const mutator = new FrameMutator(prng.fork());
  const verdicts: Record<string, number> = {};
  let refused = 0;
  for (let i = 0; i < FRAMES; i++) {
    const { bytes: frame, story: made } = mutator.next();
    const action = randomAction(prng, TARGETS);
    const flowClass = prng.below(CLASS_COUNT);
    const input = { frame, vport: VPORT };
    const story = `seed ${SEED}, frame ${i} (${made}) ${hex(frame)}, class ${flowClass}, action ${[...action].map((w) => w.toString(16))}`;
    const slot = runner.install(input, flowClass, action);
    const twinSlot = twin.install(input, flowClass, action);
    const outcome = runner.tryFrame(input);
    if (outcome === undefined) refused++;
    else {
      assertSame(outcome, twin.runFrame(input), story);
      verdicts[outcome.verdict] = (verdicts[outcome.verdict] ?? 0) + 1;
      if (((action[0] as number) & ACTION_KIND_MASK) !== ACTION_MISS) {
        assertSame(runner.execute(frame, VPORT, action), twin.execute(frame, VPORT, action), `executed: ${story}`);
      }
    }
    runner.flows.remove(slot);
    twin.flows.remove(twinSlot);
  }
  t.diagnostic(`${JSON.stringify(verdicts)}, ${refused} frames that the kernel has no test run for`);
  assert.ok(refused < FRAMES / 4, `${refused} of ${FRAMES} frames were not run`);
});

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
