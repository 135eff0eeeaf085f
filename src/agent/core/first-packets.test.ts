import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { ipFromV4, parseIp } from "../../addr/ip.ts";
import { unwrap } from "../../base/result.ts";
import { dropCode } from "../../flow/drop-reason.ts";
import { buildFrame } from "../../wire/build-frame.ts";
import { formatFrame } from "../../wire/frame.ts";
import { arp, Bench, ip, secondRouter, vm } from "./fixture/worker-bench.ts";
import { ICMP_ERRORS_PER_SECOND } from "./limits.ts";

/** What the path to host h2 carries in `Bench`. */
const PATH = 1450;
const ROUTER = 0x0200_0000_aa01;
const far = { mac: vm(2), ip: ip(1, 12) };

describe("a first packet that is longer than the path to another host", () => {
  let bench: Bench;
  beforeEach(async () => {
    bench = new Bench();
    await bench.open();
    bench.world({ kind: "fdb", bridgeId: "web", vlan: 0, mac: vm(2), portId: "p2" });
  });

  it("on one bridge is refused in the name of its destination, as the second is", () => {
    for (let i = 0; i < 2; i++) bench.send("vm1", v4({ length: PATH + 1, dontFragment: true }));
    assert.equal(bench.received["vm1"]?.length, 2);
    for (const text of bench.received["vm1"] ?? [])
      assert.match(text, /10\.1\.1\.12 > 10\.1\.1\.11 icmpv4 .*fragmentationNeeded mtu 1450/);
    assert.equal(bench.sent.length, 0);
    assert.deepEqual(dropsOf(bench, 1), [[dropCode("too-big"), 2]]);
    bench.send("vm1", v4({ length: PATH, dontFragment: true }));
    assert.equal(bench.sent.length, 1);
  });

  it("without DF arrives in fragments", () => {
    bench.send("vm1", v4({ length: PATH + 100, dontFragment: false }));
    const texts = bench.sent.map(({ frame }) => formatFrame(frame));
    assert.equal(texts.length, 2, texts.join("\n"));
    assert.deepEqual(
      bench.sent.map(({ tunnelKey }) => tunnelKey),
      [0x77, 0x77],
    );
    assert.ok(bench.sent.every(({ frame }) => frame.length - 14 <= PATH));
    assert.deepEqual([bench.received["vm1"], dropsOf(bench, 1)], [[], []]);
  });

  it("is counted as dropped also when its port has had its errors for this second; fragments are no errors", () => {
    const count = ICMP_ERRORS_PER_SECOND + 20;
    for (let i = 0; i < count; i++) bench.send("vm1", v4({ length: PATH + 1, dontFragment: true }));
    assert.equal(bench.received["vm1"]?.length, ICMP_ERRORS_PER_SECOND);
    assert.deepEqual(dropsOf(bench, 1), [[dropCode("too-big"), count]]);
    assert.equal(bench.core.counts.metrics.get("weft_worker_icmp_limited"), 20);
    for (let i = 0; i < count; i++) bench.send("vm1", v4({ length: PATH + 1, dontFragment: false }));
    assert.equal(bench.sent.length, 2 * count);
  });

  it("over IPv6 is refused by packet too big", () => {
    bench.send("vm1", v6(PATH + 1));
    assert.match(bench.received["vm1"]?.[0] ?? "", /fd00::12 > fd00::11.*packet-too-big mtu 1450/);
    assert.equal(bench.sent.length, 0);
  });

  it("behind a router is refused by that router", () => {
    bench.world({ kind: "placement", portId: "p3", placement: remote });
    bench.world({ kind: "router-neighbor", routerId: "r", ip: ipFromV4(ip(2, 13)), entry: known(bench, 3) });
    bench.world({ kind: "fdb", bridgeId: "db", vlan: 0, mac: vm(3), portId: "p3" });
    bench.send("vm1", v4({ length: PATH + 1, dontFragment: true, to: { mac: ROUTER, ip: ip(2, 13) } }));
    assert.match(bench.received["vm1"]?.[0] ?? "", /10\.1\.1\.1 > 10\.1\.1\.11.*1450/);
    assert.ok(bench.sent.every(({ frame }) => /icmp unreachable/.test(formatFrame(frame))));
  });

  it("is refused also when it had to wait for its neighbor", () => {
    bench.world({ kind: "placement", portId: "p3", placement: remote });
    bench.send("vm1", v4({ length: PATH + 1, dontFragment: true, to: { mac: ROUTER, ip: ip(2, 13) } }));
    bench.world({ kind: "fdb", bridgeId: "db", vlan: 0, mac: vm(3), portId: "p3" });
    const before = bench.sent.length;
    bench.world({ kind: "router-neighbor", routerId: "r", ip: ipFromV4(ip(2, 13)), entry: known(bench, 3) });
    bench.turns();
    assert.match(bench.received["vm1"]?.[0] ?? "", /10\.1\.1\.1 > 10\.1\.1\.11.*1450/);
    assert.equal(bench.sent.length, before);
  });

  it("fits when the path's limit is that of nobody: to a VM on the same host", () => {
    bench.send("vm3", arp(1, { mac: vm(3), ip: ip(2, 13) }, { mac: 0, ip: ip(2, 1) }));
    bench.received["vm3"]?.splice(0);
    bench.send("vm1", v4({ length: 1500, dontFragment: true, to: { mac: ROUTER, ip: ip(2, 13) } }));
    assert.deepEqual([bench.received["vm3"]?.length, bench.received["vm1"]?.length], [1, 0]);
  });

  it("an answer of the network itself leaves in fragments", () => {
    for (const object of secondRouter) bench.world({ kind: "object", object });
    bench.world({ kind: "router-neighbor", routerId: "r", ip: ipFromV4(far.ip), entry: known(bench, 2) });
    for (const [routerId, address, n] of [
      ["r", ip(3, 2), 0xaa04],
      ["s", ip(3, 1), 0xaa03],
    ] as const)
      bench.world({ kind: "router-neighbor", routerId, ip: ipFromV4(address), entry: known(bench, n) });
    bench.send(
      "vm1",
      buildFrame({
        eth: { dst: ROUTER, src: vm(1) },
        ipv4: { src: far.ip, dst: ip(3, 2) },
        icmpv4: { kind: "echo-request", identifier: 1, sequence: 1 },
        payload: new Uint8Array(1472),
      }),
    );
    const texts = bench.sent.map(({ frame }) => formatFrame(frame));
    assert.equal(texts.length, 2, texts.join("\n"));
    assert.match(texts[0] ?? "", /10\.1\.3\.2 > 10\.1\.1\.12/);
    assert.ok(bench.sent.every(({ frame }) => frame.length - 14 <= PATH));
  });
});

const remote = { at: "remote", hostId: "h2", tunnelKey: 0x78, isActive: true } as const;

function known(bench: Bench, n: number) {
  const at = bench.clock.now();
  return { mac: vm(n), staleAt: at + 600_000, expiresAt: at + 900_000 };
}

function v4(of: { length: number; dontFragment: boolean; to?: { mac: number; ip: number } }): Uint8Array {
  const { mac, ip: dst } = of.to ?? far;
  return buildFrame({
    eth: { dst: mac, src: vm(1) },
    ipv4: { src: ip(1, 11), dst, dontFragment: of.dontFragment },
    udp: { srcPort: 1000, dstPort: 53 },
    payload: new Uint8Array(of.length - 28),
  });
}

function v6(length: number): Uint8Array {
  const [src, dst] = ["fd00::11", "fd00::12"].map((text) => unwrap(parseIp(text)));
  assert.ok(src !== undefined && dst !== undefined);
  return buildFrame({
    eth: { dst: vm(2), src: vm(1) },
    ipv6: { src, dst },
    udp: { srcPort: 1000, dstPort: 53 },
    payload: new Uint8Array(length - 48),
  });
}

function dropsOf(bench: Bench, vport: number): readonly (readonly [number, number])[] {
  const { drops } = bench.core.counts.message();
  return drops.filter((drop) => drop.vport === vport).map(({ reason, packets }) => [reason, packets]);
}
