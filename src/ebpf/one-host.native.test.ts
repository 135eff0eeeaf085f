import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { unwrap } from "../base/result.ts";
import { dropCode } from "../flow/drop-reason.ts";
import { ACTION_VPORT, CLASS_FULL, CLASS_L2, SHARD_COUNT } from "../flow/layout.ts";
import { PacketSender } from "../linux/packet-sender.ts";
import { buildFrame } from "../wire/build-frame.ts";
import { EbpfWorker } from "./ebpf-worker.ts";
import { actionOf, SwitchAgent } from "./fixture/switch-agent.ts";
import { compileDatapath, TestHost, TestVm } from "./fixture/test-host.ts";

const ALL_SHARDS = Array.from({ length: SHARD_COUNT }, (_, i) => i);

let host: TestHost;
let vms: readonly TestVm[];
let agent: SwitchAgent;

before(async () => {
  assert.ok(compileDatapath());
  host = await TestHost.open();
  vms = [1, 2, 3].map((n) => new TestVm(host.space, n));
  const ports = await host.datapath.setPorts(
    vms.map((vm, i) => ({ vport: i + 1, interfaceName: vm.portName, epoch: 1 })),
  );
  assert.deepEqual(
    ports.map((port) => port.state),
    ["attached", "attached", "attached"],
  );
  const worker = unwrap(
    EbpfWorker.open(host.datapath.workerSettings(), { worker: 0, shards: ALL_SHARDS, netns: host.space.netns }),
  );
  agent = new SwitchAgent(worker);
  for (const n of [1, 2, 3]) agent.learn(n, actionOf([ACTION_VPORT, n]));
  agent.setGroup([1, 2, 3].map((n) => [ACTION_VPORT, n, 0, 0]));
  agent.run();
});

after(async () => {
  agent?.stop();
  const { pins } = host;
  await host.close();
  for (const vm of vms) vm.close();
  assert.equal(existsSync(pins), false);
});

test("two VMs of one host ping each other, and only first packets go up", async () => {
  const { code, output } = await (vms[0] as TestVm).space.exec([
    "ping",
    "-c",
    "5",
    "-i",
    "0.05",
    "-W",
    "1",
    "10.0.0.2",
  ]);
  assert.equal(code, 0, output);
  assert.match(output, /5 packets transmitted, 5 received/);
  // What the VMs' own stacks say at their start is among them: far fewer than if no flow were found.
  const before = agent.upcalls[0] as number;
  const again = await (vms[0] as TestVm).space.exec(["ping", "-f", "-q", "-c", "500", "10.0.0.2"]);
  // ping does not wait for the last answers of a flood.
  assert.match(again.output, /(500|49\d) received/);
  assert.ok((agent.upcalls[0] as number) - before < 50, `${agent.upcalls}`);
});

test("a worker that sleeps between packets is woken by each of them", async () => {
  agent.isInstalling = false;
  const { space } = vms[0] as TestVm;
  const ifindex = space.ifindex("eth0");
  const sender = unwrap(space.netns.runResult(() => PacketSender.open({ ifindex, slots: 1 })));
  const frame = buildFrame({
    eth: { src: 0x0200_0000_0001, dst: 0x0200_0000_0003 },
    etherType: 0x88b5,
    payload: new Uint8Array(50),
  });
  sender.bytes.set(frame, sender.frameOffset(0));
  for (let i = 0; i < 5000; i++) {
    const before = agent.upcalls[0] as number;
    sender.describe(0, frame.length, 0);
    assert.equal(sender.flush(0, 1), 1);
    // The agent looks at its rings only when it is woken: a lost wake-up would be waited for here for ever.
    while (agent.upcalls[0] === before) await new Promise((resolve) => setImmediate(resolve));
  }
  sender.close();
  agent.isInstalling = true;
});

test("a port that sends nothing but new flows, as fast as it can, does not keep another port's first packets waiting", async () => {
  const path = fileURLToPath(new URL("./fixture/flooder.ts", import.meta.url));
  const flood = spawn(process.execPath, [path, (vms[0] as TestVm).space.name, "300000"], { stdio: "inherit" });
  const flooded = new Promise((resolve) => flood.once("exit", resolve));
  agent.flowClass = CLASS_FULL;
  const dropsOf = (vport: number): number => {
    const code = dropCode("upcall-budget");
    return host.datapath.drops().find((drop) => drop.reason === code && drop.vport === vport)?.packets ?? 0;
  };
  while (dropsOf(1) === 0) await new Promise((resolve) => setImmediate(resolve));
  const before = dropsOf(3);
  for (let i = 0; i < 20; i++) {
    // Each ping is a flow of its own, and both its packets go up.
    const { output } = await (vms[2] as TestVm).space.exec(["ping", "-c", "1", "-W", "2", "10.0.0.2"]);
    assert.match(output, /1 received/);
  }
  assert.equal(dropsOf(3), before);
  await flooded;
  agent.flowClass = CLASS_L2;
});

test("packets that are to be segmented go up and out again whole, when there is never a flow", async () => {
  agent.isInstalling = false;
  agent.largest = 0;
  const server = (vms[2] as TestVm).space.exec(["timeout", "60", "iperf3", "-s", "-1"]);
  const client = [
    "sh",
    "-c",
    "for i in 1 2 3 4 5 6 7 8; do iperf3 -c 10.0.0.3 -n 4M && exit 0; sleep 0.1; done; exit 1",
  ];
  const { code, output } = await (vms[0] as TestVm).space.exec(client);
  agent.isInstalling = true;
  assert.equal(code, 0, output);
  assert.equal((await server).code, 0);
  assert.ok(agent.largest > 20_000, `largest frame ${agent.largest}`);
  assert.equal(
    host.datapath.drops().find(({ reason }) => reason === dropCode("inject-failed")),
    undefined,
  );
});

test("the first packet of a flow that stands for many datagrams arrives as all of them", async () => {
  const [from, to] = vms as readonly [TestVm, TestVm];
  const listen = `const socket = require("node:dgram").createSocket("udp4"); let sizes = [];
    socket.on("message", (bytes) => {
      sizes.push(bytes.length + (bytes.every((byte, i) => byte === ((bytes[0] + i) & 255)) ? "" : " damaged"));
      if (sizes.length === 6) { console.log(sizes.join()); socket.close(); }
    });
    socket.bind(5001, () => console.log("ready"));`;
  const inside = ["timeout", "20", "nsenter", `--net=/run/netns/${to.space.name}`];
  const receiver = spawn("env", [...inside, process.execPath, "-e", listen], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  const ended = new Promise((resolve) => receiver.once("close", resolve));
  const isReady = new Promise<void>((resolve) =>
    receiver.stdout.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      resolve();
    }),
  );
  await isReady;
  const train = fileURLToPath(new URL("./fixture/udp-train.ts", import.meta.url));
  agent.flowClass = CLASS_FULL;
  const { code, output } = await from.space.exec([process.execPath, train, "10.0.0.2", "5001", "5300", "1000"]);
  assert.equal(code, 0, output);
  await ended;
  agent.flowClass = CLASS_L2;
  assert.deepEqual(said.trim().split("\n"), ["ready", "1000,1000,1000,1000,1000,300"]);
  assert.ok(agent.largest > 5300);
});

test("a TCP connection with segmentation offload crosses", async () => {
  const server = (vms[1] as TestVm).space.exec(["timeout", "60", "iperf3", "-s", "-1"]);
  const client = [
    "sh",
    "-c",
    "for i in 1 2 3 4 5 6 7 8; do iperf3 -c 10.0.0.2 -n 50M && exit 0; sleep 0.1; done; exit 1",
  ];
  const { code, output } = await (vms[0] as TestVm).space.exec(client);
  assert.equal(code, 0, output);
  assert.equal((await server).code, 0);
  // Before the flow is there, a busy machine may refuse upcalls; whatever else is lost is lost by the programs.
  const refused = [dropCode("upcall-budget"), dropCode("upcall-ring-full")];
  const lost = host.datapath.drops().filter(({ reason }) => !refused.includes(reason));
  assert.deepEqual(lost, []);
});
