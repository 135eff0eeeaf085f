import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, it, type TestContext } from "node:test";
import { type AgentStatus, HOST_ALIVE_KEY, PORT_ACTIVE_KEY } from "../../src/api-schema/agent-api.ts";
import { unwrap } from "../../src/base/result.ts";
import { Layout } from "../../src/store/recipes/layout.ts";
import type { ZooKeeperClient } from "../../src/zookeeper/client.ts";
import { needs } from "../needs.ts";
import type { Cloud } from "./cloud.ts";
import { EnsembleRig, type Member } from "./ensemble-rig.ts";
import { ephemeralsBelow } from "./ephemerals.ts";
import { Probe } from "./probe.ts";

const skip = needs("root", "bpffs", "libbpf", "clang", "libbpf-dev", "ping", "ip", "java", "mvn");
const layout = new Layout();

describe("a cloud on an ensemble of three", { skip, timeout: 240_000 }, () => {
  let rig: EnsembleRig;
  let cloud: Cloud;
  /** A session that only looks. */
  let tree: ZooKeeperClient;

  before(async () => {
    rig = await EnsembleRig.start();
    cloud = rig.cloud;
    tree = await rig.look();
    for (const [from, to] of [
      ["vm1", "vm2"],
      ["vm3", "vm4"],
      ["vm4", "vm1"],
      ["vm1", "vm3"],
    ] as const) {
      await cloud.eventually(`${from} reaches ${to}`, () => cloud.pings(from, cloud.vm(to).v4));
    }
  });

  after(async () => {
    tree?.detach();
    await rig?.stop();
  });

  it("the leader is killed: no packet is lost, new flows begin, writes resume, and every session stays", async () => {
    const probe = await Probe.warm(cloud, "vm1", "vm2");
    const sessions = await sessionsOf(cloud, tree);
    const leader = await rig.leader();
    await leader.server.stop("SIGKILL");
    await newFlowsUntil(cloud, written(cloud));
    await probe.goesOn(cloud);
    await connected(cloud);
    assert.deepEqual(await sessionsOf(cloud, tree), sessions);
    await probe.assertNothingLost();
    await rig.heal(leader);
  });

  it("without a quorum forwarding goes on; with one again all that is ephemeral is there, and changes arrive", async () => {
    const probe = await Probe.warm(cloud, "vm1", "vm2");
    const before = await ephemeralsBelow(tree, layout.state());
    assert.ok(before.size >= 6, "two hosts and four ports");
    const dead = rig.members.slice(0, 2);
    const began = Date.now();
    await Promise.all(dead.map(({ server }) => server.stop("SIGKILL")));
    const away = cloud.eventually("both agents say that the store is away", async () =>
      (await statuses(cloud)).every(({ isStoreConnected }) => !isStoreConnected),
    );
    await newFlowsUntil(cloud, away);
    const since = (await statuses(cloud)).map(({ storeAwaySince }) => storeAwaySince ?? 0);
    assert.ok(
      since.every((at) => at >= began && at <= Date.now()),
      `since when: ${since}, killed after ${began}`,
    );
    await newFlows(cloud);
    await probe.goesOn(cloud);
    await rig.heal(...dead);
    await connected(cloud);
    assert.deepEqual(await ephemeralsBelow(tree, layout.state()), before);
    await probe.assertNothingLost();
    await changesArrive(cloud);
  });

  it("an agent is killed and started again: nothing is lost, and its keys are those of the session that it takes up", async (t) => {
    const probe = await Probe.warm(cloud, "vm1", "vm2");
    const before = await ephemeralsBelow(tree, layout.state());
    await cloud.kill("agent-h1");
    await probe.goesOn(cloud);
    const began = performance.now();
    await cloud.startAgent("h1");
    await cloud.eventually("its keys are right", () => keysAreRight(cloud, tree, "h1"));
    say(t, "keys right again after exec of a killed agent", began);
    await cloud.allActive();
    await newFlows(cloud);
    assert.deepEqual(await ephemeralsBelow(tree, layout.state()), before);
    await probe.assertNothingLost();
  });

  it("an agent stands still for longer than its session: its ports are sent to unconfirmed, and are back under a new one", async (t) => {
    const probe = await Probe.warm(cloud, "vm1", "vm2");
    const { alive } = await keysOf(cloud, tree, "h1");
    process.kill(cloud.pid("agent-h1"), "SIGSTOP");
    await cloud.eventually("its keys are gone", async () => {
      const { alive: left, ports } = await keysOf(cloud, tree, "h1");
      return left === undefined && ports.every((owner) => owner === undefined);
    });
    // The datapath of the host answers its peers: the packets arrive, and who owns the ports is open.
    const unconfirmed = async (): Promise<number> => (await cloud.status("h2")).unconfirmed?.length ?? 0;
    await cloud.eventually("the other host says so", async () => (await unconfirmed()) === 2);
    await probe.goesOn(cloud);
    const began = performance.now();
    process.kill(cloud.pid("agent-h1"), "SIGCONT");
    await cloud.eventually("its keys are right", () => keysAreRight(cloud, tree, "h1"));
    say(t, "keys right again after a pause longer than the session", began);
    assert.notEqual((await keysOf(cloud, tree, "h1")).alive, alive);
    await cloud.allActive();
    await cloud.eventually("nothing is unconfirmed", async () => (await unconfirmed()) === 0);
    await newFlows(cloud);
    await probe.assertNothingLost();
  });

  it("a server that stops answering: the session of the agent that it serves moves to another", async () => {
    const probe = await Probe.warm(cloud, "vm1", "vm2");
    const sessions = await sessionsOf(cloud, tree);
    const { member, session } = await servingAnAgent(rig, sessions);
    member.server.signal("SIGSTOP");
    const others = rig.members.filter((one) => one !== member);
    const moved = cloud.eventually("the session moves", async () => {
      const now = await rig.serverOf(session, others);
      return now !== undefined;
    });
    await newFlowsUntil(cloud, moved);
    assert.deepEqual(await sessionsOf(cloud, tree), sessions);
    await written(cloud);
    member.server.signal("SIGCONT");
    await rig.heal();
    await probe.assertNothingLost();
  });

  it("one server after the other is restarted: no session is lost, and no packet", async () => {
    const probe = await Probe.warm(cloud, "vm1", "vm2");
    const before = await ephemeralsBelow(tree, layout.state());
    for (const member of rig.members) {
      await member.server.stop();
      await rig.heal(member);
      await written(cloud);
    }
    await connected(cloud);
    assert.deepEqual(await ephemeralsBelow(tree, layout.state()), before);
    await changesArrive(cloud);
    await probe.assertNothingLost();
  });

  it("a host dies for good: what it published goes, nothing is placed there, and the others do not notice", async () => {
    const probe = await Probe.warm(cloud, "vm1", "vm3");
    const { alive } = await keysOf(cloud, tree, "h2");
    await cloud.run("h2", "ip link set underlay down; ip link set mgmt down");
    await cloud.kill("agent-h2");
    const dead = cloud.plan.vms.filter((vm) => vm.hostName === "h2");
    await cloud.eventually("its peer knows that it is dead", async () => {
      const { peers = [] } = await cloud.status("h1");
      return peers.some(({ hostId, state }) => hostId === cloud.host("h2").id && state === "dead");
    });
    assert.equal((await keysOf(cloud, tree, "h2")).alive, alive, "by keep-alives, long before its session ends");
    await cloud.eventually("nothing of its session is left", async () => {
      const left = [...(await ephemeralsBelow(tree, layout.root)).values()];
      return left.every((owner) => owner !== alive);
    });
    await cloud.eventually("its ports are active no more", async () => {
      const ports = await Promise.all(dead.map(({ portId }) => cloud.client.get("port", portId)));
      return ports.every((port) => port.ok && port.value.isActive === false);
    });
    // What was learned from there has gone with the session: the bridge knows nobody behind that address any more.
    await cloud.eventually("the other host says why it sends nothing there", async () => {
      await cloud.pings("vm1", cloud.vm("vm2").v4);
      return ((await cloud.drops("h1", cloud.vm("vm1").portId)).get("no-recipient") ?? 0) > 0;
    });
    await probe.goesOn(cloud);
    await probe.assertNothingLost();
  });
});

/** Sessions of both agents, by host. */
async function sessionsOf(cloud: Cloud, tree: ZooKeeperClient): Promise<ReadonlyMap<string, bigint>> {
  const sessions = new Map<string, bigint>();
  for (const { name } of cloud.plan.hosts) {
    const { alive } = await keysOf(cloud, tree, name);
    assert.ok(alive !== undefined, `${name} is not alive`);
    sessions.set(name, alive);
  }
  return sessions;
}

/** The sessions that own a host's `alive` key and the `active` keys of its ports. */
async function keysOf(
  cloud: Cloud,
  tree: ZooKeeperClient,
  hostName: string,
): Promise<{ readonly alive: bigint | undefined; readonly ports: readonly (bigint | undefined)[] }> {
  unwrap(await tree.sync("/"));
  const ownerOf = async (...path: Parameters<Layout["state"]>): Promise<bigint | undefined> =>
    unwrap(await tree.exists(layout.state(...path)))?.ephemeralOwner;
  const vms = cloud.plan.vms.filter((vm) => vm.hostName === hostName);
  return {
    alive: await ownerOf("host", HOST_ALIVE_KEY, cloud.host(hostName).id),
    ports: await Promise.all(vms.map(({ portId }) => ownerOf("port", PORT_ACTIVE_KEY, portId))),
  };
}

async function keysAreRight(cloud: Cloud, tree: ZooKeeperClient, hostName: string): Promise<boolean> {
  const { alive, ports } = await keysOf(cloud, tree, hostName);
  if (alive === undefined || ports.some((owner) => owner !== alive)) return false;
  return (await cloud.status(hostName)).isStoreConnected;
}

/** One packet of a new flow for each of some pairs of VMs, on one host and between both; each must be answered. */
async function newFlows(cloud: Cloud): Promise<void> {
  for (const [from, to] of [
    ["vm3", "vm4"],
    ["vm4", "vm1"],
    ["vm1", "vm3"],
  ] as const) {
    const { code, output } = await cloud.run(from, `ping -n -c 1 -W 5 ${cloud.vm(to).v4}`);
    assert.equal(code, 0, `${from} to ${to}: ${output}`);
  }
}

/** New flows, again and again, while something goes on. */
async function newFlowsUntil(cloud: Cloud, done: Promise<void>): Promise<void> {
  let isDone = false;
  const marked = done.finally(() => {
    isDone = true;
  });
  // Who fails first fails the test; the other one must not be left without a reader.
  marked.catch(() => undefined);
  do await newFlows(cloud);
  while (!isDone);
  await marked;
}

/** A write through the API is acknowledged. */
function written(cloud: Cloud): Promise<void> {
  const bridge = { id: randomUUID(), name: `written-${randomUUID()}`, tenant: "lab" };
  return cloud.eventually("writes are acknowledged", async () => (await cloud.client.create("bridge", bridge)).ok);
}

async function connected(cloud: Cloud): Promise<void> {
  await cloud.eventually("both agents are connected", async () =>
    (await statuses(cloud)).every(
      ({ isStoreConnected, storeAwaySince }) => isStoreConnected && storeAwaySince === undefined,
    ),
  );
}

function statuses(cloud: Cloud): Promise<readonly AgentStatus[]> {
  return Promise.all(cloud.plan.hosts.map(({ name }) => cloud.status(name)));
}

/** A change of the topology takes effect on a host, and so does taking it back. */
async function changesArrive(cloud: Cloud): Promise<void> {
  const { portId, v4 } = cloud.vm("vm4");
  const set = (isUp: boolean): Promise<void> =>
    cloud.eventually("the API takes it", async () => (await cloud.client.patch("port", portId, { isUp })).ok);
  await set(false);
  await cloud.eventually("the change arrives", async () => !(await cloud.pings("vm3", v4)));
  await set(true);
  await cloud.eventually("and back", () => cloud.pings("vm3", v4));
}

/** A server with the session of an agent, a follower if there is one. */
async function servingAnAgent(
  rig: EnsembleRig,
  sessions: ReadonlyMap<string, bigint>,
): Promise<{ readonly member: Member; readonly session: bigint }> {
  const followers = await rig.followers();
  const served: { readonly member: Member; readonly session: bigint }[] = [];
  for (const session of sessions.values()) {
    const member = await rig.serverOf(session);
    if (member !== undefined) served.push({ member, session });
  }
  const best = served.find(({ member }) => followers.includes(member)) ?? served[0];
  assert.ok(best !== undefined, "no server knows an agent's session");
  return best;
}

function say(t: TestContext, what: string, began: number): void {
  t.diagnostic(`${what}: ${Math.round(performance.now() - began)} ms`);
}
