import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Prng } from "../../src/base/prng.ts";
import { unwrap } from "../../src/base/result.ts";
import { EbpfWorker } from "../../src/ebpf/ebpf-worker.ts";
import { keyOf, ProgramRunner } from "../../src/ebpf/fixture/program-runner.ts";
import { compileDatapath, TestHost, TestVm } from "../../src/ebpf/fixture/test-host.ts";
import { dropCode } from "../../src/flow/drop-reason.ts";
import { shardOf } from "../../src/flow/hash.ts";
import { extractKey, formatKey } from "../../src/flow/key.ts";
import { KEY_WORDS, PARSE_BAD, PARSE_SHORT, SHARD_COUNT, VPORT_WORDS, W0_PARSE_SHIFT } from "../../src/flow/layout.ts";
import { PacketSender } from "../../src/linux/packet-sender.ts";
import { disableIpv6 } from "../../src/linux/sysctl.ts";
import { buildFrame } from "../../src/wire/build-frame.ts";
import { FRAME_KINDS } from "../fixtures/frames.ts";
import { FrameMutator } from "../fixtures/mutate-frame.ts";

const VPORT = 9;
const FRAMES = Number(process.env["WEFT_FUZZ_FRAMES"] ?? 10_000);
const ALL_SHARDS = Array.from({ length: SHARD_COUNT }, (_, i) => i);

let host: TestHost;
let worker: EbpfWorker;
let runner: ProgramRunner;

before(async () => {
  assert.ok(compileDatapath());
  host = await TestHost.open();
  const { datapath } = host;
  worker = unwrap(
    EbpfWorker.open(datapath.workerSettings(), { worker: 0, shards: ALL_SHARDS, netns: host.space.netns }),
  );
  datapath.memory.vports.set([16, 1 << 20], VPORT * VPORT_WORDS + 5);
  runner = new ProgramRunner(datapath, worker);
});

after(async () => {
  worker?.close();
  await host?.close();
});

/** The program's key and shard for a frame are those of the TypeScript parser; malformed frames are dropped as such. */
function assertSame(frame: Uint8Array, story: string): boolean {
  const words = new Uint32Array(KEY_WORDS);
  extractKey(frame, { vportIndex: VPORT }, words);
  const state = ((words[0] as number) >>> W0_PARSE_SHIFT) & 7;
  const outcome = runner.tryFrame({ frame, vport: VPORT });
  if (outcome === undefined) return false;
  if (state === PARSE_SHORT || state === PARSE_BAD) {
    assert.deepEqual([outcome.verdict, outcome.index], ["drop", dropCode("malformed")], story);
    return true;
  }
  assert.equal(outcome.verdict, "upcall", story);
  const [upcall] = outcome.upcalls;
  assert.ok(upcall, story);
  const found = keyOf(upcall.words);
  if (!found.every((word, i) => word === words[i]))
    assert.equal(formatKey(found, 0), formatKey(words, 0), `${story} ${words}`);
  assert.equal(upcall.words[7], shardOf(words, 0, host.datapath.memory.control), story);
  assert.ok(Buffer.compare(upcall.frame, frame) === 0, story);
  return true;
}

test("the kernel's parser and ours give the same words for frames of every kind", () => {
  for (const kind of FRAME_KINDS) assert.ok(assertSame(buildFrame(kind.spec), kind.name), kind.name);
});

test("and for mutated frames", () => {
  const mutator = new FrameMutator(new Prng(20_261));
  let refused = 0;
  for (let i = 0; i < FRAMES; i++) {
    const { bytes } = mutator.next();
    if (!assertSame(bytes, `frame ${i}: ${Buffer.from(bytes).toString("hex")}`)) refused++;
  }
  assert.ok(refused < FRAMES / 4, `${refused} of ${FRAMES} frames were not run`);
});

test("and for mutated frames that come by a real interface, outer tag beside the bytes, short ones too", async () => {
  const vm = new TestVm(host.space, 1);
  await host.datapath.setPorts([{ vport: VPORT, interfaceName: vm.portName, epoch: 1 }]);
  const ifindex = vm.space.ifindex("eth0");
  // The VM's own stack must not put frames between ours.
  unwrap(disableIpv6("eth0", vm.space.netns));
  const sender = unwrap(vm.space.netns.runResult(() => PacketSender.open({ ifindex, slots: 1 })));
  const mutator = new FrameMutator(new Prng(20_262));
  worker.poll(1024, () => undefined);
  for (let i = 0; i < FRAMES / 5; i++) {
    const { bytes } = mutator.next();
    if (bytes.length < 14 || bytes.length > 1514 || isTagCut(bytes)) continue;
    sender.bytes.set(bytes, sender.frameOffset(0));
    sender.describe(0, bytes.length, 0);
    if (sender.flush(0, 1) === 1) assertArrives(bytes, `frame ${i}: ${Buffer.from(bytes).toString("hex")}`);
  }
  sender.close();
  vm.close();
});

/** The kernel itself loses frames whose tag is cut off. */
function isTagCut(bytes: Uint8Array): boolean {
  const type = ((bytes[12] as number) << 8) | (bytes[13] as number);
  return (type === 0x8100 || type === 0x88a8) && bytes.length < 20;
}

function assertArrives(frame: Uint8Array, story: string): void {
  const words = new Uint32Array(KEY_WORDS);
  extractKey(frame, { vportIndex: VPORT }, words);
  const state = ((words[0] as number) >>> W0_PARSE_SHIFT) & 7;
  if (state === PARSE_SHORT || state === PARSE_BAD) return;
  let found: Uint32Array | undefined;
  let bytes: Uint8Array | undefined;
  for (let tries = 0; tries < 1e6 && found === undefined; tries++) {
    worker.poll(1, (record) => {
      found = keyOf(record.words.slice(record.offset, record.offset + 32));
      bytes = record.bytes.slice(record.frameOffset, record.frameOffset + record.frameLength);
    });
  }
  assert.ok(found !== undefined && bytes !== undefined, story);
  if (!found.every((word, i) => word === words[i]))
    assert.equal(formatKey(found, 0), formatKey(words, 0), `${story} ${words}`);
  assert.ok(Buffer.compare(bytes, frame) === 0, `${story} ${Buffer.from(bytes).toString("hex")}`);
}
