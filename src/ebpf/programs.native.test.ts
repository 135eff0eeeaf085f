import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { ipFromV4 } from "../addr/ip.ts";
import { unwrap } from "../base/result.ts";
import { writePeer } from "../datapath/records.ts";
import { type DropReason, dropCode } from "../flow/drop-reason.ts";
import {
  ACTION_DEC_TTL,
  ACTION_DROP,
  ACTION_GROUP,
  ACTION_TUNNEL,
  ACTION_VPORT,
  BUCKET_GENERATION,
  BUCKET_WAYS,
  BUCKET_WORDS,
  CLASS_FULL,
  CLASS_L2,
  CLASS_L3_DST,
  CONTROL_ORDER,
  CREDIT_WORDS,
  ORDER_NONE,
  PEER_WORDS,
  SHARD_COUNT,
  UPCALL_MISS,
  UPCALL_TOO_BIG,
  UPCALL_TTL_EXPIRED,
  VPORT_UP,
  VPORT_WORDS,
} from "../flow/layout.ts";
import { programFacts } from "../linux/bpf/program.ts";
import { buildFrame, type FrameSpec } from "../wire/build-frame.ts";
import { EbpfWorker } from "./ebpf-worker.ts";
import { ProgramRunner } from "./fixture/program-runner.ts";
import { actionOf } from "./fixture/switch-agent.ts";
import { compileDatapath, TestHost } from "./fixture/test-host.ts";

const VPORT = 9;
const OUT = 8;
const ALL_SHARDS = Array.from({ length: SHARD_COUNT }, (_, i) => i);
const UDP: FrameSpec = {
  eth: { src: 0x0200_0000_0001, dst: 0x0200_0000_0002 },
  ipv4: { src: 0x0a00_0001, dst: 0x0a00_0002, ttl: 3 },
  udp: { srcPort: 1000, dstPort: 2000 },
  payload: new Uint8Array(100),
};
const frame = buildFrame(UDP);
const input = { frame, vport: VPORT };

let host: TestHost;
let worker: EbpfWorker;
let runner: ProgramRunner;

before(async () => {
  assert.ok(compileDatapath());
  host = await TestHost.open();
  worker = unwrap(
    EbpfWorker.open(host.datapath.workerSettings(), { worker: 0, shards: ALL_SHARDS, netns: host.space.netns }),
  );
  runner = new ProgramRunner(host.datapath, worker);
  setVport(VPORT, VPORT_UP);
  setVport(OUT, VPORT_UP);
});

after(async () => {
  worker?.close();
  await host?.close();
});

afterEach(() => runner.clear());

function setVport(vport: number, flags: number, credits = [64, 1 << 20]): void {
  host.datapath.memory.vports.set([2, 1, 3, flags, 1, ...credits], vport * VPORT_WORDS);
}

function dropped(reason: DropReason, vport: number): number {
  const code = dropCode(reason);
  return host.datapath.drops().find((drop) => drop.reason === code && drop.vport === vport)?.packets ?? 0;
}

test("every program is in the object, and none is near the verifier's limit", () => {
  for (const name of ["vport_ingress", "host_egress", "tunnel_ingress", "inject_egress", "flood"]) {
    const facts = unwrap(programFacts(host.datapath.programFd(name)));
    assert.equal(facts.name, name);
    assert.ok(facts.verifiedInstructions < 200_000, `${name} ${facts.verifiedInstructions}`);
  }
});

test("a frame without a flow goes up once, with what the kernel knows of it", () => {
  const outcome = runner.runFrame(input);
  assert.deepEqual([outcome.verdict, outcome.index], ["upcall", UPCALL_MISS]);
  const [upcall] = outcome.upcalls;
  assert.ok(upcall);
  assert.deepEqual([...upcall.words.subarray(0, 4)], [UPCALL_MISS, frame.length, frame.length, VPORT]);
  assert.equal(Buffer.compare(upcall.frame, frame), 0);
});

test("a flow of each class is found by what its class names and not by more", () => {
  const other = { frame: buildFrame({ ...UDP, udp: { srcPort: 1000, dstPort: 2001 } } as FrameSpec), vport: VPORT };
  const drop = actionOf([ACTION_DROP, dropCode("filter")]);
  runner.install(input, CLASS_FULL, drop);
  assert.equal(runner.runFrame(input).verdict, "drop");
  assert.equal(runner.runFrame(other).verdict, "upcall");
  assert.equal(dropped("filter", VPORT), 1);
});

test("the order of a shard decides which classes are looked through", () => {
  const { control } = host.datapath.memory;
  const order = control.subarray(CONTROL_ORDER, CONTROL_ORDER + SHARD_COUNT);
  runner.install(input, CLASS_L3_DST, actionOf([ACTION_VPORT, OUT]));
  for (const [word, verdict] of [
    [0, "vport"],
    [CLASS_L3_DST + 1, "vport"],
    [((CLASS_L3_DST + 1) << 4) | (CLASS_L2 + 1), "vport"],
    [CLASS_L2 + 1, "upcall"],
    [ORDER_NONE, "upcall"],
  ] as const) {
    order.fill(word);
    assert.equal(runner.runFrame(input).verdict, verdict, `order 0x${word.toString(16)}`);
  }
  order.fill(0);
});

test("a slot that is being written, revoked or free is a miss", () => {
  const slot = runner.install(input, CLASS_FULL, actionOf([ACTION_VPORT, OUT]));
  assert.equal(runner.runFrame(input).verdict, "vport");
  const { buckets } = host.datapath.memory;
  const generation = Math.floor(slot / BUCKET_WAYS) * BUCKET_WORDS + BUCKET_GENERATION + (slot % BUCKET_WAYS);
  const valid = buckets[generation] as number;
  for (const odd of [valid + 1, 0]) {
    buckets[generation] = odd;
    assert.equal(runner.runFrame(input).verdict, "upcall");
  }
  buckets[generation] = valid;
  assert.equal(runner.runFrame(input).verdict, "vport");
});

test("packets longer than the flow's limit go up with the limit, those at the end of their life with the decrement", () => {
  runner.install(input, CLASS_FULL, actionOf([ACTION_VPORT, OUT, 0, 128]));
  assert.equal(runner.runFrame(input).verdict, "vport");
  runner.install(input, CLASS_FULL, actionOf([ACTION_VPORT, OUT, 0, 127]));
  const long = runner.runFrame(input);
  assert.deepEqual([long.index, long.upcalls[0]?.words[11]], [UPCALL_TOO_BIG, 127]);
  runner.install(input, CLASS_FULL, actionOf([ACTION_VPORT | ACTION_DEC_TTL, OUT, 0, 3 << 16]));
  const dying = runner.runFrame(input);
  assert.deepEqual([dying.index, dying.upcalls[0]?.words[12]], [UPCALL_TTL_EXPIRED, 3]);
  runner.install(input, CLASS_FULL, actionOf([ACTION_VPORT | ACTION_DEC_TTL, OUT, 0, 2 << 16]));
  assert.equal(runner.runFrame(input).frame[22], 1);
});

test("of a frame that is to be segmented, one segment is what must fit", () => {
  const spec = { ...UDP, udp: undefined, tcp: { srcPort: 1, dstPort: 2 }, payload: new Uint8Array(3000) };
  const { udp: _, ...tcp } = spec;
  const big = { frame: buildFrame(tcp as FrameSpec), vport: VPORT };
  runner.install(big, CLASS_FULL, actionOf([ACTION_VPORT, OUT, 0, 1500]));
  assert.equal(runner.runFrame(big).index, UPCALL_TOO_BIG);
  assert.equal(runner.runFrame({ ...big, gsoSize: 1460, gsoSegs: 3 }).verdict, "vport");
  assert.equal(runner.runFrame({ ...big, gsoSize: 1461, gsoSegs: 3 }).index, UPCALL_TOO_BIG);
});

test("a port out of credit loses its frames, counted, while another port's go up; credits return", () => {
  setVport(VPORT, VPORT_UP, [0, 1 << 20]);
  const before = dropped("upcall-budget", VPORT);
  assert.equal(runner.runFrame(input).verdict, "drop");
  assert.equal(dropped("upcall-budget", VPORT) - before, 1);
  assert.equal(runner.runFrame({ ...input, vport: OUT }).verdict, "upcall");
  setVport(VPORT, VPORT_UP, [1, 1 << 20]);
  for (let i = 0; i < 3; i++) assert.equal(runner.runFrame(input).verdict, "upcall", `${i}`);
  const { credits } = host.datapath.memory;
  for (let shard = 0; shard < SHARD_COUNT; shard++) {
    const at = (VPORT * SHARD_COUNT + shard) * CREDIT_WORDS;
    assert.deepEqual([credits[at], credits[at + 1]], [credits[at + 2], credits[at + 3]]);
  }
  setVport(VPORT, VPORT_UP);
});

test("the checksum of a segment that the device was to complete is told as partial", () => {
  const tcp = buildFrame({
    eth: UDP.eth,
    ipv4: { src: 1, dst: 2 },
    tcp: { srcPort: 1, dstPort: 2 },
    payload: new Uint8Array(10),
  } as FrameSpec);
  const partial = tcp.slice();
  // Pseudo-header: addresses 1 and 2, protocol 6, 30 bytes.
  partial.set([0, 1 + 2 + 6 + 30], 34 + 16);
  assert.equal(runner.runFrame({ frame: tcp, vport: VPORT }).upcalls[0]?.words[10], 0);
  assert.equal(runner.runFrame({ frame: partial, vport: VPORT }).upcalls[0]?.words[10], 1);
});

test("a vport that is down, a peer that is down or of no use, and a wrong mark drop with their reason", async () => {
  runner.install(input, CLASS_FULL, actionOf([ACTION_VPORT, 77]));
  assert.equal(runner.runFrame(input).index, dropCode("vport-down"));
  assert.equal(dropped("vport-down", 77), 1);
  runner.install(input, CLASS_FULL, actionOf([ACTION_TUNNEL, 5, 0x123]));
  assert.equal(runner.runFrame(input).index, dropCode("peer-down"));
  const { memory } = host.datapath;
  unwrap(await host.datapath.setUnderlay({ address: ipFromV4(0x7f000001), udpPort: 6677, mtu: 1500 }));
  writePeer(memory.peers, { peer: 5, address: ipFromV4(0x7f000002), mtu: 128, isUp: true, epoch: 1 });
  const sent = runner.runFrame(input);
  assert.deepEqual([sent.verdict, sent.index, sent.tunnelKey], ["tunnel", 5, 0x123]);
  memory.peers[5 * PEER_WORDS + 6] = 127;
  assert.equal(runner.runFrame(input).index, dropCode("too-big"));
  assert.equal(dropped("too-big", VPORT), 1);
  for (const mark of [0, 212, 0xa0000fff, 0xaf000000]) {
    assert.equal(runner.executeMarked(frame, mark).index, dropCode("bad-mark"), `mark ${mark}`);
  }
});

test("a group that is larger than its limit is dropped and counted", () => {
  runner.install(input, CLASS_FULL, actionOf([ACTION_GROUP, 3]));
  const { groups } = host.datapath.memory;
  const at = (groups.length / 256) * 3;
  groups.set([2, 513], at);
  assert.equal(runner.runFrame(input).index, dropCode("group-limit"));
  groups.set([2, 0], at);
  assert.equal(runner.runFrame(input).verdict, "group");
});
