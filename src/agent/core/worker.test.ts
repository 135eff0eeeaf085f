import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import type { TopologyObject } from "../../model/objects.ts";
import { arp, Bench, base, binding, ip, secondRouter, topology, udp, udpWithTtl, vm } from "./fixture/worker-bench.ts";
import type { FlowLine } from "./messages.ts";

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
