import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ipFromV4 } from "../addr/ip.ts";
import { unwrap } from "../base/result.ts";
import { dropCode } from "../flow/drop-reason.ts";
import { ACTION_TUNNEL, ACTION_VPORT, SHARD_COUNT, TUNNEL_KIND_GROUP, TUNNEL_KIND_SHIFT } from "../flow/layout.ts";
import { createVeth } from "../linux/netlink/route/create-link.ts";
import { changeLink } from "../linux/netlink/route/link.ts";
import { EbpfWorker } from "./ebpf-worker.ts";
import { actionOf, SwitchAgent } from "./fixture/switch-agent.ts";
import { compileDatapath, TestHost, TestVm, v4 } from "./fixture/test-host.ts";

const ALL_SHARDS = Array.from({ length: SHARD_COUNT }, (_, i) => i);
const GROUP_KEY = 0x77;
const groupTunnelKey = (TUNNEL_KIND_GROUP << TUNNEL_KIND_SHIFT) | GROUP_KEY;
const vportKey = (n: number): number => 0x1000 + n;

interface Side {
  readonly host: TestHost;
  readonly vms: readonly TestVm[];
  readonly agent: SwitchAgent;
}

let sides: readonly Side[];

/** One host with the VMs of these numbers; the others are behind peer 1. */
async function open(n: number, own: readonly number[], far: readonly number[]): Promise<Side> {
  const host = await TestHost.open(`host${n}`);
  const vms = own.map((vm) => new TestVm(host.space, vm));
  const { datapath } = host;
  await datapath.setPorts(vms.map((vm, i) => ({ vport: own[i] as number, interfaceName: vm.portName, epoch: 1 })));
  const worker = unwrap(EbpfWorker.open(datapath.workerSettings(), { worker: 0, shards: ALL_SHARDS, netns: host.space.netns }));
  const agent = new SwitchAgent(worker);
  for (const vm of own) agent.learn(vm, actionOf([ACTION_VPORT, vm]));
  for (const vm of far) agent.learn(vm, actionOf([ACTION_TUNNEL, 1, vportKey(vm), 1450]));
  agent.setGroup([...own.map((vm) => [ACTION_VPORT, vm, 0, 0] as const), [ACTION_TUNNEL, 1, groupTunnelKey, 0]]);
  return { host, vms, agent };
}

before(async () => {
  assert.ok(compileDatapath());
  sides = [await open(1, [1, 2], [3, 4]), await open(2, [3, 4], [1, 2])];
  const [a, b] = sides.map((side) => side.host.space) as [TestHost["space"], TestHost["space"]];
  unwrap(a.connection.run(createVeth({ link: { name: "under0" }, peer: { name: "under0", netnsFd: b.netns.fd } })));
  for (const [i, space] of [a, b].entries()) {
    unwrap(space.connection.run(changeLink({ name: "under0" }, { isUp: true })));
    space.address("under0", v4(192, 168, 77, i + 1), 24);
  }
  for (const [i, { host, agent }] of sides.entries()) {
    const own = ipFromV4(0xc0a84d01 + i);
    const far = ipFromV4(0xc0a84d02 - i);
    unwrap(await host.datapath.setUnderlay({ address: own, udpPort: 6677, mtu: 1500 }));
    unwrap(await host.datapath.setPeers([{ peer: 1, address: far, mtu: 1450, isUp: true, epoch: 1 }]));
    const keys = (i === 0 ? [1, 2] : [3, 4]).map((vm) => ({ key: vportKey(vm), target: { kind: "vport", vport: vm } as const }));
    unwrap(await host.datapath.setTunnelKeys([...keys, { key: GROUP_KEY, target: { kind: "group", group: 1 } }]));
    agent.run();
  }
});

after(async () => {
  for (const { host, vms, agent } of sides ?? []) {
    agent.stop();
    await host.close();
    for (const vm of vms) vm.close();
  }
});

const vm = (n: number): TestVm => [...(sides[0] as Side).vms, ...(sides[1] as Side).vms][n - 1] as TestVm;

test("VMs of two hosts ping each other through the tunnel; the request for the MAC address is flooded", async () => {
  const { code, output } = await vm(1).space.exec(["ping", "-c", "5", "-i", "0.05", "-W", "1", "10.0.0.3"]);
  assert.equal(code, 0, output);
  assert.match(output, /5 packets transmitted, 5 received/);
  const { peerSeen } = (sides[0] as Side).host.datapath.memory;
  assert.ok((peerSeen[1] as number) > 0);
});

test("TCP crosses the tunnel", async () => {
  const server = vm(4).space.exec(["timeout", "10", "iperf3", "-s", "-1"]);
  const client = ["sh", "-c", "for i in 1 2 3 4 5 6 7 8; do iperf3 -M 1400 -c 10.0.0.4 -n 50M && exit 0; sleep 0.1; done; exit 1"];
  const { code, output } = await vm(1).space.exec(client);
  assert.equal(code, 0, output);
  assert.equal((await server).code, 0);
});

test("a packet that is too long for the tunnel goes up and is not sent", async () => {
  const agent = (sides[0] as Side).agent;
  const before = agent.upcalls[2] as number;
  const { code } = await vm(1).space.exec(["ping", "-c", "3", "-i", "0.05", "-W", "1", "-M", "do", "-s", "1450", "10.0.0.3"]);
  assert.equal(code, 1);
  // The first is a miss: flows are found by shard, and each ping has an identifier of its own.
  assert.equal((agent.upcalls[2] as number) - before, 2);
  assert.equal((await vm(1).space.exec(["ping", "-c", "1", "-W", "1", "-M", "do", "-s", "1422", "10.0.0.3"])).code, 0);
});

test("frames to an unknown key, of a reserved kind and from no peer are dropped and counted", async () => {
  const [a, b] = sides as [Side, Side];
  a.agent.learn(3, actionOf([ACTION_TUNNEL, 1, 0x99999]));
  await vm(2).space.exec(["ping", "-c", "1", "-W", "1", "10.0.0.3"]);
  a.agent.learn(4, actionOf([ACTION_TUNNEL, 1, 5 << TUNNEL_KIND_SHIFT]));
  await vm(2).space.exec(["ping", "-c", "1", "-W", "1", "10.0.0.4"]);
  unwrap(await b.host.datapath.setPeers([]));
  await vm(1).space.exec(["ping", "-c", "1", "-W", "1", "10.0.0.4"]);
  const reasons = new Set(b.host.datapath.drops().map((drop) => drop.reason));
  for (const reason of ["unknown-tunnel-key", "reserved-tunnel-kind", "unknown-peer"] as const) {
    assert.ok(reasons.has(dropCode(reason)), `${reason}: ${[...reasons]}`);
  }
});
