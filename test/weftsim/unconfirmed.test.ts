import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { parseIp } from "../../src/addr/ip.ts";
import { parsePrefix } from "../../src/addr/prefix.ts";
import { UNCONFIRMED_MS, UNHEARD_MS } from "../../src/agent/core/limits.ts";
import { Prng } from "../../src/base/prng.ts";
import { unwrap } from "../../src/base/result.ts";
import type { Id, TopologyObject } from "../../src/model/objects.ts";
import { MemoryTreeServer } from "../../src/store/memory/memory-tree-server.ts";
import { StoreConnection } from "../../src/store/recipes/connection.ts";
import { Layout } from "../../src/store/recipes/layout.ts";
import type { ResumableTree } from "../../src/store/tree.ts";
import { type CopyEnds, copyStore } from "../../src/store/upkeep/backup.ts";
import { SimCloud } from "../../src/weftsim/cloud.ts";
import type { SimHost } from "../../src/weftsim/host.ts";
import { Lifetime } from "../../src/weftsim/lifetime.ts";
import { SESSION_TIMEOUT_MS, STORE_MS } from "../../src/weftsim/limits.ts";
import { MemoryStore, type SimStore } from "../../src/weftsim/store.ts";
import { uuid } from "./topologies.ts";

const NAMES = ["h1", "h2", "h3"] as const;
/** VMs: bridge, host and number. */
const VMS = [
  { name: "vm1", bridge: 1, host: 0, n: 11 },
  { name: "vm2", bridge: 2, host: 1, n: 12 },
  { name: "vm3", bridge: 2, host: 2, n: 13 },
  { name: "vm4", bridge: 1, host: 1, n: 14 },
] as const;

/** Two bridges at one router, over three hosts. */
class Routed {
  readonly cloud = new SimCloud({ seed: 11 });
  readonly #prng = new Prng(12);
  readonly #specs = NAMES.map((name, i) => ({
    ...{ id: uuid(this.#prng), name, address: `192.0.2.${i + 1}` },
    workers: 1,
  }));
  readonly bridges = [1, 2].map(() => uuid(this.#prng));
  readonly #routerId = uuid(this.#prng);
  #sequence = 0;

  async start(): Promise<void> {
    const { cloud } = this;
    for (const host of this.#specs) cloud.addHost(host);
    await cloud.start();
    await cloud.change(this.#objects().map((object) => ({ op: "create", object })));
    for (const [i, { name, bridge, host, n }] of VMS.entries()) {
      const prefix = unwrap(parsePrefix(`10.0.${bridge}.${n}/24`));
      const addresses = [{ prefix, gateway: unwrap(parseIp(`10.0.${bridge}.1`)) }];
      cloud.addVm(`h${host + 1}`, { name, mac: 0x0200_0000_0001 + i, addresses, vlan: 0, mtu: 1400 });
    }
    await cloud.settle();
    for (const to of ["10.0.2.12", "10.0.2.13", "10.0.1.14"]) await this.answered("vm1", to, 5);
    // Long enough for every idle peer to have been asked, and for a snapshot.
    await cloud.run(12_000);
    assert.equal(await this.answered("vm1", "10.0.2.12", 5), 5);
  }

  host(name: string): SimHost {
    return this.cloud.host(name);
  }

  /** Pings `count` times, a fifth of a second apart; how many are answered. */
  async answered(from: string, to: string, count: number): Promise<number> {
    const vm = this.cloud.vm(from);
    const before = vm.received.length;
    for (let i = 0; i < count; i++) {
      vm.ping({ to: unwrap(parseIp(to)), payload: new Uint8Array(8) }, 7, this.#sequence++);
      await this.cloud.run(200);
    }
    return vm.received.slice(before).filter(({ what }) => what === "echo-reply").length;
  }

  /** The same for so long; how many are not. */
  async lost(from: string, to: string, span: number): Promise<number> {
    const count = Math.ceil(span / 200);
    return count - (await this.answered(from, to, count));
  }

  /** h2 loses its store, and its session. */
  async loseSession(): Promise<void> {
    this.host("h2").isolateStore();
    await this.cloud.run(SESSION_TIMEOUT_MS + 3_000);
    assert.equal(this.unconfirmed(), 2);
  }

  unconfirmed(): number {
    return this.host("h1").running.core.remote.unconfirmed().length;
  }

  /** Entries that h1 keeps for others. */
  kept(): number {
    return [...this.host("h1").running.core.orphans.kept()].length;
  }

  /** An agent is replaced. */
  async takeOver(name = "h1"): Promise<void> {
    const host = this.host(name);
    await this.cloud.until(host.handOver());
    await this.cloud.until(host.start());
  }

  /** Writes a document or a key past the API. */
  async overwrite(path: string, text: string): Promise<void> {
    const process = new Lifetime(this.cloud.scheduler);
    const tree = this.cloud.store.connect({ timeoutMs: 30_000, process, place: "operator" });
    unwrap(await this.cloud.until(tree.set(path, new TextEncoder().encode(text))));
    await this.cloud.until(tree.close());
  }

  /** A copy of the cloud's store, as `weft store copy` makes it. */
  async copyOfStore(): Promise<SimStore> {
    const { scheduler } = this.cloud;
    const delay = (): number => STORE_MS * this.#prng.float();
    const copy = new MemoryStore(new MemoryTreeServer({ scheduler, delay, seed: 13, redialMs: 50 }));
    const process = new Lifetime(scheduler);
    const endOf = (store: SimStore): CopyEnds["from"] => {
      const connect = (): ResumableTree => store.connect({ timeoutMs: 30_000, process, place: "operator" });
      return { connection: new StoreConnection({ scheduler, connect }), layout: new Layout() };
    };
    const ends = { from: endOf(this.cloud.store), to: endOf(copy), source: "here" };
    unwrap(await this.cloud.until(copyStore(ends)));
    for (const { connection } of [ends.from, ends.to]) await this.cloud.until(connection.close());
    return copy;
  }

  #objects(): readonly TopologyObject[] {
    const members = this.#specs.map(({ id, address }) => ({ hostId: id, address }));
    const base = { tenant: "t", isUp: true } as const;
    const routerId = this.#routerId;
    return [
      { kind: "tunnel-zone", id: uuid(this.#prng), name: "z", mtu: 1500, members },
      { ...base, kind: "router", id: routerId, name: "r", portIds: [], routeIds: [] },
      ...this.bridges.flatMap((bridgeId, i): readonly TopologyObject[] => {
        const peerId = uuid(this.#prng);
        const addresses = [`10.0.${i + 1}.1/24`];
        const mac = `02:00:00:00:01:0${i + 1}`;
        return [
          { ...base, kind: "bridge", id: bridgeId, name: `b${i + 1}`, portIds: [] },
          { ...base, kind: "port", deviceKind: "bridge", id: peerId, bridgeId },
          {
            ...base,
            ...{
              kind: "port",
              deviceKind: "router",
              id: uuid(this.#prng),
              routerId,
              peerId,
              mac,
              addresses,
              mtu: 1400,
            },
          },
        ];
      }),
      ...VMS.map(({ name, bridge, host }): TopologyObject => {
        const binding = { hostId: this.#specs[host]?.id ?? "", interfaceName: name, generation: 1 };
        const bridgeId: Id = this.bridges[bridge - 1] ?? "";
        return { ...base, kind: "port", deviceKind: "bridge", id: uuid(this.#prng), bridgeId, binding };
      }),
    ];
  }
}

describe("a host that only lost the store", () => {
  let net: Routed;

  beforeEach(async () => {
    net = new Routed();
    await net.start();
  });

  afterEach(() => net.cloud.close());

  it("keeps its routed traffic, and loses it when it dies", async () => {
    net.host("h2").isolateStore();
    assert.equal(await net.lost("vm1", "10.0.2.12", SESSION_TIMEOUT_MS + 30_000), 0);
    assert.ok(net.kept() > 0);
    net.host("h2").die();
    await net.cloud.run(12_000);
    assert.equal(net.kept(), 0);
    assert.equal(await net.answered("vm1", "10.0.2.12", 5), 0);
    assert.equal(await net.answered("vm1", "10.0.2.13", 5), 5);
  });

  it("is asked for no longer than the limit", async () => {
    await net.loseSession();
    await net.cloud.run(UNCONFIRMED_MS + 5_000);
    assert.deepEqual([net.unconfirmed(), net.kept()], [0, 0]);
  });

  it("keeps routed and bridged traffic when another host's agent is replaced, and the time counts on", async () => {
    await net.loseSession();
    await net.cloud.run(UNCONFIRMED_MS / 2);
    const [since] = net.host("h1").running.core.remote.unconfirmed();
    await net.takeOver();
    assert.equal(await net.lost("vm1", "10.0.2.12", 20_000), 0);
    assert.equal(await net.lost("vm1", "10.0.1.14", 20_000), 0);
    assert.equal(net.unconfirmed(), 2);
    assert.equal(net.host("h1").running.core.remote.unconfirmed()[0]?.since, since?.since);
    await net.takeOver();
    assert.equal(await net.lost("vm1", "10.0.2.12", 5_000), 0);
    await net.cloud.run(UNCONFIRMED_MS / 2);
    assert.deepEqual([net.unconfirmed(), net.kept()], [0, 0]);
    assert.equal(await net.answered("vm1", "10.0.1.14", 5), 0);
  });

  it("is sent to by an agent that missed the end of its session", async () => {
    const host = net.host("h1");
    await net.cloud.until(host.handOver());
    net.host("h2").isolateStore();
    await net.cloud.run(SESSION_TIMEOUT_MS + 3_000);
    await net.cloud.until(host.start());
    assert.equal(await net.lost("vm1", "10.0.2.12", 20_000), 0);
    assert.equal(net.unconfirmed(), 2);
  });

  it("is not sent to by an agent that starts after it has died", async () => {
    const host = net.host("h1");
    await net.cloud.until(host.handOver());
    net.host("h2").die();
    await net.cloud.run(SESSION_TIMEOUT_MS + 3_000);
    await net.cloud.until(host.start());
    await net.cloud.run(13_000);
    assert.deepEqual([net.unconfirmed(), net.kept()], [0, 0]);
  });

  it("is confirmed when it is back, and nothing is kept for it any more", async () => {
    await net.loseSession();
    net.host("h2").rejoinStore();
    assert.equal(await net.lost("vm1", "10.0.2.12", 10_000), 0);
    assert.deepEqual([net.unconfirmed(), net.kept()], [0, 0]);
  });
});

describe("hosts that move to a copy of the store one after the other", () => {
  it("lose nothing, bridged and routed", async () => {
    const net = new Routed();
    await net.start();
    const copy = await net.copyOfStore();
    for (const name of NAMES) {
      net.host(name).useStore(copy);
      await net.takeOver(name);
      for (const to of ["10.0.2.12", "10.0.2.13", "10.0.1.14"]) {
        const detail = `${to} after the move of ${name}`;
        assert.equal(await net.lost("vm1", to, 5_000), 0, detail);
      }
    }
    await net.cloud.run(UNHEARD_MS);
    assert.deepEqual([net.unconfirmed(), net.kept()], [0, 0]);
    copy.stop();
    net.cloud.close();
  });
});

describe("a document that is damaged", () => {
  it("stands when the agent is replaced right after something else was news", async () => {
    const net = new Routed();
    await net.start();
    await net.overwrite(new Layout().object("bridge", net.bridges[0] ?? ""), "garbage");
    net.host("h2").setLink("vm4", false);
    await net.cloud.run(500);
    await net.takeOver();
    assert.equal(await net.lost("vm1", "10.0.2.12", 5_000), 0);
    net.cloud.close();
  });

  it("stands as it was last known, through restarts", async () => {
    const net = new Routed();
    await net.start();
    const path = new Layout().object("bridge", net.bridges[0] ?? "");
    await net.overwrite(path, "garbage");
    await net.cloud.run(5_000);
    assert.equal(await net.lost("vm1", "10.0.2.12", 2_000), 0);
    for (let i = 0; i < 2; i++) {
      await net.takeOver();
      await net.cloud.run(5_000);
      assert.equal(await net.lost("vm1", "10.0.2.12", 2_000), 0);
      assert.equal(await net.lost("vm1", "10.0.1.14", 2_000), 0);
    }
    net.cloud.close();
  });
});
