import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { Prng } from "../../base/prng.ts";
import type { PortOutcome } from "../../datapath/datapath.ts";
import type { Bridge, BridgePort, Host, TopologyObject, TunnelZone } from "../../model/objects.ts";
import { ControlCore } from "./control.ts";
import type { ControlEffect, ControlEvent } from "./control-events.ts";

const host: Host = { kind: "host", id: "h1", name: "h1", portIds: ["p1"], tunnelZoneIds: ["z"] };
const zone: TunnelZone = {
  kind: "tunnel-zone",
  id: "z",
  name: "z",
  mtu: 1500,
  members: [
    { hostId: "h1", address: "192.0.2.1" },
    { hostId: "h2", address: "192.0.2.2" },
  ],
};
const bridge: Bridge = { kind: "bridge", id: "b", tenant: "t", name: "b", isUp: true, portIds: ["p1", "p2"] };

function port(id: string, hostId: string, generation = 1): BridgePort {
  const binding = { hostId, interfaceName: `if-${id}`, generation };
  return { kind: "port", deviceKind: "bridge", id, tenant: "t", isUp: true, bridgeId: "b", binding };
}

class Bench {
  readonly core: ControlCore;
  effects: readonly ControlEffect[] = [];

  constructor(objectsMax?: number) {
    const limit = objectsMax === undefined ? {} : { objectsMax };
    this.core = new ControlCore({ hostId: "h1", udpPort: 6677, ...limit }, new Prng(1));
  }

  step(event: ControlEvent): this {
    this.effects = this.core.step(event, 0);
    return this;
  }

  object(object: TopologyObject): this {
    return this.step({ kind: "object", name: { kind: object.kind, id: object.id }, object });
  }

  gone(kind: TopologyObject["kind"], id: string): this {
    return this.step({ kind: "object", name: { kind, id }, object: undefined });
  }

  of<K extends ControlEffect["kind"]>(kind: K): Extract<ControlEffect, { kind: K }>[] {
    return this.effects.filter((effect): effect is Extract<ControlEffect, { kind: K }> => effect.kind === kind);
  }

  /** The placement that the workers were last told for a port, in the present effects. */
  placement(portId: string): unknown {
    const told = this.of("tell-workers").map((effect) => effect.message);
    const changes = told.flatMap((message) =>
      message.kind === "world" && message.change.kind === "placement" ? [message.change] : [],
    );
    return changes.findLast((change) => change.portId === portId)?.placement;
  }
}

function up(vport: number): PortOutcome {
  return { vport, state: "attached", isUp: true, mac: 2, mtu: 1500 };
}

function running(): Bench {
  const bench = new Bench().step({ kind: "start" });
  for (const object of [host, zone, port("p1", "h1"), bridge, port("p2", "h2")]) bench.object(object);
  return bench;
}

describe("control core", () => {
  it("follows references from its host object and asks for each object once", () => {
    const bench = new Bench().step({ kind: "start" });
    const watched = bench.of("watch-object").map((effect) => effect.name.id);
    for (const object of [host, port("p1", "h1"), bridge, port("p2", "h2"), zone]) {
      watched.push(
        ...bench
          .object(object)
          .of("watch-object")
          .map((effect) => effect.name.id),
      );
    }
    assert.deepEqual(watched, ["h1", "p1", "z", "b", "p2"]);
  });

  it("lets go of everything that only a lost reference led to", () => {
    const bench = running().object({ ...host, portIds: [] });
    assert.deepEqual(
      bench
        .of("unwatch-object")
        .map((effect) => effect.name.id)
        .sort(),
      ["b", "p1", "p2"],
    );
    assert.deepEqual(
      bench.of("close-map").map((effect) => effect.map),
      ["fdb", "bridge-neighbor"],
    );
    assert.deepEqual(bench.of("set-ports").at(-1)?.wanted(), []);
  });

  it("publishes a port when its interface is attached and up, and takes it back when it goes down", () => {
    const bench = running().step({ kind: "ports", outcomes: [up(1)] });
    const [published] = bench.of("publish-active");
    assert.equal(published?.portId, "p1");
    assert.deepEqual(bench.placement("p1"), { at: "local", vport: 1, isActive: true });
    bench.step({ kind: "ports", outcomes: [{ vport: 1, state: "attached", isUp: false, mac: 2, mtu: 1500 }] });
    assert.equal(bench.of("withdraw-active").length, 1);
    assert.deepEqual(bench.placement("p1"), { at: "local", vport: 1, isActive: false });
  });

  it("takes the key of a port away that is unbound after its interface went", () => {
    const bench = running().step({ kind: "ports", outcomes: [up(1)] });
    bench.step({ kind: "ports", outcomes: [{ vport: 1, state: "attached", isUp: false, mac: 2, mtu: 1500 }] });
    const said = () => bench.of("withdraw-active").map(({ portId, state }) => [portId, state !== undefined]);
    assert.deepEqual(said(), [["p1", true]]);
    bench.object({ ...host, portIds: [] });
    assert.deepEqual(said(), [["p1", false]]);
    bench.object(host);
    bench.object({ ...host, portIds: [] });
    assert.deepEqual(said(), [], "once is enough");
  });

  it("says why an interface was refused until it is attached", () => {
    const why = "interface lo cannot be bound: it is the loopback";
    const bench = running().step({ kind: "ports", outcomes: [{ vport: 1, state: "refused", why }] });
    const stateOf = () => bench.core.portStates().find(({ portId }) => portId === "p1");
    assert.deepEqual([stateOf()?.state, stateOf()?.why], ["refused", why]);
    bench.step({ kind: "ports", outcomes: [up(1)] });
    assert.deepEqual([stateOf()?.state, stateOf()?.why], ["up", undefined]);
  });

  it("sends to another host only while that host serves the present generation of the binding", () => {
    const bench = running().step({
      kind: "active",
      portId: "p2",
      state: { hostId: "h2", tunnelKey: 77, generation: 1 },
    });
    assert.deepEqual(bench.placement("p2"), { at: "remote", hostId: "h2", tunnelKey: 77, isActive: true });
    bench.object(port("p2", "h2", 2));
    assert.deepEqual(bench.placement("p2"), { at: "remote", hostId: "h2", tunnelKey: 0, isActive: false });
    bench.step({ kind: "active", portId: "p2", state: { hostId: "h2", tunnelKey: 78, generation: 2 } });
    assert.deepEqual(bench.placement("p2"), { at: "remote", hostId: "h2", tunnelKey: 78, isActive: true });
  });

  it("tells the datapath its underlay and peers, with the room that the outer headers leave", () => {
    const bench = running().object({ ...zone, mtu: 9000 });
    assert.equal(bench.of("set-underlay")[0]?.underlay.mtu, 9000);
    assert.deepEqual(
      bench
        .of("set-peers")[0]
        ?.wanted()
        .map(({ peer, mtu }) => [peer, mtu]),
      [[1, 8950]],
    );
  });

  it("has flows to a host's ports simulated again when the room on the way to it changes", () => {
    const bench = new Bench();
    bench.step({ kind: "start" }).object(host).object(zone).object(port("p1", "h1")).object(bridge);
    bench.object(port("p2", "h2"));
    bench.step({ kind: "active", portId: "p2", state: { hostId: "h2", tunnelKey: 0x77, generation: 1 } });
    const remote = { at: "remote", hostId: "h2", tunnelKey: 0x77, isActive: true };
    assert.deepEqual(bench.placement("p2"), remote);
    assert.deepEqual(bench.object({ ...zone, mtu: 9000 }).placement("p2"), remote);
    assert.equal(bench.object({ ...zone, mtu: 9000 }).placement("p2"), undefined, "no news without a change");
  });

  it("deals the credits of a port that went away among the others", () => {
    const bench = new Bench();
    bench.step({ kind: "start" }).object(host).object(port("p1", "h1")).object(bridge).object(port("p2", "h1"));
    bench.step({ kind: "ports", outcomes: [up(1), up(2)] });
    const [shared] = bench.of("set-credits");
    bench.gone("port", "p2");
    const [alone] = bench.of("set-credits");
    assert.deepEqual(alone?.vports, [1]);
    assert.ok((alone?.packets ?? 0) > (shared?.packets ?? 0));
  });

  it("keeps a peer's number when the zone names other hosts", () => {
    const bench = running();
    const members = [...zone.members, { hostId: "h0", address: "192.0.2.9" }];
    bench.object({ ...zone, members });
    assert.deepEqual(
      bench
        .of("set-peers")[0]
        ?.wanted()
        .map((peer) => peer.peer)
        .sort(),
      [1, 2],
    );
    bench.object({ ...zone, members: members.filter((member) => member.hostId !== "h2") });
    assert.deepEqual(
      bench
        .of("set-peers")[0]
        ?.wanted()
        .map((peer) => peer.peer),
      [2],
    );
  });

  it("knows peers of an earlier agent by their old numbers, and gives theirs to nobody else", () => {
    const first = running().of("set-peers");
    const old = running();
    old.object({ ...zone, mtu: 1600 });
    const epoch = old.of("set-peers")[0]?.wanted()[0]?.epoch ?? 0;
    assert.deepEqual(first, [], "no news without a change");
    const core = new ControlCore({ hostId: "h1", udpPort: 6677 }, new Prng(1), { peers: new Map([[epoch, 9]]) });
    const names = [
      { kind: "host", id: "h1" },
      { kind: "tunnel-zone", id: "z" },
    ] as const;
    const members = [{ hostId: "h0", address: "192.0.2.9" }, ...zone.members];
    core.step({ kind: "start" }, 0);
    core.step({ kind: "object", name: names[0], object: host }, 0);
    const effects = core.step({ kind: "object", name: names[1], object: { ...zone, members } }, 0);
    const peers = effects.flatMap((effect) =>
      effect.kind === "set-peers" ? effect.wanted().map((peer) => peer.peer) : [],
    );
    assert.deepEqual(peers, [10, 9]);
  });

  it("gives a freed tunnel key to nobody while it rests", () => {
    const bench = running().step({ kind: "ports", outcomes: [up(1)] });
    const first = bench.of("publish-active")[0]?.state.tunnelKey;
    bench
      .gone("port", "p1")
      .object({ ...host })
      .object(port("p1", "h1", 2))
      .step({ kind: "ports", outcomes: [up(2)] });
    assert.notEqual(bench.of("publish-active")[0]?.state.tunnelKey, first);
  });

  it("tells the datapath which ports lead to a physical network, also when that is said later", () => {
    const bench = new Bench().step({ kind: "start" });
    for (const object of [{ ...host, portIds: ["p1"] }, zone, port("p1", "h1"), { ...bridge, portIds: ["p1"] }])
      bench.object(object);
    const said = (): readonly (boolean | undefined)[] | undefined =>
      bench
        .of("set-ports")
        .at(-1)
        ?.wanted()
        .map(({ isExternal }) => isExternal);
    bench.object({ ...port("p1", "h1"), isExternal: true });
    assert.deepEqual(said(), [true]);
    bench.object(port("p1", "h1"));
    assert.deepEqual(said(), [false]);
  });

  it("offers peers a flood group as soon as two unfiltered ports of a bridge are up here, and keeps it current", () => {
    const bench = new Bench().step({ kind: "start" });
    const own = ["p1", "p3", "p4"];
    const objects = [{ ...host, portIds: own }, zone, ...own.map((id) => port(id, "h1")), { ...bridge, portIds: own }];
    for (const object of objects) bench.object(object);
    bench.step({ kind: "ports", outcomes: [up(1)] });
    assert.deepEqual(bench.of("publish-flood"), []);
    bench.step({ kind: "ports", outcomes: [up(2)] });
    assert.deepEqual(
      bench.of("set-group").map(({ vports }) => vports),
      [[1, 2]],
    );
    assert.equal(bench.of("publish-flood").length, 1);
    assert.ok(
      bench
        .of("set-tunnel-keys")
        .at(-1)
        ?.wanted()
        .some((key) => key.target.kind === "group"),
    );
    bench.step({ kind: "ports", outcomes: [up(3)] });
    assert.deepEqual(
      bench.of("set-group").map(({ vports }) => vports),
      [[1, 2, 3]],
    );
    assert.deepEqual(bench.of("publish-flood"), [], "the key stays");
    bench.object({ ...port("p3", "h1"), outboundFilterId: "c" });
    assert.deepEqual(
      bench.of("set-group").map(({ vports }) => vports.length),
      [2],
    );
    bench.object(port("p3", "h1"));
    bench.object({ ...port("p3", "h1"), isExternal: true });
    assert.deepEqual(
      bench.of("set-group").at(-1)?.vports.length,
      2,
      "what may leave to a physical network depends on the frame",
    );
    bench.object({ ...port("p4", "h1"), vlan: 5 });
    assert.equal(bench.of("withdraw-flood").length, 1, "not on a bridge with VLANs");
  });

  it("says when everything that the store was asked for has been told", () => {
    const bench = running();
    const isComplete = (): boolean => bench.of("tell-workers").some((effect) => effect.message.kind === "complete");
    bench
      .step({ kind: "active", portId: "p2", state: undefined })
      .step({ kind: "map-loaded", map: "fdb", deviceId: "b" });
    assert.ok(!isComplete());
    bench.step({ kind: "map-loaded", map: "bridge-neighbor", deviceId: "b" });
    assert.ok(isComplete());
  });

  it("takes a learned MAC address back when the last of several workers lets go", () => {
    const bench = running();
    const opinion = { map: "fdb", deviceId: "b", vlan: 0, mac: 2, portId: "p1" } as const;
    for (const worker of [0, 1]) bench.step({ kind: "worker", worker, message: { kind: "map-put", opinion } });
    bench.step({ kind: "worker", worker: 0, message: { kind: "map-remove", opinion } });
    assert.deepEqual(bench.of("map-remove"), []);
    bench.step({ kind: "worker", worker: 1, message: { kind: "map-remove", opinion } });
    assert.deepEqual(bench.of("map-remove"), [{ kind: "map-remove", opinion }]);
  });

  it("opens a bridge's maps again when the bridge comes back, and waits for them", () => {
    const bench = running();
    assert.deepEqual(
      bench
        .gone("bridge", "b")
        .of("close-map")
        .map(({ map }) => map),
      ["fdb", "bridge-neighbor"],
    );
    bench.object(bridge);
    assert.equal(bench.of("open-map").length, 2);
    assert.equal(bench.of("watch-floods").length, 1);
  });

  it("answers a worker that wants an object outside the slice that there is none", () => {
    const bench = running().step({ kind: "worker", worker: 0, message: { kind: "want", id: "x" } });
    assert.deepEqual(bench.of("tell-workers")[0]?.message, { kind: "world", change: { kind: "absent", id: "x" } });
  });

  it("says what it has no room for: nobody goes on without a rule, and without a port it is only not reached", () => {
    const bench = new Bench(5).step({ kind: "start" });
    const rule = { kind: "rule", id: "r", chainId: "c", condition: {}, action: { type: "drop" } } as const;
    const chain = { kind: "chain", id: "c", tenant: "t", name: "c", ruleIds: ["r"] } as const;
    for (const object of [host, zone, { ...port("p1", "h1"), inboundFilterId: "c" }]) bench.object(object);
    assert.equal(bench.core.objects, 5);
    const without = (): unknown[] =>
      bench.of("tell-workers").flatMap(({ message }) => (message.kind === "world" ? [message.change] : []));
    bench.object(chain);
    assert.ok(without().some((change) => isDeepStrictEqual(change, { kind: "unknown", id: "r" })));
    assert.deepEqual(
      bench.of("log").map(({ event }) => event),
      ["topology.limit"],
    );
    bench.object(bridge);
    assert.ok(without().some((change) => isDeepStrictEqual(change, { kind: "absent", id: "p2" })));
    // A worker that asks gets the same answer.
    const ask = (id: string): unknown[] => {
      bench.step({ kind: "worker", worker: 0, message: { kind: "want", id } });
      return without();
    };
    assert.deepEqual([ask("r"), ask("p2")], [[{ kind: "unknown", id: "r" }], [{ kind: "absent", id: "p2" }]]);
    bench.object({ ...bridge, portIds: ["p1"] }).object({ ...host, tunnelZoneIds: [] });
    assert.deepEqual(
      bench.of("watch-object").map(({ name }) => name.id),
      ["r"],
    );
    assert.deepEqual(
      bench.of("log").map(({ event }) => event),
      ["topology.room"],
    );
    bench.object(rule);
    assert.deepEqual(without().at(-1), { kind: "object", object: rule });
  });

  it("does not let workers go on without a damaged rule", () => {
    const bench = running().object({ ...bridge, inboundFilterId: "c" });
    bench.step({ kind: "object", name: { kind: "chain", id: "c" }, object: undefined, why: "not JSON" });
    const [told] = bench.of("tell-workers");
    assert.deepEqual(told?.message, { kind: "world", change: { kind: "unknown", id: "c" } });
  });

  it("ends each batch of news for the workers with a version", () => {
    const bench = running().object({ ...bridge, isUp: false });
    const last = bench.of("tell-workers").at(-1)?.message;
    assert.deepEqual(last, { kind: "version", version: bench.core.version });
  });
});
