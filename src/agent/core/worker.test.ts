import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { ipFromV4 } from "../../addr/ip.ts";
import { ManualClock } from "../../base/clock.ts";
import { Prng } from "../../base/prng.ts";
import { MemoryDatapath, type UnderlayFrame } from "../../datapath/memory/memory-datapath.ts";
import type { TopologyObject } from "../../model/objects.ts";
import { NEIGHBOR_DEFAULTS } from "../../state/neighbor-settings.ts";
import { buildFrame } from "../../wire/build-frame.ts";
import { formatFrame } from "../../wire/frame.ts";
import { makeWorker } from "../make-worker.ts";
import { shardsOf } from "../worker-settings.ts";
import type { FlowLine, FromWorker } from "./messages.ts";
import type { WorkerCore } from "./worker.ts";

const base = { tenant: "t", isUp: true } as const;
const binding = (
  interfaceName: string,
  hostId = "h1",
): { hostId: string; interfaceName: string; generation: number } => ({ hostId, interfaceName, generation: 1 });

/** Two bridges joined by a router; vm1 and vm3 are here, vm2 on host h2. */
const topology: readonly TopologyObject[] = [
  { ...base, kind: "bridge", id: "web", name: "web", portIds: ["p1", "p2", "w-r"] },
  { ...base, kind: "bridge", id: "db", name: "db", portIds: ["p3", "d-r"] },
  { ...base, kind: "router", id: "r", name: "r", portIds: ["r-w", "r-d"], routeIds: [] },
  { ...base, kind: "port", deviceKind: "bridge", id: "p1", bridgeId: "web", binding: binding("vm1") },
  { ...base, kind: "port", deviceKind: "bridge", id: "p2", bridgeId: "web", binding: binding("vm2", "h2") },
  { ...base, kind: "port", deviceKind: "bridge", id: "p3", bridgeId: "db", binding: binding("vm3") },
  { ...base, kind: "port", deviceKind: "bridge", id: "w-r", bridgeId: "web", peerId: "r-w" },
  { ...base, kind: "port", deviceKind: "bridge", id: "d-r", bridgeId: "db", peerId: "r-d" },
  {
    ...base,
    kind: "port",
    deviceKind: "router",
    id: "r-w",
    routerId: "r",
    peerId: "w-r",
    mac: "02:00:00:00:aa:01",
    addresses: ["10.1.1.1/24"],
    mtu: 1500,
  },
  {
    ...base,
    kind: "port",
    deviceKind: "router",
    id: "r-d",
    routerId: "r",
    peerId: "d-r",
    mac: "02:00:00:00:aa:02",
    addresses: ["10.1.2.1/24"],
    mtu: 1500,
  },
];

const link = { ...base, kind: "port", deviceKind: "router", mtu: 1500 } as const;
const onward = { kind: "route", source: "0.0.0.0/0", destination: "0.0.0.0/0", weight: 1 } as const;
/** Another router behind the first, for everything that is not here. Its way back is the first one. */
const secondRouter: readonly TopologyObject[] = [
  { ...link, id: "r-s", routerId: "r", peerId: "s-r", mac: "02:00:00:00:aa:03", addresses: ["10.1.3.1/24"] },
  { ...link, id: "s-r", routerId: "s", peerId: "r-s", mac: "02:00:00:00:aa:04", addresses: ["10.1.3.2/24"] },
  { ...onward, id: "on", routerId: "r", nextHop: { type: "port", portId: "r-s", gateway: "10.1.3.2" } },
  { ...onward, id: "back", routerId: "s", nextHop: { type: "port", portId: "s-r", gateway: "10.1.3.1" } },
  { ...base, kind: "router", id: "s", name: "s", portIds: ["s-r"], routeIds: ["back"] },
  { ...base, kind: "router", id: "r", name: "r", portIds: ["r-w", "r-d", "r-s"], routeIds: ["on"] },
];

const vm = (n: number): number => 0x0200_0000_0000 + n;
const ip = (net: number, n: number): number => (10 << 24) + (1 << 16) + (net << 8) + n;

class Bench {
  readonly clock = new ManualClock(10_000);
  readonly sent: UnderlayFrame[] = [];
  readonly received: Record<string, string[]> = { vm1: [], vm3: [] };
  readonly frames: Record<string, Uint8Array[]> = { vm1: [], vm3: [] };
  readonly messages: FromWorker[] = [];
  readonly datapath: MemoryDatapath;
  readonly core: WorkerCore;

  constructor() {
    this.datapath = new MemoryDatapath({
      clock: this.clock,
      prng: new Prng(1),
      bucketsPerShard: 16,
      send: (frame) => this.sent.push(frame),
    });
    for (const name of ["vm1", "vm3"]) {
      const deliver = (frame: Uint8Array): void => {
        this.received[name]?.push(formatFrame(frame));
        this.frames[name]?.push(frame);
      };
      this.datapath.addInterface(name, { mac: vm(99), mtu: 1500, deliver });
    }
    const face = this.datapath.openWorker(0, shardsOf(0, 1, 16));
    const start = {
      worker: 0,
      workers: 1,
      shards: face.shards,
      seed: 1,
      datapath: {},
      neighbor: NEIGHBOR_DEFAULTS,
      maySpin: false,
    };
    this.core = makeWorker(start, {
      datapath: face,
      clock: this.clock,
      send: (message) => this.messages.push(message),
    });
  }

  async open(): Promise<void> {
    await this.datapath.setUnderlay({ address: ipFromV4(0xc000_0201), udpPort: 6677, mtu: 1500 });
    await this.datapath.setPeers([{ peer: 1, address: ipFromV4(0xc000_0202), mtu: 1450, isUp: true, epoch: 0 }]);
    await this.datapath.setPorts([
      { vport: 1, interfaceName: "vm1", epoch: 1 },
      { vport: 3, interfaceName: "vm3", epoch: 1 },
    ]);
    this.tell({ kind: "peer", hostId: "h2", peer: 1, mtu: 1450 });
    for (const object of topology) this.world({ kind: "object", object });
    this.world({ kind: "placement", portId: "p1", placement: { at: "local", vport: 1, isActive: true } });
    this.world({ kind: "placement", portId: "p3", placement: { at: "local", vport: 3, isActive: true } });
    this.world({
      kind: "placement",
      portId: "p2",
      placement: { at: "remote", hostId: "h2", tunnelKey: 0x77, isActive: true },
    });
    this.tell({ kind: "version", version: 1 });
  }

  tell(message: Parameters<WorkerCore["receive"]>[0]): void {
    this.core.receive(message, this.clock.now());
  }

  world(change: Extract<Parameters<WorkerCore["receive"]>[0], { kind: "world" }>["change"]): void {
    this.tell({ kind: "world", change });
  }

  send(name: string, frame: Uint8Array): void {
    this.datapath.receive(name, frame);
    this.turns();
  }

  turns(): void {
    for (let i = 0; i < 8; i++) this.core.turn(this.clock.now());
    this.#echo();
  }

  /** The store's part: what the worker wrote to a map comes back as the winner. */
  #echo(): void {
    for (const message of this.messages.splice(0)) {
      if (message.kind !== "map-put") continue;
      const { opinion } = message;
      if (opinion.map === "fdb")
        this.world({
          kind: "fdb",
          bridgeId: opinion.deviceId,
          vlan: opinion.vlan,
          mac: opinion.mac,
          portId: opinion.portId,
        });
      if (opinion.map === "neighbor")
        this.world({ kind: "router-neighbor", routerId: opinion.deviceId, ip: opinion.ip, entry: opinion.entry });
    }
    this.core.turn(this.clock.now());
    this.core.turn(this.clock.now());
  }

  upcalls(): number {
    return this.core.counts.metrics.get("weft_worker_upcalls");
  }
}

function udp(from: number, to: { readonly mac: number; readonly ip: number }, source: number): Uint8Array {
  return udpWithTtl(from, to, { source, ttl: 64 });
}

interface Sender {
  readonly source: number;
  readonly ttl: number;
}

function udpWithTtl(
  from: number,
  to: { readonly mac: number; readonly ip: number },
  { source, ttl }: Sender,
): Uint8Array {
  return buildFrame({
    eth: { dst: to.mac, src: vm(from) },
    ipv4: { src: source, dst: to.ip, ttl },
    udp: { srcPort: 1000, dstPort: 53 },
    payload: Uint8Array.of(1, 2, 3, 4),
  });
}

function arp(
  op: 1 | 2,
  from: { readonly mac: number; readonly ip: number },
  to: { readonly mac: number; readonly ip: number },
): Uint8Array {
  return buildFrame({
    eth: { dst: op === 1 ? 0xffff_ffff_ffff : to.mac, src: from.mac },
    arp: { operation: op, senderMac: from.mac, senderIp: from.ip, targetMac: op === 1 ? 0 : to.mac, targetIp: to.ip },
  });
}

describe("worker core", () => {
  let bench: Bench;
  beforeEach(async () => {
    bench = new Bench();
    await bench.open();
  });

  it("answers ARP for a router's address itself", () => {
    bench.send("vm1", arp(1, { mac: vm(1), ip: ip(1, 11) }, { mac: 0, ip: ip(1, 1) }));
    assert.match(bench.received["vm1"]?.[0] ?? "", /10\.1\.1\.1 .*02:00:00:00:aa:01/);
  });

  it("resolves the next hop, delivers the waiting packet, and needs one upcall for the rest of the flow", () => {
    const gateway = { mac: 0x0200_0000_aa01, ip: ip(2, 13) };
    bench.send("vm1", udp(1, gateway, ip(1, 11)));
    assert.match(bench.received["vm3"]?.[0] ?? "", /ARP.*10\.1\.2\.13/i);
    bench.send("vm3", arp(2, { mac: vm(3), ip: ip(2, 13) }, { mac: 0x0200_0000_aa02, ip: ip(2, 1) }));
    assert.match(bench.received["vm3"]?.[1] ?? "", /10\.1\.1\.11.*10\.1\.2\.13/);
    const before = bench.upcalls();
    for (let i = 0; i < 5; i++) bench.send("vm1", udp(1, gateway, ip(1, 11)));
    assert.ok(bench.upcalls() - before <= 1, "one flow for the rest");
    assert.equal(bench.received["vm3"]?.length, 7);
    assert.equal(bench.frames["vm3"]?.[6]?.[22], 63, "TTL");
  });

  it("floods to an unknown MAC address, to the other host once for each port there", () => {
    bench.send("vm1", udp(1, { mac: vm(2), ip: ip(1, 12) }, ip(1, 11)));
    assert.deepEqual(
      bench.sent.map(({ to, tunnelKey }) => [to, tunnelKey]),
      [["192.0.2.2", 0x77]],
    );
  });

  it("sends one copy of a flood to a host that published a key for the bridge, and names filtered ports singly", () => {
    const more = [20, 21].map(
      (n): TopologyObject => ({
        ...base,
        kind: "port",
        deviceKind: "bridge",
        id: `p${n}`,
        bridgeId: "web",
        binding: binding(`vm${n}`, "h2"),
      }),
    );
    const filtered: TopologyObject = {
      ...(more[1] as Extract<TopologyObject, { kind: "port" }>),
      outboundFilterId: "c",
    };
    for (const object of [...more.slice(0, 1), filtered]) bench.world({ kind: "object", object });
    bench.world({ kind: "object", object: { kind: "chain", id: "c", tenant: "t", name: "c", ruleIds: [] } });
    bench.world({
      kind: "object",
      object: {
        ...(topology[0] as Extract<TopologyObject, { kind: "bridge" }>),
        portIds: ["p1", "p2", "p20", "p21", "w-r"],
      },
    });
    for (const [portId, tunnelKey] of [
      ["p20", 0x20],
      ["p21", 0x21],
    ] as const) {
      bench.world({ kind: "placement", portId, placement: { at: "remote", hostId: "h2", tunnelKey, isActive: true } });
    }
    const broadcast = udp(1, { mac: 0xffff_ffff_ffff, ip: ip(1, 255) }, ip(1, 11));
    bench.send("vm1", broadcast);
    assert.deepEqual(
      bench.sent.map((frame) => frame.tunnelKey).sort((a, b) => a - b),
      [0x20, 0x21, 0x77],
    );
    bench.sent.length = 0;
    bench.tell({ kind: "flood-key", bridgeId: "web", hostId: "h2", key: 0x55 });
    bench.turns();
    bench.send("vm1", broadcast);
    assert.deepEqual(
      bench.sent.map((frame) => frame.tunnelKey).sort((a, b) => a - b),
      [0x21, (1 << 20) | 0x55],
    );
  });

  it("tunnels to a learned MAC address under the key that its host chose", () => {
    bench.world({ kind: "fdb", bridgeId: "web", vlan: 0, mac: vm(2), portId: "p2" });
    bench.send("vm1", udp(1, { mac: vm(2), ip: ip(1, 12) }, ip(1, 11)));
    bench.send("vm1", udp(1, { mac: vm(2), ip: ip(1, 12) }, ip(1, 11)));
    assert.equal(bench.sent.length, 2);
    assert.equal(bench.upcalls(), 1);
  });

  it("follows a moved port in place: the flow is simulated again, no packet goes up", () => {
    bench.world({ kind: "fdb", bridgeId: "web", vlan: 0, mac: vm(2), portId: "p2" });
    bench.send("vm1", udp(1, { mac: vm(2), ip: ip(1, 12) }, ip(1, 11)));
    bench.world({
      kind: "placement",
      portId: "p2",
      placement: { at: "remote", hostId: "h2", tunnelKey: 0x99, isActive: true },
    });
    bench.turns();
    const before = bench.upcalls();
    bench.send("vm1", udp(1, { mac: vm(2), ip: ip(1, 12) }, ip(1, 11)));
    assert.equal(bench.upcalls(), before);
    assert.equal(bench.sent.at(-1)?.tunnelKey, 0x99);
  });

  it("lets nothing through between a rule's arrival and the re-simulation of its flows", () => {
    bench.world({ kind: "fdb", bridgeId: "web", vlan: 0, mac: vm(2), portId: "p2" });
    const frame = udp(1, { mac: vm(2), ip: ip(1, 12) }, ip(1, 11));
    bench.send("vm1", frame);
    bench.world({
      kind: "object",
      object: { kind: "rule", id: "deny", chainId: "c", condition: {}, action: { type: "drop" } },
    });
    bench.world({ kind: "object", object: { kind: "chain", id: "c", tenant: "t", name: "c", ruleIds: ["deny"] } });
    bench.world({
      kind: "object",
      object: { ...(topology[3] as Extract<TopologyObject, { kind: "port" }>), inboundFilterId: "c" },
    });
    const before = bench.sent.length;
    bench.datapath.receive("vm1", frame);
    assert.equal(bench.sent.length, before, "revoked at once");
    bench.turns();
    bench.send("vm1", frame);
    assert.equal(bench.sent.length, before);
  });

  it("answers a packet whose TTL ends with an ICMP error from the router", () => {
    bench.send("vm1", arp(1, { mac: vm(1), ip: ip(1, 11) }, { mac: 0, ip: ip(1, 1) }));
    bench.send("vm3", arp(1, { mac: vm(3), ip: ip(2, 13) }, { mac: 0, ip: ip(2, 1) }));
    bench.received["vm1"]?.splice(0);
    bench.send("vm1", udpWithTtl(1, { mac: 0x0200_0000_aa01, ip: ip(2, 13) }, { source: ip(1, 11), ttl: 1 }));
    assert.match(bench.received["vm1"]?.[0] ?? "", /10\.1\.1\.1.*10\.1\.1\.11.*time-exceeded/i);
  });

  it("an answer of the network waits for the neighbor of a router on its way", () => {
    for (const object of secondRouter) bench.world({ kind: "object", object });
    bench.send("vm1", udp(1, { mac: 0x0200_0000_aa01, ip: ip(3, 2) }, ip(2, 14)));
    assert.match(bench.received["vm3"]?.at(-1) ?? "", /who-has 10\.1\.2\.14/);
    bench.send("vm3", arp(2, { mac: vm(3), ip: ip(2, 14) }, { mac: 0x0200_0000_aa02, ip: ip(2, 1) }));
    assert.match(bench.received["vm3"]?.at(-1) ?? "", /10\.1\.3\.2 > 10\.1\.2\.14.*unreachable/);
  });

  it("takes room for a port's many flows from that port, not from the few flows of another", () => {
    for (let mac = 1; mac <= 8; mac++)
      bench.send("vm3", udp(3, { mac: 0x0600_0000_0000 + mac, ip: ip(2, mac) }, ip(2, 3)));
    bench.clock.advance(1_000);
    const ofVm3 = (): number => flowsOf(bench).filter((flow) => flow.vport === 3).length;
    assert.equal(ofVm3(), 8);
    for (let mac = 1; mac <= 4_000; mac++)
      bench.send("vm1", udp(1, { mac: 0x0600_0000_0000 + mac, ip: ip(1, mac & 0xff) }, ip(1, 1)));
    assert.ok(bench.core.counts.metrics.get("weft_worker_flows_evicted") > 1_000);
    assert.equal(ofVm3(), 8);
  });

  it("knows how long the oldest of the upcalls that it took had waited, once", () => {
    bench.core.takeWaited();
    const before = bench.core.upcalls;
    for (const port of [1, 2]) {
      bench.datapath.receive("vm1", udp(port, { mac: vm(1), ip: ip(1, 11) }, ip(1, 1)));
      bench.clock.advance(3);
    }
    bench.turns();
    assert.equal(bench.core.upcalls - before, 2);
    assert.equal(Math.round(bench.core.takeWaited()), 6);
    assert.equal(bench.core.takeWaited(), 0);
  });

  it("says when all its flows follow a version of the world", () => {
    bench.messages.length = 0;
    bench.tell({ kind: "version", version: 7 });
    bench.core.turn(bench.clock.now());
    assert.ok(bench.messages.some((message) => message.kind === "reached" && message.version === 7));
  });

  it("a version that only forbids is reached when the flows miss, one that changes them when they are written", () => {
    bench.world({ kind: "fdb", bridgeId: "web", vlan: 0, mac: vm(2), portId: "p2" });
    bench.send("vm1", udp(1, { mac: vm(2), ip: ip(1, 12) }, ip(1, 11)));
    bench.messages.length = 0;
    const reached = (): boolean =>
      bench.messages.some((message) => message.kind === "reached" && message.version === 8);
    const moved = { at: "remote", hostId: "h2", tunnelKey: 0x99, isActive: true } as const;
    bench.world({ kind: "placement", portId: "p2", placement: moved });
    bench.tell({ kind: "version", version: 8 });
    assert.ok(!reached(), "the flow still has the old key");
    bench.core.turn(bench.clock.now());
    assert.ok(reached());
    bench.messages.length = 0;
    bench.world({
      kind: "object",
      object: { ...(topology[4] as (typeof topology)[number] & { kind: "port" }), isUp: false },
    });
    bench.tell({ kind: "version", version: 9 });
    assert.ok(
      bench.messages.some((message) => message.kind === "reached" && message.version === 9),
      "revoked flows forward nothing",
    );
  });

  it("removes flows that nothing used at their hard time and renews those in use", () => {
    bench.world({ kind: "fdb", bridgeId: "web", vlan: 0, mac: vm(2), portId: "p2" });
    const frame = udp(1, { mac: vm(2), ip: ip(1, 12) }, ip(1, 11));
    bench.send("vm1", frame);
    for (let second = 0; second < 62; second++) {
      bench.clock.advance(1000);
      if (second === 30) bench.datapath.receive("vm1", frame);
      bench.turns();
    }
    assert.equal(bench.core.counts.metrics.get("weft_worker_flows_renewed"), 1);
    for (let second = 0; second < 62; second++) {
      bench.clock.advance(1000);
      bench.turns();
    }
    assert.equal(bench.core.counts.metrics.get("weft_worker_flows_expired"), 1);
  });
});

/** The installed flows. */
function flowsOf(bench: Bench): readonly FlowLine[] {
  bench.messages.splice(0);
  bench.tell({ kind: "ask-flows", request: 1, limit: 10_000 });
  return bench.messages.flatMap((message) => (message.kind === "flows" ? message.flows : []));
}
