import assert from "node:assert/strict";
import { unwrap } from "../../../src/base/result.ts";
import { sleep, systemScheduler } from "../../../src/base/scheduler.ts";
import type { Output, Rig } from "../../../src/datapath/compliance/rig.ts";
import { underlayWorld, WORLD } from "../../../src/datapath/compliance/rig.ts";
import type {
  DatapathControl,
  DatapathMemory,
  DatapathWorker,
  ExecuteFrame,
  UpcallHandler,
} from "../../../src/datapath/datapath.ts";
import { EXECUTE_BATCH, EXECUTE_FRAME_BYTES_MAX, EXECUTE_FRAME_BYTES_MIN } from "../../../src/datapath/limits.ts";
import { EbpfWorker } from "../../../src/ebpf/ebpf-worker.ts";
import { monotonicMs } from "../../../src/ebpf/fixture/switch-agent.ts";
import { compileDatapath, TestHost } from "../../../src/ebpf/fixture/test-host.ts";
import {
  ACTION_TUNNEL,
  ACTION_VPORT,
  ACTION_WORDS,
  EXEC_ACTION,
  EXEC_ENTRIES,
  EXEC_MAGIC,
  EXEC_WORDS,
  SHARD_COUNT,
  WORKER_MAX,
} from "../../../src/flow/layout.ts";
import { testRun } from "../../../src/linux/bpf/program.ts";
import { createVeth } from "../../../src/linux/netlink/route/create-link.ts";
import { changeLink } from "../../../src/linux/netlink/route/link.ts";
import { disableIpv6 } from "../../../src/linux/sysctl.ts";
import { parseFrame } from "../../../src/wire/frame.ts";
import { fillChecksums } from "../../../src/wire/frame-checksum.ts";

const ALL_SHARDS = Array.from({ length: SHARD_COUNT }, (_, i) => i);
const LOOPBACK = 1;
const WAITS_MAX = 1000;
/** A worker whose execution entries nobody else uses. */
const WORKER = WORKER_MAX - 1;

/** What a test run of single programs cannot show. */
export const PROGRAM_RIG_LACKS: Rig["lacks"] = {
  "tunnel-ingress": "a test run has no tunnel metadata",
  interfaces: "a test run has no interfaces",
  groups: "copies of a group leave by real interfaces",
  "partial-checksums": "a test run has no offload",
  "short-frames": "the kernel has no test run for frames without a whole IP header",
};

/**
 * The compliance suite's world around single runs of the programs (BPF_PROG_RUN): what a program decided is read from skb->cb, and no
 * interface takes part. Frames of the agent run through the egress program with an entry of the execution table, as they would on the
 * inject device.
 */
export class ProgramRig implements Rig {
  readonly lacks = PROGRAM_RIG_LACKS;
  readonly around = underlayWorld(4);
  readonly control: DatapathControl;
  readonly worker: DatapathWorker;
  readonly #host: TestHost;
  readonly #left: Output[] = [];
  #waits = 0;

  private constructor(host: TestHost) {
    this.#host = host;
    this.control = host.datapath;
    const { space, datapath } = host;
    for (const vport of WORLD.vports) {
      const link = { name: this.interfaceOf(vport), usesArp: false, isMulticast: false };
      const peer = { ...link, name: `far${vport}` };
      unwrap(space.connection.run(createVeth({ link, peer })));
      unwrap(disableIpv6(peer.name, space.netns));
      unwrap(space.connection.run(changeLink({ name: peer.name }, { isUp: true })));
    }
    const place = { worker: 0, shards: ALL_SHARDS, netns: space.netns };
    const worker = unwrap(EbpfWorker.open(datapath.workerSettings(), place));
    this.worker = new ProgramWorker(worker, (frame, mark) => this.#run("inject_egress", frame, mark));
  }

  /** Makes the world. */
  static async open(): Promise<ProgramRig> {
    assert.ok(compileDatapath());
    return new ProgramRig(await TestHost.open("runs"));
  }

  now(): number {
    return monotonicMs();
  }

  send(vport: number, frame: Uint8Array): void {
    this.#host.datapath.nameInterface(LOOPBACK, vport);
    this.#run("vport_ingress", frame, 0);
  }

  sendTunnelled(): void {
    throw new Error(PROGRAM_RIG_LACKS["tunnel-ingress"]);
  }

  sendFromHost(): void {
    throw new Error(PROGRAM_RIG_LACKS.interfaces);
  }

  outputs(): readonly Output[] {
    return this.#left.splice(0);
  }

  async wait(): Promise<boolean> {
    if (this.#waits++ >= WAITS_MAX) return false;
    await sleep(systemScheduler, 1);
    return true;
  }

  settle(): Promise<void> {
    this.#waits = 0;
    return Promise.resolve();
  }

  carried(): Promise<void> {
    return Promise.resolve();
  }

  setInterfaceUp(): Promise<void> {
    throw new Error(PROGRAM_RIG_LACKS.interfaces);
  }

  setInterfacePresent(): Promise<void> {
    throw new Error(PROGRAM_RIG_LACKS.interfaces);
  }

  interfaceOf(vport: number): string {
    return `port${vport}`;
  }

  async close(): Promise<void> {
    this.worker.close();
    await this.#host.close();
  }

  #run(program: string, frame: Uint8Array, mark: number): void {
    const run = unwrap(testRun(this.#host.datapath.programFd(program), { frame, context: { mark } }));
    const [kind, index, tunnelKey, vlan] = run.context.cb;
    const bytes = withTag(run.frame, vlan);
    if (kind === ACTION_VPORT) this.#left.push({ kind: "vport", vport: index, frame: bytes });
    if (kind === ACTION_TUNNEL) this.#left.push({ kind: "tunnel", peer: index, tunnelKey, frame: bytes });
  }
}

/** A worker's face that runs the egress program itself instead of sending on the inject device. */
class ProgramWorker implements DatapathWorker {
  readonly memory: DatapathMemory;
  readonly shards: readonly number[];
  readonly #worker: DatapathWorker;
  readonly #run: (frame: Uint8Array, mark: number) => void;
  #queue: { readonly frame: Uint8Array; readonly mark: number }[] = [];
  #entry = 0;

  constructor(worker: DatapathWorker, run: (frame: Uint8Array, mark: number) => void) {
    this.#worker = worker;
    this.memory = worker.memory;
    this.shards = worker.shards;
    this.#run = run;
  }

  poll(limit: number, handle: UpcallHandler): number {
    return this.#worker.poll(limit, handle);
  }

  execute(
    { bytes, offset, length, ingressVport, isChecksumPartial }: ExecuteFrame,
    action: Uint32Array,
    at: number,
  ): boolean {
    if (length < EXECUTE_FRAME_BYTES_MIN || length > EXECUTE_FRAME_BYTES_MAX) return false;
    if (this.#queue.length === EXECUTE_BATCH) this.flush();
    const frame = bytes.slice(offset, offset + length);
    if (isChecksumPartial) fillChecksums(parseFrame(frame));
    const entry = this.#entry++ % EXEC_ENTRIES;
    const { exec } = this.memory;
    const word = (WORKER * EXEC_ENTRIES + entry) * EXEC_WORDS;
    const generation = ((exec[word] as number) + 1) & 0xfff;
    exec.set([generation, ingressVport], word);
    exec.set(action.subarray(at, at + ACTION_WORDS), word + EXEC_ACTION);
    this.#queue.push({ frame, mark: ((EXEC_MAGIC << 28) | (WORKER << 24) | (generation << 12) | entry) >>> 0 });
    return true;
  }

  flush(): void {
    const queue = this.#queue;
    this.#queue = [];
    for (const { frame, mark } of queue) this.#run(frame, mark);
  }

  sleep(wake: () => void): boolean {
    return this.#worker.sleep(wake);
  }

  close(): void {
    this.#worker.close();
  }
}

function withTag(frame: Uint8Array, vlan: number): Uint8Array {
  if ((vlan & 0x1_0000) === 0) return frame;
  const type = (vlan & 0x2_0000) === 0 ? 0x8100 : 0x88a8;
  const tag = [type >>> 8, type & 0xff, (vlan >>> 8) & 0xff, vlan & 0xff];
  return Uint8Array.of(...frame.subarray(0, 12), ...tag, ...frame.subarray(12));
}
