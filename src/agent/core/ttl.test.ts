import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { FlowTable } from "../../flow/flow-table.ts";
import { SLOT_ACTION, VPORT_MAX } from "../../flow/layout.ts";
import type { TopologyObject } from "../../model/objects.ts";
import { buildFrame } from "../../wire/build-frame.ts";
import { arp, Bench, base, ip, secondRouter, udpWithTtl, vm } from "./fixture/worker-bench.ts";
import type { FlowLine } from "./messages.ts";

const GATEWAY = 0x0200_0000_aa01;
const EXCEEDED = /10\.1\.1\.1 > 10\.1\.1\.11.*time-exceeded/;
/** Networks behind the second router, by what becomes of packets for them there. */
const HOLE = ip(8, 1);
const REFUSED = ip(9, 1);
/** For all others it has the way back: a loop. */
const LOOP = ip(7, 1);

const atSecond = { kind: "route", source: "0.0.0.0/0", weight: 1, routerId: "s" } as const;
const routes: readonly TopologyObject[] = [
  { ...atSecond, id: "hole", destination: "10.1.8.0/24", nextHop: { type: "blackhole" } },
  { ...atSecond, id: "refused", destination: "10.1.9.0/24", nextHop: { type: "reject" } },
  { ...base, kind: "router", id: "s", name: "s", portIds: ["s-r"], routeIds: ["back", "hole", "refused"] },
];

describe("a packet whose TTL is used up before the end of its walk", () => {
  let bench: Bench;

  beforeEach(async () => {
    bench = new Bench();
    await bench.open();
    for (const object of [...secondRouter, ...routes]) bench.world({ kind: "object", object });
    bench.send("vm1", arp(1, { mac: vm(1), ip: ip(1, 11) }, { mac: 0, ip: ip(1, 1) }));
    clear();
  });

  function clear(): void {
    for (const list of Object.values(bench.received)) list.splice(0);
  }

  /** What vm1 gets for a datagram. */
  function probe(to: number, ttl: number): string {
    clear();
    bench.send("vm1", udpWithTtl(1, { mac: GATEWAY, ip: to }, { source: ip(1, 11), ttl }));
    return bench.received["vm1"]?.join("\n") ?? "";
  }

  function actions(): readonly string[] {
    return flowsOf(bench).map(({ action }) => action);
  }

  it("is answered where it ends when the walk ends in a blackhole, and the flow that it leaves drops the others alone", () => {
    assert.match(probe(HOLE, 1), EXCEEDED);
    assert.deepEqual(actions(), ["ttl-1,drop(blackhole)"]);
    const before = bench.upcalls();
    assert.equal(probe(HOLE, 2), "");
    assert.equal(probe(HOLE, 64), "");
    assert.equal(bench.upcalls(), before, "dropped by the flow");
    assert.match(probe(HOLE, 1), EXCEEDED);
    assert.match(probe(HOLE, 0), EXCEEDED);
    assert.equal(bench.upcalls(), before + 2);
  });

  it("does not keep the next packet from its own answer, nor is it kept from its answer by that one's flow", () => {
    assert.match(probe(REFUSED, 1), EXCEEDED);
    assert.match(probe(REFUSED, 2), /10\.1\.3\.2 > 10\.1\.1\.11.*communicationProhibited/);
    assert.deepEqual(
      actions().filter((text) => text.includes("reject")),
      ["ttl-1,drop(reject-route)"],
    );
    assert.match(probe(REFUSED, 1), EXCEEDED);
  });

  it("is answered by each router of a loop in turn", () => {
    assert.match(probe(LOOP, 1), EXCEEDED);
    assert.match(probe(LOOP, 2), /10\.1\.3\.2 > 10\.1\.1\.11.*time-exceeded/);
    assert.match(probe(LOOP, 3), /10\.1\.3\.1 > 10\.1\.1\.11.*time-exceeded/);
    assert.match(probe(LOOP, 64), /10\.1\.3\.2 > 10\.1\.1\.11.*time-exceeded.* ttl 1 /);
  });

  it("is answered by the first router, not by the second to which it was addressed", () => {
    const echo = (ttl: number): string => {
      clear();
      const [eth, ipv4] = [
        { dst: GATEWAY, src: vm(1) },
        { src: ip(1, 11), dst: ip(3, 2), ttl },
      ];
      bench.send("vm1", buildFrame({ eth, ipv4, icmpv4: { kind: "echo-request", identifier: 7, sequence: 1 } }));
      return bench.received["vm1"]?.join("\n") ?? "";
    };
    assert.match(echo(1), EXCEEDED);
    assert.match(echo(2), /10\.1\.3\.2 > 10\.1\.1\.11.*echo-reply/);
  });

  it("neither waits nor asks for a neighbor behind the router", () => {
    const parked = (): number => bench.core.counts.metrics.get("weft_worker_parked");
    const before = parked();
    assert.match(probe(ip(2, 99), 1), EXCEEDED);
    assert.deepEqual(bench.received["vm3"], []);
    assert.equal(parked(), before);
    assert.equal(probe(ip(2, 99), 2), "");
    assert.match(bench.received["vm3"]?.[0] ?? "", /who-has 10\.1\.2\.99/);
    assert.equal(parked(), before + 1);
  });

  it("is answered when the port behind the router is on a host that is no peer", () => {
    bench.send("vm3", arp(1, { mac: vm(3), ip: ip(2, 13) }, { mac: 0, ip: ip(2, 1) }));
    const nowhere = { at: "remote", hostId: "h9", tunnelKey: 5, isActive: true } as const;
    bench.world({ kind: "placement", portId: "p3", placement: nowhere });
    assert.match(probe(ip(2, 13), 1), EXCEEDED);
    assert.ok(actions().includes("ttl-1,drop(port-inactive)"), actions().join("; "));
    assert.equal(probe(ip(2, 13), 2), "");
    assert.match(probe(ip(2, 13), 1), EXCEEDED);
  });

  it("has as many routers before it as the world of now says: a drop flow that is simulated again gets their number", () => {
    assert.equal(probe(HOLE, 64), "");
    assert.deepEqual(actions(), ["ttl-1,drop(blackhole)"]);
    const before = bench.upcalls();
    bench.world({
      kind: "object",
      object: { ...atSecond, routerId: "r", id: "here", destination: "10.1.8.0/24", nextHop: { type: "blackhole" } },
    });
    const [r] = secondRouter.filter(({ id }) => id === "r");
    bench.world({
      kind: "object",
      object: { ...(r as TopologyObject & { kind: "router" }), routeIds: ["on", "here"] },
    });
    bench.turns();
    assert.equal(probe(HOLE, 64), "");
    assert.ok(bench.upcalls() - before <= 1);
    assert.deepEqual(actions(), ["drop(blackhole)"]);
    assert.equal(probe(HOLE, 1), "", "a blackhole at the first router comes before its TTL check");
  });

  it("the audit puts a drop flow right that lost its number of routers", () => {
    assert.equal(probe(HOLE, 64), "");
    bench.tell({ kind: "complete" });
    bench.turns();
    const [flow] = flowsOf(bench);
    const table = new FlowTable(bench.datapath.memory, VPORT_MAX);
    const at = table.keyAt(flow?.slot ?? 0) + SLOT_ACTION + 3;
    assert.equal(bench.datapath.memory.buckets[at], 1 << 16);
    bench.datapath.memory.buckets[at] = 2 << 16;
    assert.deepEqual(actions(), ["ttl-2,drop(blackhole)"]);
    for (let i = 0; i < 20_000 && bench.core.counts.metrics.get("weft_worker_audit_differences") === 0; i++) {
      bench.clock.advance(100);
      bench.core.turn(bench.clock.now());
    }
    assert.deepEqual(actions(), ["ttl-1,drop(blackhole)"]);
  });
});

/** The installed drop flows of vm1. */
function flowsOf(bench: Bench): readonly FlowLine[] {
  bench.messages.splice(0);
  bench.tell({ kind: "ask-flows", request: 1, limit: 10_000 });
  const flows = bench.messages.flatMap((message) => (message.kind === "flows" ? message.flows : []));
  return flows.filter(({ action }) => action.includes("drop"));
}
