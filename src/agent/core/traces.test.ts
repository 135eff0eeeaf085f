import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { ipFromV4 } from "../../addr/ip.ts";
import type { TopologyObject } from "../../model/objects.ts";
import { buildFrame } from "../../wire/build-frame.ts";
import { Bench, base, ip, topology, udp, udpWithTtl, vm } from "./fixture/worker-bench.ts";
import type { TraceReport } from "./messages.ts";

const ROUTER = 0x0200_0000_aa01;
const gateway = { mac: ROUTER, ip: ip(2, 13) };

describe("a trace", () => {
  let bench: Bench;
  beforeEach(async () => {
    bench = new Bench();
    await bench.open();
    bench.world({ kind: "fdb", bridgeId: "web", vlan: 0, mac: vm(2), portId: "p2" });
  });

  const trace = (frame: Uint8Array, portId = "p1"): TraceReport => {
    bench.messages.splice(0);
    bench.tell({ kind: "ask-trace", request: 1, portId, frame });
    const reports = bench.messages.flatMap((message) => (message.kind === "trace" ? [message.report] : []));
    assert.ok(reports[0] !== undefined);
    return reports[0];
  };
  const known = (n: number) => {
    const at = bench.clock.now();
    return { mac: vm(n), staleAt: at + 600_000, expiresAt: at + 900_000 };
  };
  const knowVm3 = (): void => {
    bench.world({ kind: "router-neighbor", routerId: "r", ip: ipFromV4(ip(2, 13)), entry: known(3) });
    bench.world({ kind: "fdb", bridgeId: "db", vlan: 0, mac: vm(3), portId: "p3" });
  };
  const long = (to: { readonly mac: number; readonly ip: number }, dontFragment: boolean): Uint8Array =>
    buildFrame({
      eth: { dst: to.mac, src: vm(1) },
      ipv4: { src: ip(1, 11), dst: to.ip, dontFragment },
      udp: { srcPort: 1000, dstPort: 53 },
      payload: new Uint8Array(1460),
    });

  it("of a packet whose TTL ends shows who says so to whom, and the flow of the others", () => {
    knowVm3();
    const report = trace(udpWithTtl(1, gateway, { source: ip(1, 11), ttl: 1 }));
    assert.deepEqual([report.verdict, report.reason], ["drop", "ttl-expired"]);
    assert.ok(report.walk.includes("icmp error ttl-expired from 10.1.1.1 to 10.1.1.11 at r-w"), report.walk.join("\n"));
    assert.ok(!report.walk.some((line) => line.startsWith("out ")));
    assert.match(report.action, /ttl-1/);
    assert.deepEqual(bench.received, { vm1: [], vm3: [] });
  });

  it("ends at the TTL also when it would wait, or be dropped for another reason behind it", () => {
    const report = trace(udpWithTtl(1, gateway, { source: ip(1, 11), ttl: 1 }));
    assert.deepEqual([report.verdict, report.reason], ["drop", "ttl-expired"]);
  });

  it("of a packet that is longer than the path shows the error, from the path or from the last router", () => {
    const bridged = trace(long({ mac: vm(2), ip: ip(1, 12) }, true));
    assert.deepEqual([bridged.verdict, bridged.reason], ["drop", "too-big"]);
    assert.ok(bridged.walk.includes("icmp error too-big, mtu 1450, from 10.1.1.12 to 10.1.1.11 at p1"));
    assert.match(bridged.action, /max_len\(1450\)/);
    knowVm3();
    bench.world({
      kind: "placement",
      portId: "p3",
      placement: { at: "remote", hostId: "h2", tunnelKey: 0x78, isActive: true },
    });
    const routed = trace(long(gateway, true));
    assert.ok(routed.walk.includes("icmp error too-big, mtu 1450, from 10.1.1.1 to 10.1.1.11 at r-w"));
    assert.equal(bench.sent.length, 0);
  });

  it("of a packet that is fragmented shows the fragments", () => {
    const report = trace(long({ mac: vm(2), ip: ip(1, 12) }, false));
    assert.deepEqual([report.verdict, report.reason], ["forward", "in 2 fragments"]);
    assert.equal(report.walk.filter((line) => /^fragment .* frag /.test(line)).length, 2);
  });

  it("says in words what a packet waits for", () => {
    const neighbor = trace(udp(1, { mac: ROUTER, ip: ip(2, 99) }, ip(1, 11)));
    assert.deepEqual([neighbor.verdict, neighbor.reason], ["wait", "neighbor 10.1.2.99 of router r"]);
    const missing = trace(udp(1, { mac: ROUTER, ip: ip(2, 13) }, ip(1, 11)), "nowhere");
    assert.deepEqual([missing.verdict, missing.reason], ["wait", "topology: port nowhere"]);
  });

  it("of a flood leaves the port out by which the packet came", () => {
    const report = trace(udp(1, { mac: 0xffff_ffff_ffff, ip: ip(1, 255) }, ip(1, 11)));
    assert.deepEqual(
      report.walk.map((line) => line.trim()).filter((line) => line.startsWith("out ")),
      ["out p2"],
    );
  });

  it("names the routes that it skips, and why", () => {
    const uplink = { ...base, kind: "port", deviceKind: "router", id: "up", routerId: "r", mac: "02:00:00:00:aa:09" };
    bench.world({ kind: "object", object: { ...uplink, addresses: [], mtu: 1500, isUp: false } as TopologyObject });
    const route = { kind: "route", source: "0.0.0.0/0", destination: "203.0.113.0/24", weight: 1, routerId: "r" };
    bench.world({
      kind: "object",
      object: { ...route, id: "out", nextHop: { type: "port", portId: "up" } } as TopologyObject,
    });
    const r = topology[2] as TopologyObject & { kind: "router" };
    bench.world({ kind: "object", object: { ...r, routeIds: ["out"] } });
    const report = trace(udp(1, { mac: ROUTER, ip: 0xcb00_7105 | 0 }, ip(1, 11)));
    assert.deepEqual([report.verdict, report.reason], ["drop", "no-route"]);
    assert.ok(report.walk.includes("skips route 203.0.113.0/24 by up: port down"), report.walk.join("\n"));
  });
});
