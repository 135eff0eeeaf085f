import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decodeObject, encodeObject } from "./encoding.ts";
import type { Condition, TopologyObject, TunnelZone } from "./objects.ts";
import { idOf, routerPort, rule } from "./testdata/topology.ts";
import { uselessAfter, uselessIn } from "./validate-use.ts";

const short = (object: TopologyObject): readonly string[] =>
  uselessIn(object).map(({ kind, field }) => `${kind} ${field}`);

function zone(...addresses: readonly string[]): TunnelZone {
  const members = addresses.map((address, i) => ({ hostId: idOf(i + 1), address }));
  return { kind: "tunnel-zone", id: idOf(9), name: "z", mtu: 1500, members };
}

describe("what can never work", () => {
  it("is a tunnel zone with members of both families", () => {
    assert.deepEqual(short(zone("192.0.2.1", "192.0.2.2")), []);
    assert.deepEqual(short(zone("2001:db8::1", "2001:db8::2")), []);
    assert.deepEqual(short(zone("192.0.2.1", "2001:db8::2")), ["bad-value members[1].address"]);
    assert.deepEqual(short(zone()), []);
  });

  it("is a condition on fields of IP with an ethertype that has none, unless either is inverted", () => {
    const of = (condition: Condition): readonly string[] => short(rule(30, { condition }));
    assert.deepEqual(of({ etherType: 0x88cc, source: "10.0.0.0/8" }), ["bad-condition condition.source"]);
    assert.deepEqual(of({ etherType: 0x0806, protocol: 6 }), ["bad-condition condition.protocol"]);
    assert.deepEqual(of({ etherType: 0x88cc }), []);
    assert.deepEqual(of({ etherType: 0x0800, source: "10.0.0.0/8" }), []);
    assert.deepEqual(of({ etherType: 0x86dd, protocol: 6 }), []);
    assert.deepEqual(of({ etherType: 0x88cc, source: "10.0.0.0/8", inverted: ["etherType"] }), []);
    assert.deepEqual(of({ etherType: 0x88cc, source: "10.0.0.0/8", inverted: ["source"] }), []);
  });

  it("is IPv6 on a router port that does not carry 1280 bytes", () => {
    const narrow = routerPort(20, { addresses: ["10.0.0.1/24", "fd00::1/64"], mtu: 1279 });
    assert.deepEqual(short(narrow), ["bad-value mtu"]);
    assert.deepEqual(short({ ...narrow, mtu: 1280 }), []);
    assert.deepEqual(short({ ...narrow, addresses: ["10.0.0.1/24"] }), []);
  });

  it("is refused where it is brought in, and read and changed where it is stored", () => {
    const fine = routerPort(20, { addresses: ["fd00::1/64"], mtu: 1280 });
    const narrow = { ...fine, mtu: 600 };
    assert.equal(uselessAfter(fine, narrow).length, 1);
    assert.equal(uselessAfter(routerPort(20, { addresses: [], mtu: 600 }), narrow).length, 1);
    assert.deepEqual(uselessAfter(narrow, { ...narrow, name: "n" }), []);
    assert.ok(decodeObject({ kind: "port", id: narrow.id }, encodeObject(narrow)).ok);
  });
});
