import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { type Result, unwrap } from "../base/result.ts";
import { dropCode } from "../flow/drop-reason.ts";
import {
  ACTION_GROUP,
  ACTION_POP_SHIFT,
  ACTION_PUSH_SHIFT,
  ACTION_VPORT,
  CLASS_L2,
  SHARD_COUNT,
} from "../flow/layout.ts";
import type { LinuxError } from "../linux/errno.ts";
import { PacketReceiver, type ReceivedFrame } from "../linux/packet-receiver.ts";
import { PacketSender } from "../linux/packet-sender.ts";
import { disableIpv6 } from "../linux/sysctl.ts";
import { buildFrame, type FrameSpec } from "../wire/build-frame.ts";
import { EbpfWorker } from "./ebpf-worker.ts";
import { ProgramRunner } from "./fixture/program-runner.ts";
import { actionOf, type GroupOutput, writeGroup } from "./fixture/switch-agent.ts";
import { compileDatapath, TestHost, TestVm } from "./fixture/test-host.ts";

const ALL_SHARDS = Array.from({ length: SHARD_COUNT }, (_, i) => i);
const PORTS = [1, 2, 3, 4] as const;
const GROUP = 7;
const BROADCAST: FrameSpec = {
  eth: { src: 0x0200_0000_0001, dst: 0xffff_ffff_ffff },
  ipv4: { src: 0x0a00_0001, dst: 0x0a00_00ff },
  udp: { srcPort: 1000, dstPort: 2000 },
  payload: new Uint8Array(40),
};
const plain = buildFrame(BROADCAST);

let host: TestHost;
let vms: readonly TestVm[];
let worker: EbpfWorker;
let runner: ProgramRunner;
let sender: PacketSender;
let receivers: readonly PacketReceiver[];

before(async () => {
  assert.ok(compileDatapath());
  host = await TestHost.open();
  vms = PORTS.map((n) => new TestVm(host.space, n));
  for (const vm of vms) unwrap(disableIpv6("eth0", vm.space.netns));
  await host.datapath.setPorts(vms.map((vm, i) => ({ vport: i + 1, interfaceName: vm.portName, epoch: 1 })));
  worker = unwrap(
    EbpfWorker.open(host.datapath.workerSettings(), { worker: 0, shards: ALL_SHARDS, netns: host.space.netns }),
  );
  runner = new ProgramRunner(host.datapath, worker);
  const inside = <T>(vm: TestVm, body: () => Result<T, LinuxError>): T => unwrap(vm.space.netns.runResult(body));
  const first = vms[0] as TestVm;
  sender = inside(first, () => PacketSender.open({ ifindex: first.space.ifindex("eth0"), slots: 4 }));
  receivers = vms.map((vm) => inside(vm, () => PacketReceiver.open(vm.space.ifindex("eth0"))));
});

beforeEach(() => {
  runner.clear();
  for (const receiver of receivers) receiver.receiveAll();
});

after(async () => {
  worker?.close();
  sender?.close();
  for (const receiver of receivers ?? []) receiver.close();
  await host?.close();
  for (const vm of vms ?? []) vm.close();
});

/** Sends a frame by port 1 and gives what comes out at ports 2 to 4, in hexadecimal, tag in the bytes. */
async function send(frame: Uint8Array): Promise<readonly (readonly string[])[]> {
  sender.bytes.set(frame, sender.frameOffset(0));
  sender.describe(0, frame.length, 0);
  assert.equal(sender.flush(0, 1), 1);
  return collect();
}

/** Frames that came in at ports 2 to 4 until nothing comes any more. */
async function collect(): Promise<readonly (readonly string[])[]> {
  const found: string[][] = PORTS.map(() => []);
  for (let idle = 0; idle < 50; idle++) {
    for (const [i, receiver] of receivers.entries()) {
      for (const received of receiver.receiveAll()) {
        if (received.isOutgoing) continue;
        found[i]?.push(hex(withTag(received)));
        idle = 0;
      }
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  return found.slice(1);
}

function withTag({ bytes, vlan }: ReceivedFrame): Uint8Array {
  return vlan === undefined ? bytes : tagged(bytes, vlan.tpid, vlan.tci);
}

function tagged(frame: Uint8Array, tpid: number, tci: number): Uint8Array {
  const tag = [tpid >>> 8, tpid & 0xff, tci >>> 8, tci & 0xff];
  return Uint8Array.from([...frame.subarray(0, 12), ...tag, ...frame.subarray(12)]);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** Installs a flood of the frame to a group of these outputs. */
function flood(frame: Uint8Array, outputs: readonly GroupOutput[]): void {
  writeGroup(host.datapath.memory.groups, GROUP, outputs);
  runner.install({ frame, vport: 1 }, CLASS_L2, actionOf([ACTION_GROUP, GROUP]));
}

const to = (vport: number, pop = 0, push: readonly number[] = []): GroupOutput => {
  const word = ACTION_VPORT | (pop << ACTION_POP_SHIFT) | (push.length << ACTION_PUSH_SHIFT);
  return [word, vport, 0, ((push[0] ?? 0) | ((push[1] ?? 0) << 16)) >>> 0];
};

test("a flood reaches every member but the port by which the frame came", async () => {
  flood(plain, [to(1), to(2), to(3), to(4)]);
  assert.deepEqual(await send(plain), [[hex(plain)], [hex(plain)], [hex(plain)]]);
});

test("each member gets the frame with its own VLAN operation, in any order", async () => {
  const frame = tagged(plain, 0x8100, 0x6064);
  flood(frame, [to(2, 1), to(3, 1, [0x00c8]), to(4), to(2), to(3, 1, [0x1005, 0x2006]), to(4, 0, [0x0007])]);
  const [two, three, four] = await send(frame);
  assert.deepEqual(two, [hex(plain), hex(frame)]);
  assert.deepEqual(three, [
    hex(tagged(plain, 0x8100, 0x00c8)),
    hex(tagged(tagged(plain, 0x8100, 0x2006), 0x88a8, 0x1005)),
  ]);
  assert.deepEqual(four, [hex(frame), hex(tagged(frame, 0x8100, 0x0007))]);
});

test("a stacked frame loses one tag or both, and the next member still gets both", async () => {
  const frame = tagged(tagged(plain, 0x8100, 0x0064), 0x88a8, 0x00c8);
  flood(frame, [to(2, 2), to(3, 1), to(4)]);
  const [two, three, four] = await send(frame);
  assert.deepEqual(two, [hex(plain)]);
  assert.deepEqual(three, [hex(tagged(plain, 0x8100, 0x0064))]);
  assert.deepEqual(four, [hex(frame)]);
});

test("a member that is down is left out and counted; the others get their copies", async () => {
  flood(plain, [to(2), to(77), to(4)]);
  assert.deepEqual(await send(plain), [[hex(plain)], [], [hex(plain)]]);
  const drop = host.datapath.drops().find(({ vport }) => vport === 77);
  assert.deepEqual([drop?.reason, drop?.packets], [dropCode("vport-down"), 1]);
});

test("a frame of the agent floods too, leaving out the port that it names", async () => {
  writeGroup(host.datapath.memory.groups, GROUP, [to(1), to(2), to(3), to(4, 0, [9])]);
  const frame = {
    bytes: plain,
    offset: 0,
    length: plain.length,
    ingressVport: 3,
    gsoSize: 0,
    isChecksumPartial: false,
  };
  assert.ok(worker.execute(frame, actionOf([ACTION_GROUP, GROUP]), 0));
  worker.flush();
  assert.deepEqual(await collect(), [[hex(plain)], [], [hex(tagged(plain, 0x8100, 9))]]);
});

test("512 members are served, in their order", async () => {
  flood(
    plain,
    Array.from({ length: 512 }, (_, i) => to(2 + (i % 3), 0, i % 2 === 0 ? [] : [i])),
  );
  const [two, three, four] = await send(plain);
  assert.deepEqual([two?.length, three?.length, four?.length], [171, 171, 170]);
  assert.equal(two?.[1], hex(tagged(plain, 0x8100, 3)));
});

test("what the host's own stack sends on a bound interface does not reach the VM, and is counted", async () => {
  const { space } = host;
  const port = space.ifindex("port2");
  const own = unwrap(space.netns.runResult(() => PacketSender.open({ ifindex: port, slots: 1 })));
  own.bytes.set(plain, own.frameOffset(0));
  own.describe(0, plain.length, 0);
  own.flush(0, 1);
  own.close();
  assert.deepEqual(await collect(), [[], [], []]);
  const drop = host.datapath.drops().find(({ reason }) => reason === dropCode("host-originated"));
  assert.deepEqual([drop?.vport, drop?.packets], [2, 1]);
});
