import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { Prng } from "../../src/base/prng.ts";
import { unwrap } from "../../src/base/result.ts";
import { sleep, systemScheduler } from "../../src/base/scheduler.ts";
import { bridgeOf } from "../../src/lab/plan.ts";
import { Layout } from "../../src/store/recipes/layout.ts";
import { connectZooKeeper } from "../../src/zookeeper/connect.ts";
import { needs } from "../needs.ts";
import { Cloud } from "./cloud.ts";
import { FuzzSender, randomFlows } from "./frame-source.ts";

/** Malformed and valid frames, mixed. */
const FUZZ_FRAMES = 10_000;
/** What an agent may grow by while it is fuzzed and flooded: flow bookkeeping and parked packets, with room; no leak per frame. */
const GROWTH_KB = 96 * 1024;
const FLOOD_MS = 3_000;
const PROBES = 12;

const skip = needs("root", "bpffs", "libbpf", "clang", "libbpf-dev", "ping");

describe("bad input at the agents", { skip, timeout: 180_000 }, () => {
  let cloud: Cloud;

  before(async () => {
    cloud = Cloud.build();
    await cloud.serve();
  });

  after(async () => {
    await cloud?.down();
  });

  it("malformed frames of every kind: counted with reasons, no growth, and neighbors do not notice", async () => {
    await reached(cloud, "vm3", "vm4");
    await reached(cloud, "vm1", "vm2");
    const before = memoryKb(cloud.pid("agent-h1"));
    const sender = FuzzSender.open(cloud, "vm1", new Prng(1));
    const pings = cloud.run("vm3", `ping -c 10 -i 0.2 -W 5 ${cloud.vm("vm4").v4}`);
    for (let sent = 0; sent < FUZZ_FRAMES; sent += sender.batch()) await sleep(systemScheduler, 1);
    sender.close();
    const { output } = await pings;
    assert.match(output, / 0% packet loss/, output);
    const { portId } = cloud.vm("vm1");
    await cloud.eventually("drops are counted for the port", async () => {
      const drops = await cloud.drops("h1", portId);
      return drops.size >= 3 && (drops.get("malformed") ?? 0) > 100;
    });
    for (const reason of (await cloud.drops("h1")).keys()) assert.doesNotMatch(reason, /^unknown-/);
    await reached(cloud, "vm1", "vm2");
    assertGrowth(cloud, before);
  });

  it("a VM that floods new flows does not keep another's first packets from being answered", async () => {
    const targets = Array.from({ length: PROBES }, (_, i) => `10.1.1.${100 + i}`);
    for (const target of targets) unwrapRun(await cloud.run("vm2", `ip addr add ${target}/32 dev eth0`));
    await reached(cloud, "vm3", "vm2");
    const before = memoryKb(cloud.pid("agent-h1"));
    const upcalls = await metric(cloud, "weft_worker_upcalls");
    const refused = async (vm: string): Promise<number> =>
      (await cloud.drops("h1", cloud.vm(vm).portId)).get("upcall-budget") ?? 0;
    const [refusedBefore, vm3Before] = [await refused("vm1"), await refused("vm3")];
    const flood = randomFlows(cloud, "vm1", { prng: new Prng(2), forMs: FLOOD_MS });
    // Each target is a new flow, and a neighbor that the router has yet to ask for. One ping each: a lost one stays lost.
    for (const target of targets) {
      const { output } = await cloud.run("vm3", `ping -c 1 -W 10 ${target}`);
      assert.match(output, / 0% packet loss/, output);
    }
    const sent = await flood;
    assert.ok((await metric(cloud, "weft_worker_upcalls")) - upcalls > 1_000, "the flood reached the worker");
    assert.ok(sent > 10_000, `${sent} frames`);
    assert.ok((await refused("vm1")) > refusedBefore, "the flooding port met its budget");
    assert.equal(await refused("vm3"), vm3Before);
    assertGrowth(cloud, before);
  });

  it("an interface that vanishes, comes back, goes down and up: inactive with a reason, then works again by itself", async () => {
    const { portId, v4, mac } = cloud.vm("vm1");
    await reached(cloud, "vm2", "vm1");
    unwrapRun(await cloud.run("h1", "ip link del vm1"));
    await cloud.eventually("the port is absent", async () => (await cloud.portState("h1", portId)) === "absent");
    await cloud.eventually("the other host drops with the reason", async () => {
      await cloud.pings("vm2", v4);
      return ((await cloud.drops("h2")).get("port-inactive") ?? 0) > 0;
    });
    // Interface and addresses as the lab made them.
    await plugAgain(cloud, "vm1", mac);
    await cloud.eventually("the port is up again", async () => (await cloud.portState("h1", portId)) === "up");
    await reached(cloud, "vm2", "vm1");
    unwrapRun(await cloud.run("h1", "ip link set vm1 down"));
    await cloud.eventually("the port is down", async () => (await cloud.portState("h1", portId)) === "down");
    unwrapRun(await cloud.run("h1", "ip link set vm1 up"));
    await reached(cloud, "vm2", "vm1");
  });

  it("an interface on which the host has an address or a default route is refused with that sentence", async () => {
    const { portId } = cloud.vm("vm3");
    await reached(cloud, "vm4", "vm3");
    for (const [name, setting] of [
      ["ext0", "ip addr add 198.51.100.1/24 dev ext0"],
      ["ext1", "ip route add default dev ext1"],
    ] as const) {
      unwrapRun(await cloud.run("h1", `ip link add ${name} type veth peer name ${name}p; ip link set ${name} up`));
      unwrapRun(await cloud.run("h1", `ip link set ${name}p up; ${setting}`));
      await rebind(cloud, "vm3", name);
      await cloud.eventually(`${name} is refused`, async () => (await cloud.portState("h1", portId)) === "refused");
      assert.match(cloud.log("agent-h1"), new RegExp(`interface ${name} cannot be bound: .*(address|default route)`));
      const { output } = await cloud.run("h1", `ip link show ${name}`);
      assert.match(output, /state UP/, "it was left as it was");
    }
    await rebind(cloud, "vm3", "vm3");
    await reached(cloud, "vm4", "vm3");
    unwrapRun(await cloud.run("h1", "ip link del ext0; ip link del ext1"));
  });

  it("a second agent with the same host id is refused, and told who holds it", async () => {
    const { netns, args } = cloud.agentPlan("h2");
    const own = ["--api-socket", cloud.path("second.sock"), "--state-folder", cloud.path("second.state")];
    const second = cloud.launch({ name: "second", main: "agent", netns, args: [...args, ...own] });
    assert.equal(await second.ended, "ended with 1");
    const sentence = sentencesOf(cloud.log("second"));
    assert.equal(sentence.length, 1, sentence.join("\n"));
    assert.match(
      sentence[0] ?? "",
      /in use by another agent \(at unix:\S*h2\.sock, session 0x[0-9a-f]+\): stop that one/,
    );
    assert.equal((await cloud.status("h2")).isStoreConnected, true);
    await reached(cloud, "vm1", "vm2");
  });

  it("a damaged document: the agent says which object, goes on with what it knew, and takes the repaired one", async (t) => {
    const { portId } = cloud.vm("vm2");
    const tree = unwrap(await connectZooKeeper({ servers: [cloud.store] }));
    t.after(() => tree.close());
    const path = new Layout().object("port", portId);
    const sound = unwrap(await tree.get(path));
    for (const junk of ["{", '{"v":1,"kind":"port"}', "\u0000\u0001"]) {
      const said = cloud.log("agent-h2").length;
      unwrap(await tree.set(path, new TextEncoder().encode(junk), -1));
      await cloud.eventually(
        "the agent names the object",
        () =>
          cloud.log("agent-h2").slice(said).includes(portId) && cloud.log("agent-h2").slice(said).includes("damaged"),
      );
    }
    await reached(cloud, "vm3", "vm2");
    // So it does when it is started again: what it knew is in its snapshot.
    for (let i = 0; i < 2; i++) {
      await cloud.startAgent("h2", ["--takeover"]);
      await cloud.eventually("it names the object", () => {
        const said = cloud.log("agent-h2").split("agent.takeover").at(-1) ?? "";
        return said.includes(portId) && said.includes("object.damaged");
      });
      await reached(cloud, "vm3", "vm2");
      await reached(cloud, "vm4", "vm2");
    }
    unwrap(await tree.set(path, sound.data, -1));
    unwrap(await cloud.client.patch("port", portId, { isUp: false }));
    await cloud.eventually("the next change arrives", async () => !(await cloud.pings("vm1", cloud.vm("vm2").v4)));
    unwrap(await cloud.client.patch("port", portId, { isUp: true }));
    await reached(cloud, "vm1", "vm2");
  });

  it("kill -9 of an agent: warm flows go on; it comes back under its id, takes the flows over, and new ones work", async () => {
    await reached(cloud, "vm1", "vm2");
    await reached(cloud, "vm3", "vm2");
    // One ping process: another one's packets would be another flow.
    const before = await metric(cloud, "weft_worker_flows_installed");
    const pings = cloud.run("vm1", `ping -c 20 -i 0.1 -W 5 ${cloud.vm("vm2").v4}`);
    await cloud.eventually(
      "the flow is there",
      async () => (await metric(cloud, "weft_worker_flows_installed")) > before,
    );
    await cloud.kill("agent-h1");
    const { output } = await pings;
    assert.match(output, / 0% packet loss/, output);
    await cloud.startAgent("h1");
    await cloud.eventually("flows of the earlier process were simulated again", async () => {
      // Those whose learned addresses went with the old session are removed: their next packet teaches anew.
      return (await metric(cloud, "weft_worker_flows_resimulated")) > 0;
    });
    await cloud.allActive();
    await reached(cloud, "vm1", "vm2");
    await reached(cloud, "vm3", "vm1");
    await reached(cloud, "vm4", "vm1");
  });

  it("kill -9 of the store: forwarding goes on; later changes arrive", async () => {
    const { portId } = cloud.vm("vm4");
    const { v6 } = cloud.vm("vm4");
    for (const from of ["vm1", "vm2", "vm3"]) await reached(cloud, from, "vm4");
    // The router learns both ends' IPv6 addresses from others: the flow between them is never made before the store dies.
    await cloud.eventually("vm4's IPv6 address is known", () => cloud.pings("vm1", v6));
    await cloud.eventually("and vm2's", () => cloud.pings("vm3", cloud.vm("vm2").v6));
    // A trace is a walk without consequences: it shows what their hosts have heard of the others' learning.
    await cloud.eventually("its host knows the way", () => knowsWay(cloud, "vm2", "vm4"));
    await cloud.eventually("and back", () => knowsWay(cloud, "vm4", "vm2"));
    await cloud.kill("store");
    await cloud.eventually("the agents notice", async () => !(await cloud.status("h1")).isStoreConnected);
    await reached(cloud, "vm1", "vm4");
    assert.ok(await cloud.pings("vm2", v6), "a flow that was never there");
    await cloud.startStore();
    await cloud.eventually("the agents are back", async () => (await cloud.status("h1")).isStoreConnected);
    await cloud.eventually(
      "the API is back",
      async () => (await cloud.client.patch("port", portId, { isUp: false })).ok,
    );
    await cloud.eventually("the change arrives", async () => !(await cloud.pings("vm3", cloud.vm("vm4").v4)));
    await cloud.eventually("and back", async () => (await cloud.client.patch("port", portId, { isUp: true })).ok);
    await cloud.allActive();
    await reached(cloud, "vm1", "vm4");
  });

  it("stopped agents leave no device, no program and no pinned map", async () => {
    for (const { name, id } of cloud.plan.hosts) {
      await cloud.stop(`agent-${name}`);
      assert.deepEqual((await cloud.run(name, "ip -o link")).output.match(/weft-(inject|tunnel)/g), null);
      assert.ok(!existsSync(`/sys/fs/bpf/weft/${cloud.plan.id}/${id}`));
      for (const vm of cloud.plan.vms.filter((one) => one.hostName === name))
        assert.doesNotMatch((await cloud.run(name, `tc filter show dev ${vm.name} ingress`)).output, /vport_ingress/);
    }
  });
});

/** One ping that is answered, however often it has to be tried. */
async function reached(cloud: Cloud, from: string, to: string): Promise<void> {
  await cloud.eventually(`${from} reaches ${to}`, () => cloud.pings(from, cloud.vm(to).v4));
}

/** True when an IPv6 packet between two VMs would be forwarded at once, with nothing left to be learned. */
async function knowsWay(cloud: Cloud, from: string, to: string): Promise<boolean> {
  const { portId, mac, v6 } = cloud.vm(from);
  const packet = { sourceMac: mac, source: v6, destination: cloud.vm(to).v6 };
  const walk = await cloud.client.trace({ portId, packet });
  return walk.ok && walk.value.verdict === "forward";
}

function unwrapRun({ code, output }: { readonly code: number; readonly output: string }): void {
  assert.equal(code, 0, output);
}

function memoryKb(pid: number): number {
  const [, kb] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kb);
}

function assertGrowth(cloud: Cloud, before: number): void {
  const grown = memoryKb(cloud.pid("agent-h1")) - before;
  assert.ok(grown < GROWTH_KB, `grown by ${grown} kB`);
}

async function metric(cloud: Cloud, name: string): Promise<number> {
  const { metrics = [] } = await cloud.status("h1");
  return metrics.find((one) => one.name === name)?.value ?? 0;
}

/** Binds a VM's port to another interface of its host. */
async function rebind(cloud: Cloud, name: string, interfaceName: string): Promise<void> {
  const { portId, hostName } = cloud.vm(name);
  unwrap(await cloud.client.unbind(portId));
  unwrap(await cloud.client.bind(portId, { hostId: cloud.host(hostName).id, interfaceName }));
}

/** Lines that are no log records. */
function sentencesOf(log: string): readonly string[] {
  return log.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("{"));
}

/** Makes a VM's interface anew, after its host end was deleted. */
async function plugAgain(cloud: Cloud, name: string, mac: string): Promise<void> {
  const vm = cloud.vm(name);
  const bridge = bridgeOf(cloud.plan, vm);
  const { vmMtu } = cloud.plan;
  const ends = `ip link add ${name} mtu ${vmMtu} type veth peer name eth0 mtu ${vmMtu} address ${mac} netns ${vm.namespace}`;
  unwrapRun(await cloud.run(vm.hostName, `${ends} && ip link set ${name} up`));
  const inside = [
    `ip addr add ${vm.v4}/24 dev eth0; ip addr add ${vm.v6}/64 dev eth0 nodad; ip link set eth0 up`,
    `ip route add default via ${bridge.v4Gateway}; ip -6 route add default via ${bridge.v6Gateway}`,
  ];
  unwrapRun(await cloud.run(name, inside.join("; ")));
}
