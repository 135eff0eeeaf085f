import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { parseIp } from "../../src/addr/ip.ts";
import { parsePrefix } from "../../src/addr/prefix.ts";
import { UNCONFIRMED_MS } from "../../src/agent/core/limits.ts";
import type { LifeState } from "../../src/agent/core/liveness.ts";
import { Prng } from "../../src/base/prng.ts";
import { unwrap } from "../../src/base/result.ts";
import type { TopologyObject } from "../../src/model/objects.ts";
import { SimCloud } from "../../src/weftsim/cloud.ts";
import type { SimHost } from "../../src/weftsim/host.ts";
import { SESSION_TIMEOUT_MS } from "../../src/weftsim/limits.ts";
import { uuid } from "./topologies.ts";

const NAMES = ["h1", "h2", "h3"] as const;

/** One bridge over three hosts with a VM on each. */
class Segment {
  readonly cloud = new SimCloud({ seed: 3 });
  readonly #prng = new Prng(4);
  readonly #specs = NAMES.map((name, i) => ({
    ...{ id: uuid(this.#prng), name, address: `192.0.2.${i + 1}` },
    workers: 1,
  }));
  readonly ports = NAMES.map(() => uuid(this.#prng));

  async start(): Promise<void> {
    const { cloud } = this;
    for (const host of this.#specs) cloud.addHost(host);
    await cloud.start();
    await cloud.change(this.#objects().map((object) => ({ op: "create", object })));
    for (const [i, host] of NAMES.entries()) {
      const addresses = [{ prefix: unwrap(parsePrefix(`10.0.0.${i + 1}/24`)) }];
      cloud.addVm(host, { name: `vm${i + 1}`, mac: 0x0200_0000_0001 + i, addresses, vlan: 0, mtu: 1400 });
    }
    await cloud.settle();
    // Long enough for every idle peer to have been asked.
    await cloud.run(12_000);
    await this.send("vm1", 2, 5);
    await this.send("vm1", 3, 5);
  }

  host(name: string): SimHost {
    return this.cloud.host(name);
  }

  /** What `host` thinks of the datapath of another. */
  lifeOf(host: string, other: string): LifeState | undefined {
    const { core, keepAlives } = this.host(host).running;
    const { id } = this.host(other).spec;
    const [, state] = [...keepAlives.states()].find(([peer]) => core.peers.hostOf(peer) === id) ?? [];
    return state;
  }

  /** Sends `count` packets a tenth of a second apart and returns how many arrived. */
  async send(from: string, to: number, count: number): Promise<number> {
    const { received } = this.cloud.vm(`vm${to}`);
    const before = received.length;
    for (let i = 0; i < count; i++) {
      const payload = Uint8Array.of(i);
      this.cloud.vm(from).sendUdp({ to: unwrap(parseIp(`10.0.0.${to}`)), payload }, 1000, 2000);
      await this.cloud.run(100);
    }
    return received.length - before;
  }

  /** vm1 and vm2 send to each other all the time, for so long. */
  async talk(span: number): Promise<void> {
    for (let passed = 0; passed < span; passed += 20) {
      for (const [from, to] of [
        ["vm1", "10.0.0.2"],
        ["vm2", "10.0.0.1"],
      ] as const)
        this.cloud.vm(from).sendUdp({ to: unwrap(parseIp(to)), payload: Uint8Array.of(0) }, 1000, 2000);
      await this.cloud.run(20);
    }
  }

  #objects(): readonly TopologyObject[] {
    const members = this.#specs.map(({ id, address }) => ({ hostId: id, address }));
    const bridgeId = uuid(this.#prng);
    const base = { tenant: "t", isUp: true } as const;
    const zone: TopologyObject = { kind: "tunnel-zone", id: uuid(this.#prng), name: "z", mtu: 1500, members };
    const bridge: TopologyObject = { ...base, kind: "bridge", id: bridgeId, name: "b", portIds: [] };
    const ports = this.ports.map((id, i): TopologyObject => {
      const binding = { hostId: this.#specs[i]?.id ?? "", interfaceName: `vm${i + 1}`, generation: 1 };
      return { ...base, kind: "port", id, deviceKind: "bridge", bridgeId, binding };
    });
    return [zone, bridge, ...ports];
  }
}

describe("liveness", () => {
  let net: Segment;

  beforeEach(async () => {
    net = new Segment();
    await net.start();
  });

  afterEach(() => net.cloud.close());

  it("a killed host is known to be dead within a second, and nobody else is touched", async () => {
    net.host("h3").die();
    const died = net.cloud.scheduler.clock.now();
    let knownAfter = Number.POSITIVE_INFINITY;
    let lost = 0;
    for (let i = 0; i < 10 && knownAfter > 1_000; i++) {
      net.cloud.vm("vm1").sendUdp({ to: unwrap(parseIp("10.0.0.3")), payload: Uint8Array.of(1) }, 1000, 2000);
      lost += 1 - (await net.send("vm1", 2, 1));
      if (net.lifeOf("h1", "h3") === "dead") knownAfter = net.cloud.scheduler.clock.now() - died;
    }
    assert.ok(knownAfter <= 1_000, `${knownAfter} ms`);
    assert.equal(lost, 0);
    assert.equal(net.lifeOf("h1", "h2"), "alive");
    // Its session is still there: nobody has asked the store.
    assert.deepEqual(net.host("h1").running.core.remote.placement(net.ports[2] ?? "", bindingOf(net, "h3")), {
      ...{ at: "remote", hostId: net.host("h3").spec.id, tunnelKey: 0, isActive: false },
    });
    assert.equal(await net.send("vm1", 2, 5), 5);
  });

  it("an underlay that was cut is dead in both directions, and alive when it is mended", async () => {
    const [a, b] = ["192.0.2.1", "192.0.2.2"] as const;
    net.cloud.underlay.block(a, b);
    net.cloud.underlay.block(b, a);
    await net.send("vm1", 2, 12);
    assert.equal(net.lifeOf("h1", "h2"), "dead");
    assert.equal(await net.send("vm1", 3, 3), 3);
    net.cloud.underlay.heal();
    await net.send("vm1", 2, 9);
    assert.equal(net.lifeOf("h1", "h2"), "alive");
    assert.equal(await net.send("vm1", 2, 10), 10);
  });

  for (const [broken, from, to] of [
    ["from us to the peer", "192.0.2.1", "192.0.2.2"],
    ["from the peer to us", "192.0.2.2", "192.0.2.1"],
  ] as const) {
    it(`a path that is broken only ${broken} is known to both within a second, and mended to both`, async () => {
      await net.talk(2_000);
      net.cloud.underlay.block(from, to);
      const cut = net.cloud.scheduler.clock.now();
      const knownAt = new Map<string, number>();
      while (net.cloud.scheduler.clock.now() < cut + 5_000) {
        await net.talk(20);
        for (const [host, other] of [
          ["h1", "h2"],
          ["h2", "h1"],
        ] as const)
          if (net.lifeOf(host, other) === "dead" && !knownAt.has(host))
            knownAt.set(host, net.cloud.scheduler.clock.now() - cut);
      }
      assert.ok((knownAt.get("h1") ?? Number.POSITIVE_INFINITY) <= 1_000, `h1: ${knownAt.get("h1")} ms`);
      assert.ok((knownAt.get("h2") ?? Number.POSITIVE_INFINITY) <= 1_000, `h2: ${knownAt.get("h2")} ms`);
      assert.deepEqual([net.lifeOf("h1", "h2"), net.lifeOf("h2", "h1")], ["dead", "dead"]);
      assert.equal(await net.send("vm1", 3, 3), 3);
      net.cloud.underlay.heal();
      await net.talk(1_200);
      assert.deepEqual([net.lifeOf("h1", "h2"), net.lifeOf("h2", "h1")], ["alive", "alive"]);
      assert.equal(await net.send("vm1", 2, 10), 10);
    });
  }

  it("a host that only lost the store keeps its traffic, its owner unconfirmed; with both gone it ends", async () => {
    net.host("h2").isolateStore();
    const count = Math.ceil((SESSION_TIMEOUT_MS + 3_000) / 100);
    assert.equal(await net.send("vm1", 2, count), count);
    const unconfirmed = net.host("h1").running.core.remote.unconfirmed();
    assert.deepEqual(
      unconfirmed.map(({ portId, hostId }) => [portId, hostId]),
      [[net.ports[1], net.host("h2").spec.id]],
    );
    assert.equal(await net.send("vm1", 2, 20), 20);
    net.host("h2").die();
    await net.send("vm1", 2, 12);
    assert.equal(net.lifeOf("h1", "h2"), "dead");
    assert.deepEqual(net.host("h1").running.core.remote.unconfirmed(), []);
  });

  it("an owner that comes back to the store is confirmed again", async () => {
    net.host("h2").isolateStore();
    await net.cloud.run(SESSION_TIMEOUT_MS + 3_000);
    assert.equal(net.host("h1").running.core.remote.unconfirmed().length, 1);
    net.host("h2").rejoinStore();
    await net.cloud.run(5_000);
    assert.deepEqual(net.host("h1").running.core.remote.unconfirmed(), []);
    assert.equal(await net.send("vm1", 2, 10), 10);
  });

  it("nobody stays unconfirmed for longer than the limit", async () => {
    net.host("h2").isolateStore();
    await net.cloud.run(SESSION_TIMEOUT_MS + 3_000);
    assert.equal(await net.send("vm1", 2, 5), 5);
    await net.cloud.run(UNCONFIRMED_MS);
    assert.deepEqual(net.host("h1").running.core.remote.unconfirmed(), []);
    assert.equal(await net.send("vm1", 2, 5), 0);
    assert.equal(net.lifeOf("h1", "h2"), "alive");
  });

  it("a port that its host withdraws is not forwarded to, although the host answers", async () => {
    net.host("h2").setLink("vm2", false);
    await net.cloud.run(1_000);
    assert.deepEqual(net.host("h1").running.core.remote.unconfirmed(), []);
    assert.equal(net.lifeOf("h1", "h2"), "alive");
    assert.equal(await net.send("vm1", 2, 5), 0);
  });

  it("an agent that is killed leaves a datapath that answers: its peers go on, and it comes back to living peers", async () => {
    net.host("h2").kill();
    const count = Math.ceil((SESSION_TIMEOUT_MS + 2_000) / 100);
    assert.equal(await net.send("vm1", 2, count), count);
    assert.equal(net.lifeOf("h1", "h2"), "alive");
    await net.cloud.until(net.host("h2").start());
    await net.cloud.run(3_000);
    assert.equal(await net.send("vm1", 2, 5), 5);
    assert.equal(net.lifeOf("h2", "h1"), "alive");
  });
});

function bindingOf(net: Segment, host: string): { hostId: string; interfaceName: string; generation: number } {
  return { hostId: net.host(host).spec.id, interfaceName: "vm3", generation: 1 };
}
