import assert from "node:assert/strict";
import { rmSync, statSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { HOST_ALIVE_KEY, PORT_ACTIVE_KEY, parsePortActive } from "../../src/api-schema/agent-api.ts";
import { unwrap } from "../../src/base/result.ts";
import { bridgeOf } from "../../src/lab/plan.ts";
import { Layout } from "../../src/store/recipes/layout.ts";
import { connectZooKeeper } from "../../src/zookeeper/connect.ts";
import { needs } from "../needs.ts";
import { Cloud } from "./cloud.ts";

const skip = needs("root", "bpffs", "libbpf", "clang", "libbpf-dev", "ping");
const layout = new Layout();

describe("the life of an agent", { skip, timeout: 180_000 }, () => {
  let cloud: Cloud;

  before(async () => {
    cloud = Cloud.build();
    await cloud.serve();
  });

  after(async () => {
    await cloud?.down();
  });

  it("kill -9: the next agent takes up session, keys and what was learned, and waits for nobody", async () => {
    await reached(cloud, "vm1", "vm2");
    const before = await claims(cloud, "h1");
    assert.ok(before.alive !== 0n && before.learned.length > 0);
    assert.equal(statSync(cloud.path("h1.state")).mode & 0o777, 0o700);
    assert.equal(statSync(cloud.path("h1.state/journal")).mode & 0o777, 0o600);
    await cloud.kill("agent-h1");
    await cloud.startAgent("h1");
    assert.doesNotMatch(cloud.log("agent-h1"), /host\.id\.waiting/);
    await cloud.allActive();
    assert.deepEqual(await claims(cloud, "h1"), before);
    await reached(cloud, "vm1", "vm2");
    await reached(cloud, "vm4", "vm1");
  });

  it("two agents never speak under one session: the second is told who has the folder", async () => {
    const { netns, args } = cloud.agentPlan("h1");
    const second = cloud.launch({
      name: "second",
      main: "agent",
      netns,
      args: [...args, "--api-socket", cloud.path("second.sock")],
    });
    assert.equal(await second.ended, "ended with 1");
    assert.match(cloud.log("second"), new RegExp(`state-folder.*agent of host .*process ${cloud.pid("agent-h1")}`));
  });

  it("starts from its snapshot while the store is away, and says since when it is", async () => {
    const { lan, far } = neighbors(cloud);
    await reached(cloud, "vm1", far);
    await reached(cloud, lan, "vm1");
    const began = Date.now();
    await cloud.eventually(
      "a snapshot is written",
      () => statSync(cloud.path("h1.state/snapshot")).mtimeMs > began - 10_000,
    );
    await cloud.eventually("with all that is known", () => Date.now() > began + 3_000);
    await cloud.kill("store");
    await cloud.kill("agent-h1");
    await cloud.startAgent("h1");
    assert.match(cloud.log("agent-h1"), /store\.away/);
    const { snapshotAt = 0, isStoreConnected } = await cloud.status("h1");
    assert.ok(!isStoreConnected && snapshotAt > began - 60_000 && snapshotAt <= Date.now());
    await reached(cloud, "vm1", far);
    await reached(cloud, "vm1", lan);
    unwrapRun(
      await cloud.run("vm1", `ip addr add 10.1.1.77/24 dev eth0; ping -c 3 -W 2 -I 10.1.1.77 ${cloud.vm(lan).v4}`),
    );
    await cloud.startStore();
    await cloud.eventually(
      "the store's word counts again",
      async () => (await cloud.status("h1")).snapshotAt === undefined,
    );
    await cloud.allActive();
    await reached(cloud, far, "vm1");
  });

  it("a store whose data are lost: forwarding goes on, nothing is written; restored, everything is registered anew", async () => {
    const { lan, far } = neighbors(cloud);
    for (const to of [lan, far]) await reached(cloud, "vm1", to);
    const before = await claims(cloud, "h1");
    const backup = await persistent(cloud);
    await cloud.kill("store");
    rmSync(cloud.path("store"), { recursive: true });
    await cloud.startStore();
    for (const name of ["agent-h1", "agent-h2"])
      await cloud.eventually(`${name} sees it`, () => cloud.log(name).includes("store.emptied"));
    for (const to of [lan, far]) assert.ok(await cloud.pings("vm1", cloud.vm(to).v4), to);
    assert.deepEqual([...(await persistent(cloud)).keys()], []);
    assert.ok((await cloud.status("h1")).ports.every(({ state }) => state === "up"));
    await restore(cloud, backup);
    for (const name of ["agent-h1", "agent-h2"])
      await cloud.eventually(`${name} sees it`, () => cloud.log(name).includes("store.restored"));
    await cloud.allActive();
    await cloud.eventually("the host's keys are back", async () => (await claims(cloud, "h1")).alive !== 0n);
    const keysOf = ({ ports }: Claims): readonly (string | undefined)[] => ports.map((line) => line.split(" ")[1]);
    assert.deepEqual(keysOf(await claims(cloud, "h1")), keysOf(before));
    for (const from of [lan, far]) await reached(cloud, from, "vm1");
  });

  it("a store that is emptied under everybody's session: nobody makes anything, a new agent neither; restored, hosts know each other", async () => {
    const backup = await persistent(cloud);
    assert.ok(backup.has(layout.secret));
    // Who stands for election takes its place again while its folder is there: the second time it is not.
    for (let time = 0; time < 2; time++) await deleteAll(cloud);
    for (const name of ["agent-h1", "agent-h2"])
      await cloud.eventually(`${name} sees it`, () => lastOf(cloud.log(name)) === "store.emptied");
    await cloud.startAgent("h1", ["--takeover"]);
    assert.notEqual((await cloud.status("h1")).snapshotAt, undefined, "it goes on from its snapshot");
    assert.deepEqual([...(await persistent(cloud)).keys()], []);
    await restore(cloud, backup);
    for (const name of ["agent-h1", "agent-h2"])
      await cloud.eventually(`${name} sees it`, () => lastOf(cloud.log(name)) === "store.restored");
    assert.deepEqual((await persistent(cloud)).get(layout.secret), backup.get(layout.secret));
    await cloud.allActive();
    const refused = (): Promise<readonly (number | undefined)[]> =>
      Promise.all(["h1", "h2"].map(async (name) => (await cloud.drops(name)).get("keep-alive-refused")));
    const before = await refused();
    for (const name of ["h1", "h2"])
      await cloud.eventually(`${name} has an answer of the other`, () => isHeard(cloud, name));
    assert.deepEqual(await refused(), before);
  });

  it("a secret that somebody has replaced reaches the agents that run, and one that is damaged is told with what to do", async (t) => {
    const tree = unwrap(await connectZooKeeper({ servers: [cloud.store] }));
    t.after(() => tree.close());
    unwrap(await tree.set(layout.secret, new TextEncoder().encode("5".repeat(32))));
    await cloud.kill("agent-h1");
    await cloud.startAgent("h1");
    await cloud.eventually("h1 asks with another secret", async () => refusedAt(cloud, "h2"));
    await cloud.eventually("both have the new one", async () =>
      (await Promise.all(["h1", "h2"].map((name) => isHeard(cloud, name)))).every(Boolean),
    );
    unwrap(await tree.set(layout.secret, new TextEncoder().encode("xyz")));
    await cloud.kill("agent-h1");
    await cloud.startAgent("h1");
    await cloud.eventually("it says so", () =>
      /keep-alive\.no-secret/.test(cloud.log("agent-h1").split("agent.serving").at(-1) ?? ""),
    );
    assert.match(cloud.log("agent-h1"), /secret does not hold 32 hexadecimal digits: .*weft store restore/);
  });
});

/** Whether the other host counts as alive. */
async function isHeard(cloud: Cloud, hostName: string): Promise<boolean> {
  const { peers = [] } = await cloud.status(hostName);
  return peers.length > 0 && peers.every(({ state }) => state === "alive");
}

async function refusedAt(cloud: Cloud, hostName: string): Promise<boolean> {
  return ((await cloud.drops(hostName)).get("keep-alive-refused") ?? 0) > 0;
}

/** Which of the two was said last. */
function lastOf(log: string): string | undefined {
  return log.match(/store\.emptied|store\.restored/g)?.at(-1);
}

/** What `deleteall` of the stock client does: sessions live on. */
async function deleteAll(cloud: Cloud): Promise<void> {
  const tree = unwrap(await connectZooKeeper({ servers: [cloud.store] }));
  const isThere = unwrap(await tree.exists(layout.root)) !== undefined;
  const all = isThere ? [layout.root] : [];
  for (let i = 0; i < all.length; i++) {
    const read = await tree.children(all[i] as string);
    if (read.ok) all.push(...read.value.names.map((name) => `${all[i]}/${name}`));
  }
  // What is removed by its owner meanwhile is gone as well.
  for (const path of all.reverse()) await tree.remove(path);
  await tree.close();
}

/** Everything under our root that is not ephemeral. */
async function persistent(cloud: Cloud): Promise<ReadonlyMap<string, Uint8Array>> {
  const tree = unwrap(await connectZooKeeper({ servers: [cloud.store] }));
  const found = new Map<string, Uint8Array>();
  const paths = [layout.root];
  for (let path = paths.shift(); path !== undefined; path = paths.shift()) {
    const node = await tree.get(path);
    if (!node.ok || node.value.stat.ephemeralOwner !== 0n) continue;
    found.set(path, node.value.data);
    for (const name of unwrap(await tree.children(path)).names) paths.push(`${path}/${name}`);
  }
  await tree.close();
  return found;
}

/** Brings it back, the layout's node last. */
async function restore(cloud: Cloud, nodes: ReadonlyMap<string, Uint8Array>): Promise<void> {
  const tree = unwrap(await connectZooKeeper({ servers: [cloud.store] }));
  for (const [path, data] of nodes) if (path !== layout.version) unwrap(await tree.create(path, data));
  unwrap(await tree.create(layout.version, nodes.get(layout.version) ?? new Uint8Array(0)));
  await tree.close();
}

function unwrapRun({ code, output }: { readonly code: number; readonly output: string }): void {
  assert.equal(code, 0, output);
}

/** A VM beside vm1 on its host, and one on the other host. */
function neighbors(cloud: Cloud): { readonly lan: string; readonly far: string } {
  const { hostName } = cloud.vm("vm1");
  const lan = cloud.plan.vms.find((vm) => vm.hostName === hostName && vm.name !== "vm1");
  const far = cloud.plan.vms.find((vm) => vm.hostName !== hostName);
  if (lan === undefined || far === undefined) throw new Error("the plan has two hosts with two VMs each");
  return { lan: lan.name, far: far.name };
}

interface Claims {
  readonly alive: bigint;
  /** Owner and tunnel key of the host's ports. */
  readonly ports: readonly string[];
  /** Names and owners of what the host has learned about its VMs' addresses. */
  readonly learned: readonly string[];
}

/** What a host has said in the store, and under which session. */
async function claims(cloud: Cloud, hostName: string): Promise<Claims> {
  const tree = unwrap(await connectZooKeeper({ servers: [cloud.store] }));
  const host = cloud.host(hostName);
  const vms = cloud.plan.vms.filter((vm) => vm.hostName === hostName);
  const alive = await tree.get(layout.state("host", HOST_ALIVE_KEY, host.id));
  const ports = vms.map(async ({ portId }) => {
    const { data, stat } = unwrap(await tree.get(layout.state("port", PORT_ACTIVE_KEY, portId)));
    return `${stat.ephemeralOwner} ${unwrap(parsePortActive(new TextDecoder().decode(data))).tunnelKey}`;
  });
  const learned = vms.map(async (vm) => {
    const folder = layout.map({ kind: "bridge", id: bridgeOf(cloud.plan, vm).id }, "fdb");
    const { names } = unwrap(await tree.children(folder));
    const own = names.filter((name) => name.includes(vm.portId));
    return Promise.all(
      own.map(async (name) => `${name} ${unwrap(await tree.get(`${folder}/${name}`)).stat.ephemeralOwner}`),
    );
  });
  const found = {
    alive: alive.ok ? alive.value.stat.ephemeralOwner : 0n,
    ports: await Promise.all(ports),
    learned: (await Promise.all(learned)).flat().sort(),
  };
  await tree.close();
  return found;
}

/** One ping that is answered, however often it has to be tried. */
async function reached(cloud: Cloud, from: string, to: string): Promise<void> {
  await cloud.eventually(`${from} reaches ${to}`, () => cloud.pings(from, cloud.vm(to).v4));
}
