import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { parseIp } from "../../src/addr/ip.ts";
import { parsePrefix } from "../../src/addr/prefix.ts";
import { HOST_ALIVE_KEY, PORT_ACTIVE_KEY } from "../../src/api-schema/agent-api.ts";
import { Prng } from "../../src/base/prng.ts";
import { unwrap } from "../../src/base/result.ts";
import type { TopologyObject } from "../../src/model/objects.ts";
import { Layout } from "../../src/store/recipes/layout.ts";
import type { Tree } from "../../src/store/tree.ts";
import { SimCloud } from "../../src/weftsim/cloud.ts";
import { Lifetime } from "../../src/weftsim/lifetime.ts";
import { SESSION_TIMEOUT_MS } from "../../src/weftsim/limits.ts";
import { uuid } from "./topologies.ts";

const layout = new Layout();
/** Two VMs of one bridge on h1, one on h2. */
const VMS = [
  { name: "vm1", host: 0, address: "10.0.0.1" },
  { name: "vm2", host: 0, address: "10.0.0.2" },
  { name: "vm3", host: 1, address: "10.0.0.3" },
] as const;

class OneBridge {
  readonly cloud = new SimCloud({ seed: 5 });
  readonly #prng = new Prng(6);
  readonly hosts = ["h1", "h2"].map((name, i) => ({
    id: uuid(this.#prng),
    name,
    address: `192.0.2.${i + 1}`,
    workers: 2,
  }));
  readonly ports = VMS.map(() => uuid(this.#prng));
  #sequence = 0;

  async start(): Promise<void> {
    const { cloud } = this;
    for (const host of this.hosts) cloud.addHost(host);
    await cloud.start();
    await cloud.change(this.#objects().map((object) => ({ op: "create", object })));
    for (const [i, { name, host, address }] of VMS.entries()) {
      const addresses = [{ prefix: unwrap(parsePrefix(`${address}/24`)) }];
      cloud.addVm(`h${host + 1}`, { name, mac: 0x0200_0000_0001 + i, addresses, vlan: 0, mtu: 1400 });
    }
    await cloud.settle();
    assert.ok(await this.reaches("vm1", "10.0.0.3"));
    // Its snapshot is written some time after the last change.
    await cloud.run(10_000);
  }

  /** Whether one echo of some is answered within a second. */
  async reaches(from: string, to: string, attempts = 3): Promise<boolean> {
    const vm = this.cloud.vm(from);
    for (let i = 0; i < attempts; i++) {
      const count = vm.received.length;
      vm.ping({ to: unwrap(parseIp(to)), payload: new Uint8Array(8) }, 7, this.#sequence++);
      await this.cloud.run(500);
      if (vm.received.slice(count).some(({ what }) => what === "echo-reply")) return true;
    }
    return false;
  }

  /** Session that holds h1's key, 0n when nobody does. */
  aliveOwner(): bigint {
    return this.#owner(layout.state("host", HOST_ALIVE_KEY, this.hosts[0]?.id ?? ""));
  }

  activeOf(vm: number): string | undefined {
    const node = this.cloud.store.tree.get(layout.state("port", PORT_ACTIVE_KEY, this.ports[vm] ?? ""));
    return node.ok ? new TextDecoder().decode(node.value.data) : undefined;
  }

  /** Paths of everything under our root. */
  content(): readonly string[] {
    return this.#walk("/weft");
  }

  /** Deletes everything, deepest first, as the stock CLI does; the value is what was persistent. */
  async empty(isReversed: boolean): Promise<readonly (readonly [string, Uint8Array])[]> {
    const tree = this.#operator();
    const paths = this.content();
    const kept = paths.flatMap((path): (readonly [string, Uint8Array])[] => {
      const node = this.cloud.store.tree.get(path);
      return node.ok && node.value.stat.ephemeralOwner === 0n ? [[path, node.value.data.slice()]] : [];
    });
    const depth = (path: string): number => path.split("/").length;
    const order = isReversed ? [...paths].reverse() : paths;
    for (const path of [...order].sort((a, b) => depth(b) - depth(a))) await this.cloud.until(tree.remove(path));
    await this.cloud.until(tree.close());
    return kept;
  }

  /** Brings back what was persistent, the layout last. */
  async restore(kept: readonly (readonly [string, Uint8Array])[]): Promise<void> {
    const tree = this.#operator();
    const last = (path: string): number => (path === "/weft/layout" ? 1 : 0);
    for (const [path, data] of [...kept].sort((a, b) => last(a[0]) - last(b[0]) || (a[0] < b[0] ? -1 : 1)))
      await this.cloud.until(tree.create(path, data));
    await this.cloud.until(tree.close());
  }

  async put(path: string, text: string): Promise<void> {
    const tree = this.#operator();
    await this.cloud.until(tree.create(path, new TextEncoder().encode(text)));
    await this.cloud.until(tree.close());
  }

  #operator(): Tree {
    const process = new Lifetime(this.cloud.scheduler);
    return this.cloud.store.connect({ timeoutMs: 30_000, process, place: "operator" });
  }

  #walk(path: string): readonly string[] {
    const list = this.cloud.store.tree.children(path);
    if (!list.ok) return [];
    return [path, ...[...list.value.names].sort().flatMap((name) => this.#walk(`${path}/${name}`))];
  }

  logged(event: string): number {
    return this.cloud.log.lines.filter((line) => JSON.stringify(line).includes(`"${event}"`)).length;
  }

  #owner(path: string): bigint {
    const node = this.cloud.store.tree.get(path);
    return node.ok ? node.value.stat.ephemeralOwner : 0n;
  }

  #objects(): readonly TopologyObject[] {
    const members = this.hosts.map(({ id, address }) => ({ hostId: id, address }));
    const bridgeId = uuid(this.#prng);
    const base = { tenant: "t", isUp: true } as const;
    return [
      { kind: "tunnel-zone", id: uuid(this.#prng), name: "z", mtu: 1500, members },
      { ...base, kind: "bridge", id: bridgeId, name: "net", portIds: [] },
      ...VMS.map(({ name, host }, i): TopologyObject => {
        const binding = { hostId: this.hosts[host]?.id ?? "", interfaceName: name, generation: 1 };
        return { ...base, kind: "port", deviceKind: "bridge", id: this.ports[i] ?? "", bridgeId, binding };
      }),
    ];
  }
}

describe("the life of an agent", () => {
  let net: OneBridge;

  beforeEach(async () => {
    net = new OneBridge();
    await net.start();
  });

  afterEach(() => net.cloud.close());

  it("takes session and tunnel keys up after a kill, without waiting for anybody", async () => {
    const host = net.cloud.host("h1");
    const before = [net.aliveOwner(), net.activeOf(0), net.activeOf(1)];
    assert.notEqual(before[0], 0n);
    host.kill();
    await net.cloud.until(host.start());
    await net.cloud.settle();
    assert.deepEqual([net.aliveOwner(), net.activeOf(0), net.activeOf(1)], before);
    assert.equal(net.logged("host.id.waiting"), 0);
    assert.ok(await net.reaches("vm3", "10.0.0.1"));
  });

  it("opens a new session when the old one is over, and keeps its tunnel keys", async () => {
    const host = net.cloud.host("h1");
    const before = net.activeOf(0);
    const owner = net.aliveOwner();
    host.kill();
    await net.cloud.run(2 * SESSION_TIMEOUT_MS);
    assert.equal(net.activeOf(0), undefined);
    await net.cloud.until(host.start());
    await net.cloud.settle();
    assert.notEqual(net.aliveOwner(), owner);
    assert.equal(net.activeOf(0), before);
  });

  it("takes back in words what it published before a kill and does not forward any more", async () => {
    const host = net.cloud.host("h1");
    host.kill();
    host.setLink("vm1", false);
    await net.cloud.until(host.start());
    await net.cloud.run(90_000);
    assert.match(net.activeOf(0) ?? "", /"isActive":false/);
    assert.doesNotMatch(net.activeOf(1) ?? "", /isActive/);
  });

  it("starts from its snapshot while the store is away: old flows, new ones, and what only this host can learn", async () => {
    const host = net.cloud.host("h1");
    host.isolateStore();
    host.kill();
    await net.cloud.until(host.start());
    assert.equal(net.logged("store.away"), 1);
    assert.ok((await status(net)).snapshotAt !== undefined);
    assert.ok(await net.reaches("vm1", "10.0.0.3"), "an old flow");
    assert.ok(await net.reaches("vm1", "10.0.0.2"), "a flow that was never there");
    await net.cloud.run(3 * SESSION_TIMEOUT_MS);
    assert.ok(await net.reaches("vm2", "10.0.0.1"), "another, when the session is long over");
    host.rejoinStore();
    await net.cloud.settle();
    assert.equal(net.logged("store.back"), 1);
    assert.equal((await status(net)).snapshotAt, undefined);
    assert.notEqual(net.aliveOwner(), 0n);
    assert.ok(await net.reaches("vm3", "10.0.0.1"));
  });

  it("lets go of what was removed while it was away, when the store is back", async () => {
    const host = net.cloud.host("h1");
    host.isolateStore();
    host.kill();
    await net.cloud.change([{ op: "delete", kind: "port", id: net.ports[1] ?? "" }]);
    await net.cloud.until(host.start());
    assert.ok(await net.reaches("vm1", "10.0.0.2"), "from the snapshot");
    host.rejoinStore();
    await net.cloud.settle();
    assert.ok(!(await net.reaches("vm1", "10.0.0.2")), "the store's truth");
    assert.ok(await net.reaches("vm1", "10.0.0.3"));
  });

  it("learns addresses while the store is away, though nobody but this host can know", async () => {
    const host = net.cloud.host("h1");
    host.isolateStore();
    await net.cloud.run(3 * SESSION_TIMEOUT_MS);
    assert.ok(await net.reaches("vm2", "10.0.0.1"));
    const known = [...host.running.mapLines()].flatMap(([map, lines]) => (map.startsWith("fdb/") ? lines : []));
    assert.equal(known.filter((line) => line.includes(net.ports[1] ?? "")).length, 1);
    host.rejoinStore();
    await net.cloud.settle();
    assert.equal(host.running.mapLines().size > 0, true);
    assert.ok(await net.reaches("vm3", "10.0.0.2"));
  });
  for (const order of ["ours first", "theirs first"] as const) {
    it(`holds what it forwards when the store is emptied, and registers anew when it is restored: ${order}`, async () => {
      const before = net.activeOf(0);
      const backup = await net.empty(order === "theirs first");
      await net.cloud.run(30_000);
      assert.equal(net.logged("store.emptied"), 2, "once on each host");
      assert.deepEqual(
        net.content().filter((path) => path !== "/weft"),
        [],
        "nothing is written",
      );
      assert.ok(await net.reaches("vm1", "10.0.0.3"), "an old flow");
      assert.ok(await net.reaches("vm2", "10.0.0.3"), "and another");
      assert.equal(net.cloud.host("h1").running.failure, undefined);
      await net.restore(backup);
      await net.cloud.run(30_000);
      assert.equal(net.logged("store.restored"), 2);
      assert.equal(net.activeOf(0), before);
      assert.notEqual(net.aliveOwner(), 0n);
      assert.ok(await net.reaches("vm3", "10.0.0.2"));
      await net.cloud.change([{ op: "delete", kind: "port", id: net.ports[1] ?? "" }]);
      await net.cloud.run(5_000);
      assert.ok(!(await net.reaches("vm1", "10.0.0.2")), "what is removed then goes");
    });
  }

  it("keeps what hosts have learned when its agent starts again while the store is emptied", async () => {
    const host = net.cloud.host("h1");
    const learned = (): readonly string[] => [...host.running.mapLines()].map(String).sort();
    const before = learned();
    assert.ok(
      before.some((line) => line.startsWith("fdb/") && line.includes("{")),
      before.join("\n"),
    );
    const backup = await net.empty(false);
    await net.cloud.run(30_000);
    assert.deepEqual(learned(), before);
    host.kill();
    await net.cloud.until(host.start());
    await net.cloud.run(30_000);
    assert.deepEqual(learned(), before);
    assert.ok(await net.reaches("vm1", "10.0.0.3"));
    await net.restore(backup);
    await net.cloud.run(30_000);
    assert.ok(await net.reaches("vm2", "10.0.0.3"));
    assert.ok(await net.reaches("vm3", "10.0.0.1"));
  });

  it("takes a store that was begun anew without this host for an emptied one, also when it starts", async () => {
    const host = net.cloud.host("h1");
    host.kill();
    const backup = await net.empty(false);
    await net.put("/weft", "");
    await net.put("/weft/layout", '{"layout":1}');
    await net.cloud.until(host.start());
    assert.ok(await net.reaches("vm1", "10.0.0.2"), "from the snapshot");
    assert.deepEqual(
      net.content().filter((path) => path.startsWith("/weft/objects/hosts/")),
      [],
    );
    await net.empty(false);
    await net.restore(backup);
    await net.cloud.run(30_000);
    assert.notEqual(net.aliveOwner(), 0n);
    assert.ok(await net.reaches("vm3", "10.0.0.1"));
  });
});

async function status(net: OneBridge): Promise<{ readonly snapshotAt?: number }> {
  return net.cloud.until(net.cloud.host("h1").running.state.status());
}
