import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { ipFromV4 } from "../../src/addr/ip.ts";
import { bpfObjectOf } from "../../src/base/entry.ts";
import { Prng } from "../../src/base/prng.ts";
import { unwrap } from "../../src/base/result.ts";
import { writePeer } from "../../src/datapath/records.ts";
import { EbpfWorker } from "../../src/ebpf/ebpf-worker.ts";
import { ProgramRunner } from "../../src/ebpf/fixture/program-runner.ts";
import { compileDatapath, TestHost } from "../../src/ebpf/fixture/test-host.ts";
import { extractKey } from "../../src/flow/key.ts";
import {
  ACTION_DROP,
  ACTION_GROUP,
  ACTION_SET_PORTS,
  ACTION_TUNNEL,
  ACTION_VPORT,
  ACTION_WORDS,
  CLASS_COUNT,
  EXEC_ACTION,
  EXEC_MAGIC,
  FRAME_IP4,
  KEY_WORDS,
  SHARD_COUNT,
  VPORT_UP,
  VPORT_WORDS,
  W0_FRAME_SHIFT,
} from "../../src/flow/layout.ts";
import { buildFrame } from "../../src/wire/build-frame.ts";
import { FRAME_KINDS } from "../fixtures/frames.ts";
import { FrameMutator } from "../fixtures/mutate-frame.ts";
import { needs } from "../needs.ts";
import { boot, kernelImage } from "./kernel/boot.ts";
import { Recorder } from "./kernel/recorder.ts";

const VPORT = 9;
const OUT = 8;
const ALL_SHARDS = Array.from({ length: SHARD_COUNT }, (_, i) => i);
const BUCKETS_PER_SHARD = 4;

/** Compiles the runner, without any shared library: the guest has none. */
function compileRunner(folder: string): string {
  const source = fileURLToPath(new URL("./kernel/run-programs.c", import.meta.url));
  const path = join(folder, "run-programs");
  const made = spawnSync("clang", ["-O1", "-Wall", "-static", source, "-o", path, "-lbpf", "-lelf", "-lz"], {
    encoding: "utf8",
  });
  assert.equal(made.status, 0, made.stderr);
  return path;
}

function action(prng: Prng, frame: Uint8Array): Uint32Array {
  const key = new Uint32Array(KEY_WORDS);
  extractKey(frame, { vportIndex: VPORT }, key);
  const frameClass = ((key[0] as number) >>> W0_FRAME_SHIFT) & 3;
  const protocol = (key[14] as number) & 0xff;
  const words = Uint32Array.from({ length: ACTION_WORDS }, (_, i) => (i >= 4 && i < 17 ? prng.u32() : 0));
  if (frameClass === FRAME_IP4) for (const i of [9, 10, 11, 13, 14, 15]) words[i] = 0;
  const kind = prng.pick([ACTION_VPORT, ACTION_VPORT, ACTION_VPORT, ACTION_TUNNEL, ACTION_DROP, ACTION_GROUP]);
  let flags = kind | (prng.below(64) << 8) | (prng.below(3) === 0 ? (prng.below(3) << 16) | (prng.below(3) << 18) : 0);
  if (![1, 6, 17, 58].includes(protocol)) flags &= ~ACTION_SET_PORTS;
  words[0] = flags;
  words[1] = kind === ACTION_DROP ? 1 : kind === ACTION_GROUP ? 2 : kind === ACTION_TUNNEL ? 5 : OUT;
  words[2] = 0x123;
  words[3] = (prng.below(4) === 0 ? prng.below(200) : 1500) | ((1 + prng.below(3)) << 16) | (prng.below(64) << 24);
  words[7] = prng.u32() & 0xefff_efff;
  return words;
}

/** Frames of every kind and mutated ones without a flow, then with random flows of every class, then the agent's own. */
async function record(): Promise<Recorder> {
  const host = await TestHost.open("recorder", BUCKETS_PER_SHARD);
  const { datapath } = host;
  const worker = unwrap(
    EbpfWorker.open(datapath.workerSettings(), { worker: 0, shards: ALL_SHARDS, netns: host.space.netns }),
  );
  const sizes = { buckets: BUCKETS_PER_SHARD * SHARD_COUNT, counters: BUCKETS_PER_SHARD * SHARD_COUNT };
  const recorder = new Recorder(datapath, worker, sizes);
  const runner = new ProgramRunner(datapath, worker);
  for (const vport of [VPORT, OUT])
    datapath.memory.vports.set([2, 1, 3, VPORT_UP, 1, 64, 1 << 20], vport * VPORT_WORDS);
  unwrap(await datapath.setUnderlay({ address: ipFromV4(0x0a000001), udpPort: 6677, mtu: 1500 }));
  writePeer(datapath.memory.peers, { peer: 5, address: ipFromV4(0x0a000002), mtu: 1450, isUp: true, epoch: 1 });
  recorder.comeInBy(VPORT);
  const prng = new Prng(61);
  const mutator = new FrameMutator(new Prng(62));
  const frames = FRAME_KINDS.map(({ spec }) => buildFrame(spec)).filter((bytes) => bytes.length < 1600);
  for (let i = 0; i < 1000; i++) {
    const { bytes } = mutator.next();
    if (bytes.length < 1600) frames.push(bytes);
  }
  for (const frame of frames) recorder.run("vport_ingress", { frame });
  for (let i = 0; i < 600; i++) {
    const frame = prng.pick(frames);
    const program = action(prng, frame);
    runner.install({ frame, vport: VPORT }, prng.below(CLASS_COUNT), program);
    recorder.run("vport_ingress", { frame, context: prng.below(4) === 0 ? { gsoSize: 100, gsoSegs: 2 } : {} });
    runner.clear();
    datapath.memory.exec.set([i & 0xfff, VPORT], 0);
    datapath.memory.exec.set(program, EXEC_ACTION);
    recorder.run("inject_egress", { frame, context: { mark: ((EXEC_MAGIC << 28) | ((i & 0xfff) << 12)) >>> 0 } });
  }
  worker.close();
  await host.close();
  return recorder;
}

test("every program loads under Debian's 6.1 kernel and does there what it does here", {
  skip: needs("qemu", "busybox", "cpio"),
}, async (t) => {
  const kernel = kernelImage();
  if (kernel === undefined) return t.skip("the Debian kernel package cannot be fetched (apt-get download)");
  assert.ok(compileDatapath());
  const recorder = await record();
  assert.ok(recorder.runs > 1500, `${recorder.runs} runs`);
  const folder = mkdtempSync(join(tmpdir(), "weft-e2e-"));
  try {
    const script = join(folder, "script");
    writeFileSync(script, `${recorder.lines.join("\n")}\n`);
    const files = { "run-programs": compileRunner(folder), "datapath.bpf.o": bpfObjectOf("datapath") ?? "", script };
    const output = boot(kernel, { files, commands: ["/run-programs /datapath.bpf.o /script"], limitMs: 100_000 });
    assert.match(output, /booted 6\.1\./, output.slice(-4000));
    assert.match(output, /load \S+ 0/, output.slice(-4000));
    assert.match(output, new RegExp(`done ${recorder.runs} 0\\s`), output.slice(-4000));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
