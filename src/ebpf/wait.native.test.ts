import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { unwrap } from "../base/result.ts";
import { ACTION_VPORT, CONTROL_SLEEPING, SHARD_COUNT } from "../flow/layout.ts";
import { getLink } from "../linux/netlink/route/link.ts";
import { EbpfWorker } from "./ebpf-worker.ts";
import { actionOf, SwitchAgent } from "./fixture/switch-agent.ts";
import { compileDatapath, TestHost, TestVm } from "./fixture/test-host.ts";

const ALL_SHARDS = Array.from({ length: SHARD_COUNT }, (_, i) => i);
/** Far longer than anything here takes: after a lost wake-up a wait ends with nothing. */
const LONG_MS = 10_000;
const PINGS = 200;

let host: TestHost;
let vms: readonly TestVm[];
let worker: EbpfWorker;

before(async () => {
  assert.ok(compileDatapath());
  host = await TestHost.open();
  vms = [1, 2].map((n) => new TestVm(host.space, n));
  await host.datapath.setPorts(vms.map((vm, i) => ({ vport: i + 1, interfaceName: vm.portName, epoch: 1 })));
  const place = { worker: 0, shards: ALL_SHARDS, netns: host.space.netns, waits: true };
  worker = unwrap(EbpfWorker.open(host.datapath.workerSettings(), place));
});

after(async () => {
  worker.close();
  await host.close();
  for (const vm of vms) vm.close();
});

function sleepFlags(): readonly number[] {
  return [...host.datapath.memory.control.subarray(CONTROL_SLEEPING, CONTROL_SLEEPING + SHARD_COUNT)];
}

test("a worker that waits on the spot is woken by each frame that goes up", async () => {
  const agent = new SwitchAgent(worker);
  agent.isInstalling = false;
  for (const n of [1, 2]) agent.learn(n, actionOf([ACTION_VPORT, n]));
  agent.setGroup([1, 2].map((n) => [ACTION_VPORT, n, 0, 0]));
  const { space } = vms[0] as TestVm;
  const whole = space.exec(["sh", "-c", `ping -c 5 -i 0.2 10.0.0.2; ping -i 0.005 -c ${PINGS} -W 2 10.0.0.2`]);
  // Both directions of each ping go up; the second half is for the event loop.
  let idle = 0;
  while ((agent.upcalls[0] as number) < PINGS) {
    const before = agent.upcalls[0] as number;
    worker.wait(LONG_MS);
    const isFlagTaken = sleepFlags().includes(0);
    agent.takeAll();
    if (agent.upcalls[0] !== before) assert.ok(isFlagTaken, "only rings whose flag was taken are looked at");
    // Frames of two shards that woke us at once are told of twice.
    if (agent.upcalls[0] === before) idle++;
    assert.ok(idle < PINGS / 10, "waits end with nothing");
  }
  agent.run();
  assert.match((await whole).output, new RegExp(`${PINGS} received`));
});

test("control ends a wait, also one that has not begun yet", () => {
  host.datapath.wakeWorker(0);
  worker.wait(LONG_MS);
  host.datapath.wakeWorker(1);
  host.datapath.wakeWorker(0);
  worker.wait(LONG_MS);
});

test("the flags of a worker that was killed in its sleep hide nothing from the next one", () => {
  const { control } = host.datapath.memory;
  control.fill(77, CONTROL_SLEEPING, CONTROL_SLEEPING + SHARD_COUNT);
  const place = { worker: 1, shards: ALL_SHARDS, netns: host.space.netns, waits: true };
  const next = unwrap(EbpfWorker.open(host.datapath.workerSettings(), place));
  const flags = sleepFlags();
  next.close();
  assert.deepEqual(new Set(flags), new Set([0]));
});

test("a worker that waits has a device of its own, and takes it away", () => {
  const place = { worker: 1, shards: [], netns: host.space.netns, waits: true };
  const find = () => host.space.connection.run(getLink({ name: "weft-wake1" })).ok;
  assert.equal(find(), false);
  const other = unwrap(EbpfWorker.open(host.datapath.workerSettings(), place));
  assert.equal(find(), true);
  other.close();
  assert.equal(find(), false);
});
