import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CHAINS_PER_FILTER_MAX, JUMP_DEPTH_MAX } from "./limits.ts";
import type { ModelError } from "./model-error.ts";
import type { Condition, TopologyObject } from "./objects.ts";
import {
  bridge,
  bridgePort,
  chain,
  host,
  idOf,
  MapTopology,
  route,
  router,
  routerPort,
  rule,
} from "./testdata/topology.ts";
import { validateAmong, validateObject, validateUpdate } from "./validate.ts";

function short(errors: readonly ModelError[]): readonly string[] {
  return errors.map(({ kind, field }) => `${kind} ${field}`);
}

const alone = (object: TopologyObject): readonly string[] => short(validateObject(object));

/** Errors of the first object among all of them. */
function among(object: TopologyObject, ...others: readonly TopologyObject[]): readonly string[] {
  return short(validateAmong(object, new MapTopology([object, ...others])));
}

describe("a port by itself", () => {
  it("is linked or bound, never both", () => {
    const binding = { hostId: idOf(9), interfaceName: "eth0", generation: 1 };
    assert.deepEqual(alone(bridgePort(10, { peerId: idOf(11), binding })), ["linked-and-bound binding"]);
    assert.deepEqual(alone(bridgePort(10, { binding })), []);
  });

  it("has a VLAN only at a bridge", () => {
    assert.deepEqual(alone({ ...routerPort(20), vlan: 5 } as TopologyObject), ["unknown-field vlan"]);
    assert.deepEqual(alone(bridgePort(10, { vlan: 4095 })), ["bad-value vlan"]);
  });

  it("of a router has a unicast MAC and addresses that a host can have", () => {
    assert.deepEqual(alone(routerPort(20)), []);
    assert.deepEqual(alone(routerPort(20, { mac: "01:00:5e:00:00:01" })), ["bad-value mac"]);
    assert.deepEqual(alone(routerPort(20, { mac: "00:00:00:00:00:00" })), ["bad-value mac"]);
    const bad = ["10.0.0.0/24", "10.0.0.255/24", "224.0.0.1/24", "127.0.0.1/8", "0.0.0.0/0", "::1/128", "ff02::1/64"];
    for (const address of bad)
      assert.deepEqual(alone(routerPort(20, { addresses: [address] })), ["bad-value addresses[0]"], address);
    const good = ["10.0.0.0/31", "10.0.0.1/32", "fe80::1/64", "fd00::/64", "172.16.0.1/12"];
    for (const address of good) assert.deepEqual(alone(routerPort(20, { addresses: [address] })), [], address);
    assert.deepEqual(alone(routerPort(20, { addresses: ["10.0.0.1/24", "10.0.0.1/25"] })), [
      "duplicate-item addresses[1]",
    ]);
  });

  it("is not its own peer", () => {
    assert.deepEqual(alone(bridgePort(10, { peerId: idOf(10) })), ["bad-value peerId"]);
  });
});

describe("a port among others", () => {
  const devices = [bridge(1), router(2, { portIds: [idOf(20), idOf(21)] })];

  it("belongs to a device that exists", () => {
    assert.deepEqual(among(bridgePort(10)), ["dangling-reference bridgeId"]);
    assert.deepEqual(among(bridgePort(10, { inboundFilterId: idOf(3) }), ...devices), [
      "dangling-reference inboundFilterId",
    ]);
  });

  it("has a peer that names it, is free, and is of another device", () => {
    const port = bridgePort(10, { peerId: idOf(20) });
    assert.deepEqual(among(port, routerPort(20, { peerId: idOf(10) }), ...devices), []);
    assert.deepEqual(among(port, routerPort(20), ...devices), ["peer-asymmetric peerId"]);
    assert.deepEqual(among(port, routerPort(20, { peerId: idOf(11) }), ...devices), ["peer-taken peerId"]);
    const binding = { hostId: idOf(9), interfaceName: "eth0", generation: 1 };
    assert.deepEqual(among(port, routerPort(20, { peerId: idOf(10), binding }), ...devices), ["peer-taken peerId"]);
    const twin = bridgePort(11, { peerId: idOf(10) });
    assert.deepEqual(among(bridgePort(10, { peerId: idOf(11) }), twin, ...devices), ["bad-value peerId"]);
  });

  it("is alone on its interface", () => {
    const binding = { hostId: idOf(9), interfaceName: "eth0", generation: 1 };
    const there = host(9, { portIds: [idOf(10), idOf(11)] });
    assert.deepEqual(among(bridgePort(10, { binding }), bridgePort(11, { binding }), there, ...devices), [
      "interface-taken binding.interfaceName",
    ]);
    const elsewhere = bridgePort(11, { binding: { ...binding, interfaceName: "eth1" } });
    assert.deepEqual(among(bridgePort(10, { binding }), elsewhere, there, ...devices), []);
  });

  it("shares no subnet with another port of its router, link-local ones apart", () => {
    const other = (...addresses: readonly string[]) => routerPort(21, { addresses });
    assert.deepEqual(among(routerPort(20), other("10.0.0.129/25"), ...devices), ["address-overlap addresses[0]"]);
    assert.deepEqual(among(routerPort(20), other("10.0.0.1/8", "fd00::2/48"), ...devices), [
      "address-overlap addresses[0]",
      "address-overlap addresses[1]",
    ]);
    assert.deepEqual(among(routerPort(20), other("10.0.1.1/24", "fd01::1/64"), ...devices), []);
    const local = routerPort(20, { addresses: ["fe80::1/64"] });
    assert.deepEqual(among(local, other("fe80::1/64"), ...devices), []);
  });

  it("keeps the subnets of the gateways that are reached through it", () => {
    const own = router(2, { portIds: [idOf(20)], routeIds: [idOf(30)] });
    assert.deepEqual(among(routerPort(20, { addresses: ["10.9.0.1/24"] }), own, route(30)), [
      "gateway-off-link addresses",
    ]);
    assert.deepEqual(among(routerPort(20), own, route(30)), []);
  });
});

describe("names", () => {
  it("are unique per tenant and kind", () => {
    const name = "web";
    assert.deepEqual(among(bridge(1, { name }), bridge(4, { name, tenant: "red" }), router(2, { name })), []);
    const view = new MapTopology([bridge(4, { name }), bridge(1, { name })]);
    assert.deepEqual(short(validateAmong(bridge(1, { name }), view)), ["duplicate-name name"]);
    const hosts = new MapTopology([host(4, { name }), host(9, { name })]);
    assert.deepEqual(short(validateAmong(host(9, { name }), hosts)), ["duplicate-name name"]);
  });
});

describe("a route", () => {
  const devices = [router(2, { portIds: [idOf(20)] }), router(5), bridge(1)];

  it("is of one family", () => {
    assert.deepEqual(alone(route(30)), []);
    assert.deepEqual(alone(route(30, { source: "::/0" })), ["bad-value source"]);
    const nextHop = { type: "port", portId: idOf(20), gateway: "fd00::2" } as const;
    assert.deepEqual(alone(route(30, { nextHop })), ["bad-value nextHop.gateway"]);
    assert.deepEqual(alone(route(30, { destination: "10.0.0.1/24" })), ["bad-value destination"]);
  });

  it("leads through a port of its own router to a gateway on that link", () => {
    assert.deepEqual(among(route(30), routerPort(20), ...devices), []);
    assert.deepEqual(among(route(30), routerPort(20, { routerId: idOf(5) }), ...devices), [
      "next-hop-elsewhere nextHop.portId",
    ]);
    assert.deepEqual(among(route(30), bridgePort(20), ...devices), ["next-hop-elsewhere nextHop.portId"]);
    const via = (gateway: string) => route(30, { nextHop: { type: "port", portId: idOf(20), gateway } });
    assert.deepEqual(among(via("10.0.1.1"), routerPort(20), ...devices), ["gateway-off-link nextHop.gateway"]);
    assert.deepEqual(among(via("10.0.0.1"), routerPort(20), ...devices), ["gateway-off-link nextHop.gateway"]);
    assert.deepEqual(among(via("fe80::9"), routerPort(20), ...devices), []);
  });
});

describe("a rule", () => {
  const problems = (condition: Condition): readonly string[] => alone(rule(40, { condition }));

  it("compares ports only of a protocol that has them, and not in later fragments", () => {
    const destinationPorts = { from: 80, to: 90 };
    assert.deepEqual(problems({ destinationPorts, protocol: 6, fragments: "header" }), []);
    assert.deepEqual(problems({ destinationPorts, fragments: "whole" }), ["bad-condition condition.protocol"]);
    assert.deepEqual(problems({ destinationPorts, protocol: 47, fragments: "whole" }), [
      "bad-condition condition.protocol",
    ]);
    const not = { inverted: ["protocol" as const] };
    assert.deepEqual(problems({ ...not, destinationPorts, protocol: 6, fragments: "whole" }), [
      "bad-condition condition.protocol",
    ]);
    for (const rest of [{}, { fragments: "any" as const }, { fragments: "later" as const }]) {
      assert.deepEqual(problems({ destinationPorts, protocol: 6, ...rest }), ["bad-condition condition.fragments"]);
    }
  });

  it("has ranges that hold something", () => {
    const base = { protocol: 17, fragments: "header" as const };
    assert.deepEqual(problems({ ...base, sourcePorts: { from: 2, to: 1 } }), [
      "bad-condition condition.sourcePorts.from",
    ]);
    const icmp = { ...base, protocol: 1, sourcePorts: { from: 8, to: 256 } };
    assert.deepEqual(problems(icmp), ["bad-condition condition.sourcePorts.to"]);
  });

  it("speaks of one family, unless the other is excluded", () => {
    assert.deepEqual(problems({ source: "10.0.0.0/8", destination: "fd00::/8" }), [
      "bad-condition condition.destination",
    ]);
    assert.deepEqual(problems({ etherType: 0x86dd, source: "10.0.0.0/8" }), ["bad-condition condition.source"]);
    assert.deepEqual(problems({ etherType: 0x0800, protocol: 58 }), ["bad-condition condition.protocol"]);
    assert.deepEqual(problems({ etherType: 0x86dd, source: "10.0.0.0/8", inverted: ["source"] }), []);
  });

  it("inverts only what it has", () => {
    assert.deepEqual(problems({ inverted: ["dscp"] }), ["bad-condition condition.inverted[0]"]);
  });

  it("never jumps back to its own chain, not even by a detour", () => {
    const jump = (number: number, from: number, to: number) =>
      rule(number, { chainId: idOf(from), action: { type: "jump", chainId: idOf(to) } });
    const chains = [chain(3, { ruleIds: [idOf(40)] }), chain(4, { ruleIds: [idOf(41)] })];
    assert.deepEqual(among(jump(40, 3, 3), ...chains), ["chain-loop action.chainId"]);
    assert.deepEqual(among(jump(40, 3, 4), jump(41, 4, 3), ...chains), ["chain-loop action.chainId"]);
    assert.deepEqual(among(jump(40, 3, 4), rule(41, { chainId: idOf(4) }), ...chains), []);
    assert.deepEqual(among(jump(40, 3, 5), ...chains), ["dangling-reference action.chainId"]);
  });

  it("jumps only so deep", () => {
    const deep = (count: number): readonly string[] => {
      const numbers = Array.from({ length: count }, (_, i) => 100 + i);
      const chains = numbers.map((n) => chain(n, { ruleIds: [idOf(n + 1000)] }));
      const rules = numbers.map((n, i) => {
        const action = i + 1 < count ? { type: "jump" as const, chainId: idOf(n + 1) } : { type: "accept" as const };
        return rule(n + 1000, { chainId: idOf(n), action });
      });
      return among(rules[0] as TopologyObject, ...chains, ...rules);
    };
    assert.deepEqual(deep(JUMP_DEPTH_MAX), []);
    assert.deepEqual(deep(JUMP_DEPTH_MAX + 3), ["chain-loop action.chainId"]);
  });

  it("jumps only to so many chains from one", () => {
    const wide = (count: number): readonly string[] => {
      const numbers = Array.from({ length: count }, (_, i) => 1_000 + i);
      const jumps = numbers.map((n) =>
        rule(n + 1_000, { chainId: idOf(3), action: { type: "jump", chainId: idOf(n) } }),
      );
      const main = chain(3, { ruleIds: jumps.map(({ id }) => id) });
      return among(jumps.at(-1) as TopologyObject, main, ...jumps, ...numbers.map((n) => chain(n)));
    };
    assert.deepEqual(wide(CHAINS_PER_FILTER_MAX - 1), []);
    assert.deepEqual(wide(CHAINS_PER_FILTER_MAX), ["too-many action.chainId"]);
  });
});

describe("a tunnel zone", () => {
  it("has each host and each unicast address once", () => {
    const zone = (...members: readonly { hostId: string; address: string }[]): TopologyObject => ({
      kind: "tunnel-zone",
      id: idOf(8),
      name: "z",
      mtu: 1500,
      members,
    });
    const a = { hostId: idOf(9), address: "192.0.2.1" };
    assert.deepEqual(alone(zone(a, { hostId: idOf(10), address: "192.0.2.2" })), []);
    assert.deepEqual(alone(zone(a, a)), ["duplicate-item members[1].hostId", "duplicate-item members[1].address"]);
    assert.deepEqual(alone(zone({ ...a, address: "255.255.255.255" })), ["bad-value members[0].address"]);
    assert.deepEqual(among(zone(a)), ["dangling-reference members"]);
  });
});

describe("an update", () => {
  it("cannot turn an object into another", () => {
    assert.deepEqual(short(validateUpdate(bridgePort(10), bridgePort(10, { bridgeId: idOf(4) }))), [
      "immutable-field bridgeId",
    ]);
    assert.deepEqual(short(validateUpdate(bridge(1), bridge(1, { tenant: "red" }))), ["immutable-field tenant"]);
    assert.deepEqual(validateUpdate(bridge(1), bridge(1, { name: "new", isUp: false })), []);
  });
});
