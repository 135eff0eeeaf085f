import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { parseIp } from "../../src/addr/ip.ts";
import { parsePrefix } from "../../src/addr/prefix.ts";
import { PORT_ACTIVE_KEY, parsePortActive } from "../../src/api-schema/agent-api.ts";
import { Prng } from "../../src/base/prng.ts";
import { unwrap } from "../../src/base/result.ts";
import type { TopologyObject } from "../../src/model/objects.ts";
import { Layout } from "../../src/store/recipes/layout.ts";
import { SimCloud } from "../../src/weftsim/cloud.ts";
import { uuid } from "./topologies.ts";

const TENANTS = ["a", "b"] as const;
const ADDRESS = { 1: "10.0.0.1", 2: "10.0.0.2" } as const;

/** Two tenants with the same addresses, a VM of each on both hosts, and on h1 a port that comes before theirs. */
class TwoTenants {
  readonly cloud = new SimCloud({ seed: 1 });
  readonly #prng = new Prng(2);
  readonly #hosts = ["h1", "h2"].map((name, i) => ({
    id: uuid(this.#prng),
    name,
    address: `192.0.2.${i + 1}`,
    workers: 2,
  }));
  /** The port that comes first on h1. */
  readonly firstPort = uuid(this.#prng);

  async start(): Promise<void> {
    const { cloud } = this;
    for (const host of this.#hosts) cloud.addHost(host);
    await cloud.start();
    await cloud.change(this.#objects().map((object) => ({ op: "create", object })));
    cloud.addVm("h1", { name: "first", mac: 0x0200_0000_0009, addresses: [], vlan: 0, mtu: 1400 });
    for (const tenant of TENANTS) for (const n of [1, 2] as const) this.#addVm(tenant, n);
    await cloud.settle();
    for (let i = 0; i < 3; i++) await this.send(5, 10);
    await cloud.settle();
  }

  /** Every tenant's first VM sends to its second, `count` times. The payload says whose packet it is. */
  async send(count: number, everyMs: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      for (const [mark, tenant] of TENANTS.entries()) {
        const payload = Uint8Array.of(mark);
        this.cloud.vm(`${tenant}1`).sendUdp({ to: unwrap(parseIp(ADDRESS[2])), payload }, 1000, 2000);
      }
      await this.cloud.run(everyMs);
    }
  }

  /** Packets that came to the wrong tenant. */
  strays(): number {
    const strays = TENANTS.flatMap((tenant, mark) =>
      this.cloud.vm(`${tenant}2`).received.filter(({ payload }) => payload[0] !== mark),
    );
    return strays.length;
  }

  /** Packets that came. */
  arrived(): number {
    return TENANTS.reduce((sum, tenant) => sum + this.cloud.vm(`${tenant}2`).received.length, 0);
  }

  /** What the store says of the first port. */
  isFirstActive(): boolean {
    const path = new Layout().state("port", PORT_ACTIVE_KEY, this.firstPort);
    const found = this.cloud.store.tree.get(path);
    const active = found.ok ? parsePortActive(new TextDecoder().decode(found.value.data)) : undefined;
    return active?.ok === true && active.value.isActive !== false;
  }

  #addVm(tenant: string, n: 1 | 2): void {
    const addresses = [{ prefix: unwrap(parsePrefix(`${ADDRESS[n]}/24`)) }];
    this.cloud.addVm(`h${n}`, { name: `${tenant}${n}`, mac: 0x0200_0000_0000 + n, addresses, vlan: 0, mtu: 1400 });
  }

  #objects(): readonly TopologyObject[] {
    const members = this.#hosts.map(({ id, address }) => ({ hostId: id, address }));
    const zone: TopologyObject = { kind: "tunnel-zone", id: uuid(this.#prng), name: "z", mtu: 1500, members };
    return [
      zone,
      ...this.#network("x", [["first", 0, this.firstPort]]),
      ...TENANTS.flatMap((tenant) => this.#tenant(tenant)),
    ];
  }

  #tenant(tenant: string): readonly TopologyObject[] {
    return this.#network(tenant, [
      [`${tenant}1`, 0, uuid(this.#prng)],
      [`${tenant}2`, 1, uuid(this.#prng)],
    ]);
  }

  #network(tenant: string, ports: readonly (readonly [string, number, string])[]): readonly TopologyObject[] {
    const bridgeId = uuid(this.#prng);
    const base = { tenant, isUp: true } as const;
    const bindingOf = (name: string, host: number): { hostId: string; interfaceName: string; generation: number } => ({
      hostId: this.#hosts[host]?.id ?? "",
      interfaceName: name,
      generation: 1,
    });
    return [
      { ...base, kind: "bridge", id: bridgeId, name: "net", portIds: [] },
      ...ports.map(
        ([name, host, id]): TopologyObject => ({
          ...base,
          kind: "port",
          deviceKind: "bridge",
          id,
          bridgeId,
          binding: bindingOf(name, host),
        }),
      ),
    ];
  }
}

describe("restart of an agent", () => {
  let net: TwoTenants;
  beforeEach(async () => {
    net = new TwoTenants();
    await net.start();
  });
  afterEach(() => net.cloud.close());

  it("goes on forwarding while no agent is there", async () => {
    net.cloud.host("h1").kill();
    const before = net.arrived();
    await net.send(20, 5);
    assert.equal(net.arrived() - before, 40);
    assert.equal(net.strays(), 0);
  });

  it("delivers nothing to another tenant when ports get other numbers than before", async () => {
    const host = net.cloud.host("h1");
    await net.cloud.until(host.stop());
    await net.cloud.change([{ op: "delete", kind: "port", id: net.firstPort }]);
    const started = host.start();
    await net.send(10_000, 0.02);
    await net.cloud.until(started);
    await net.send(20, 5);
    assert.equal(net.strays(), 0);
  });

  it("loses nothing when it stops and starts again", async () => {
    const host = net.cloud.host("h1");
    const before = net.arrived();
    await net.cloud.until(host.stop());
    const started = host.start();
    await net.send(1_000, 5);
    await net.cloud.until(started);
    assert.equal(net.arrived() - before, 2_000);
  });

  it("serves again after the host has lost its power", async () => {
    const host = net.cloud.host("h1");
    host.crash();
    await net.cloud.until(host.start());
    await net.cloud.run(2_000);
    const before = net.arrived();
    await net.send(20, 5);
    assert.equal(net.arrived() - before, 40);
  });

  it("withdraws at once what an earlier agent published of a port whose interface went down meanwhile", async () => {
    const host = net.cloud.host("h1");
    host.kill();
    host.setLink("first", false);
    await net.cloud.run(500);
    assert.equal(net.isFirstActive(), true);
    await net.cloud.until(host.start());
    await net.cloud.run(1_000);
    assert.equal(net.isFirstActive(), false);
    host.setLink("first", true);
    await net.cloud.run(1_000);
    assert.equal(net.isFirstActive(), true);
  });

  it("withdraws a port whose interface vanished, and no other", async () => {
    const host = net.cloud.host("h1");
    host.kill();
    host.unplug("first");
    await net.cloud.until(host.start());
    await net.cloud.run(1_000);
    assert.equal(net.isFirstActive(), false);
    const before = net.arrived();
    await net.send(20, 5);
    assert.equal(net.arrived() - before, 40);
  });
});
