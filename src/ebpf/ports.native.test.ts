import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { Worker } from "node:worker_threads";
import { ipFromV4 } from "../addr/ip.ts";
import { unwrap } from "../base/result.ts";
import type { LinkEvent } from "../datapath/datapath.ts";
import { setPeerUp } from "../datapath/records.ts";
import {
  ACTION_VPORT,
  CLASS_L2,
  PEER_EPOCH,
  PEER_WORDS,
  SHARD_COUNT,
  UPCALL_MISS,
  VPORT_PEER_REDIRECT,
  VPORT_UP,
  VPORT_WORDS,
} from "../flow/layout.ts";
import { createVeth } from "../linux/netlink/route/create-link.ts";
import { changeLink, deleteLink, getLink, isAdminUp } from "../linux/netlink/route/link.ts";
import { addRoute } from "../linux/netlink/route/route.ts";
import { listFilters } from "../linux/netlink/route/traffic-control.ts";
import { Tap } from "../linux/tap.ts";
import { buildFrame } from "../wire/build-frame.ts";
import { EbpfWorker } from "./ebpf-worker.ts";
import { ProgramRunner } from "./fixture/program-runner.ts";
import { actionOf } from "./fixture/switch-agent.ts";
import { compileDatapath, TestHost, TestVm, v4 } from "./fixture/test-host.ts";

const ALL_SHARDS = Array.from({ length: SHARD_COUNT }, (_, i) => i);
const frame = buildFrame({
  eth: { src: 0x0200_0000_0001, dst: 0x0200_0000_0002 },
  ipv4: { src: 0x0a00_0001, dst: 0x0a00_0002 },
  udp: { srcPort: 1000, dstPort: 2000 },
  payload: new Uint8Array(100),
});

let host: TestHost;
let events: LinkEvent[] = [];

before(async () => {
  assert.ok(compileDatapath());
  host = await TestHost.open();
  host.datapath.onLink((event) => events.push(event));
});

after(async () => {
  await host?.close();
});

afterEach(async () => {
  await host.datapath.setPorts([]);
  events = [];
});

const flagsOf = (vport: number): number => host.datapath.memory.vports[vport * VPORT_WORDS + 3] as number;
const ifindexOf = (vport: number): number => host.datapath.memory.vports[vport * VPORT_WORDS + 1] as number;

/** More than two interfaces bring in a test. */
const NOTIFICATIONS = 20;

/** Lets the event loop turn until something holds; a test that never gets there hangs, and its tier says so. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

function filtersOf(name: string): number {
  const ifindex = host.space.ifindex(name);
  const hooks = ["ingress", "egress"] as const;
  return hooks.flatMap((hook) => {
    const listed = host.space.connection.run(listFilters(ifindex, hook));
    return listed.ok ? listed.value : [];
  }).length;
}

test("a veth into another namespace is attached, up, silent, and may be reached by peer redirect", async () => {
  const vm = new TestVm(host.space, 1);
  const [outcome] = await host.datapath.setPorts([{ vport: 1, interfaceName: "port1", epoch: 7 }]);
  assert.ok(outcome?.state === "attached");
  assert.deepEqual([outcome.isUp, outcome.mtu], [true, 1500]);
  assert.equal(flagsOf(1), VPORT_UP | VPORT_PEER_REDIRECT);
  assert.equal(host.datapath.memory.vports[VPORT_WORDS + 4], 7);
  const link = unwrap(host.space.connection.run(getLink({ name: "port1" })));
  assert.ok(link !== undefined && isAdminUp(link));
  assert.equal(filtersOf("port1"), 2);
  await host.datapath.setPorts([]);
  assert.equal(filtersOf("port1"), 0);
  assert.deepEqual([flagsOf(1), ifindexOf(1)], [0, 0]);
  vm.close();
});

test("a veth whose other end is in the same namespace is not redirected to by peer", async () => {
  unwrap(host.space.connection.run(createVeth({ link: { name: "port2" }, peer: { name: "peer2" } })));
  unwrap(host.space.connection.run(changeLink({ name: "peer2" }, { isUp: true })));
  await host.datapath.setPorts([{ vport: 2, interfaceName: "port2", epoch: 1 }]);
  assert.equal(flagsOf(2) & VPORT_PEER_REDIRECT, 0);
  unwrap(host.space.connection.run(deleteLink({ name: "port2" })));
});

test("a port waits for its interface, follows it down and up, and survives its disappearance", async () => {
  const wanted = [{ vport: 3, interfaceName: "port3", epoch: 1 }];
  assert.deepEqual(await host.datapath.setPorts(wanted), [{ vport: 3, state: "absent" }]);
  const vm = new TestVm(host.space, 3);
  await until(() => flagsOf(3) === (VPORT_UP | VPORT_PEER_REDIRECT));
  unwrap(vm.space.connection.run(changeLink({ name: "eth0" }, { isUp: false })));
  await until(() => (flagsOf(3) & VPORT_UP) === 0);
  unwrap(vm.space.connection.run(changeLink({ name: "eth0" }, { isUp: true })));
  await until(() => (flagsOf(3) & VPORT_UP) !== 0);
  const first = ifindexOf(3);
  unwrap(host.space.connection.run(deleteLink({ name: "port3" })));
  await until(() => ifindexOf(3) === 0);
  await until(() => events.some((event) => event.kind === "gone" && event.name === "port3"));
  const again = new TestVm(host.space, 3);
  await until(() => (flagsOf(3) & VPORT_UP) !== 0);
  assert.notEqual(ifindexOf(3), first);
  const present = events.findLast((event) => event.kind === "present" && event.name === "port3");
  assert.ok(present?.kind === "present" && present.ifindex === ifindexOf(3));
  unwrap(host.space.connection.run(changeLink({ name: "port3" }, { isUp: false })));
  unwrap(host.space.connection.run(changeLink({ ifindex: host.space.ifindex("port3") }, { newName: "renamed" })));
  await until(() => ifindexOf(3) === 0 && events.some((event) => event.kind === "gone" && event.name === "port3"));
  await until(() => filtersOf("renamed") === 0);
  vm.close();
  again.close();
});

test("interfaces that the host itself uses are refused with the reason", async () => {
  unwrap(host.space.connection.run(createVeth({ link: { name: "used" }, peer: { name: "used-end" } })));
  host.space.address("used", v4(192, 0, 2, 1), 24);
  unwrap(
    host.space.connection.run(createVeth({ link: { name: "way-out", isUp: true }, peer: { name: "way-out-end" } })),
  );
  const ifindex = host.space.ifindex("way-out");
  unwrap(host.space.connection.run(addRoute({ destination: v4(0, 0, 0, 0), prefixLength: 0, ifindex })));
  const outcomes = await host.datapath.setPorts([
    { vport: 4, interfaceName: "used", epoch: 1 },
    { vport: 5, interfaceName: "lo", epoch: 1 },
    { vport: 6, interfaceName: "weft-inject", epoch: 1 },
    { vport: 8, interfaceName: "way-out", epoch: 1 },
  ]);
  const reasons = outcomes.map((outcome) => (outcome.state === "refused" ? outcome.why : outcome.state));
  assert.match(reasons[0] ?? "", /used cannot be bound: the host has an address on it/);
  assert.match(reasons[1] ?? "", /lo cannot be bound: it is the loopback/);
  assert.match(reasons[2] ?? "", /weft-inject cannot be bound: it is one of weft's own/);
  assert.match(reasons[3] ?? "", /way-out cannot be bound: the host's default route leaves by it/);
  assert.equal(filtersOf("used") + filtersOf("way-out"), 0);
  for (const name of ["used", "way-out"]) unwrap(host.space.connection.run(deleteLink({ name })));
});

test("a TAP is a port: what is written to it goes up, what a flow sends to it can be read", async () => {
  const tap = unwrap(host.space.netns.runResult(() => Tap.open({ name: "tap7" })));
  const [outcome] = await host.datapath.setPorts([{ vport: 7, interfaceName: "tap7", epoch: 1 }]);
  assert.ok(outcome?.state === "attached");
  const place = { worker: 0, shards: ALL_SHARDS, netns: host.space.netns };
  const worker = unwrap(EbpfWorker.open(host.datapath.workerSettings(), place));
  await until(() => (flagsOf(7) & VPORT_UP) !== 0);
  unwrap(tap.write(frame));
  let kind = -1;
  worker.poll(1, (record) => {
    kind = record.words[record.offset] as number;
  });
  assert.equal(kind, UPCALL_MISS);
  const runner = new ProgramRunner(host.datapath, worker);
  runner.install({ frame, vport: 7 }, CLASS_L2, actionOf([ACTION_VPORT, 7]));
  unwrap(tap.write(frame));
  const bytes = new Uint8Array(2000);
  let length = -1;
  await until(() => {
    length = tap.read(bytes);
    return length === frame.length;
  });
  assert.equal(Buffer.compare(bytes.subarray(0, length), frame), 0);
  worker.close();
  tap.close();
});

test("a worker thread of the process opens its face from the settings, and is woken by an upcall", async () => {
  const vm = new TestVm(host.space, 8);
  await host.datapath.setPorts([{ vport: 8, interfaceName: "port8", epoch: 1 }]);
  const settings = host.datapath.workerSettings();
  const module = new URL("./fixture/sleeper.ts", import.meta.url);
  const thread = new Worker(module, { workerData: { settings, namespace: host.space.name } });
  const messages: string[] = [];
  thread.on("message", (message: string) => messages.push(message));
  await until(() => messages.includes("asleep"));
  await vm.space.exec(["ping", "-c", "1", "-W", "1", "10.0.0.99"]);
  await until(() => messages.some((message) => message.startsWith("woken ")));
  const ended = new Promise((resolve) => thread.once("exit", resolve));
  thread.postMessage("end");
  assert.equal(await ended, 0);
  vm.close();
});

test("an audit puts right what somebody else has changed in records and tables, and says what", async () => {
  const vms = [1, 2].map((n) => new TestVm(host.space, n));
  const { datapath } = host;
  await datapath.setPorts([1, 2].map((n) => ({ vport: n, interfaceName: `port${n}`, epoch: n })));
  const address = ipFromV4(0xc000_0209);
  await datapath.setPeers([{ peer: 3, address, mtu: 1400, isUp: true, epoch: 9 }]);
  await datapath.setTunnelKeys([{ key: 0x77, target: { kind: "vport", vport: 1 } }]);
  assert.deepEqual(await datapath.audit(), []);
  const right = ifindexOf(2);
  // A notification of the links that is still on its way puts a vport right, too, before the audit comes.
  let put: readonly string[] = [];
  for (let i = 0; i < NOTIFICATIONS && put.length < 3; i++) {
    datapath.memory.vports[2 * VPORT_WORDS + 1] = 999;
    datapath.memory.peers[3 * PEER_WORDS + PEER_EPOCH] = 1;
    datapath.nameInterface(ifindexOf(1), 5);
    put = await datapath.audit();
  }
  assert.deepEqual(put, ["vport 1", "vport 2", "peer 3"]);
  assert.equal(ifindexOf(2), right);
  assert.equal(datapath.memory.peers[3 * PEER_WORDS + PEER_EPOCH], 9);
  setPeerUp(datapath.memory.peers, 3, false);
  assert.deepEqual(await datapath.audit(), [], "whether a peer is up is said by those who watch it");
  await datapath.setPeers([]);
  await datapath.setTunnelKeys([]);
  for (const vm of vms) vm.close();
});
