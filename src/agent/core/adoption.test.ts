import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { BridgeWorker, vm } from "./fixture/bridge-worker.ts";

describe("flows that an earlier process left", () => {
  let bench: BridgeWorker;

  beforeEach(async () => {
    bench = new BridgeWorker();
    await bench.open();
    for (const [from, to] of [
      [1, 2],
      [2, 1],
      [1, 2],
      [2, 1],
    ] as const)
      bench.send(from, to);
  });

  function restart(stations: readonly (readonly [number, string])[]): void {
    bench.claims.clear();
    bench.replace();
    bench.tellWorld();
    for (const [n, portId] of stations) bench.tellStation(n, portId);
    bench.tell({ kind: "complete" });
    bench.turns();
  }

  const actions = (): readonly string[] =>
    bench
      .flows()
      .map(({ key, action }) => `${key} ${action}`)
      .sort();

  it("stay, and keep alive what their packets had taught, when the store has forgotten it", () => {
    const before = actions();
    restart([]);
    assert.deepEqual([...bench.claims].sort(), [
      [vm(1), "p1"],
      [vm(2), "p2"],
    ]);
    assert.equal(bench.count("weft_worker_flows_removed"), 0);
    assert.deepEqual(actions(), before);
    assert.ok(bench.flows().every(({ tags }) => tags > 0));
  });

  for (const inUse of [1, 2] as const) {
    it(`are simulated again in order of use: vm${inUse} sends, the other does not`, () => {
      bench.pass(10_000);
      bench.send(inUse, 3 - inUse);
      restart([]);
      assert.deepEqual([...bench.claims.keys()], [vm(inUse), vm(3 - inUse)]);
    });
  }

  it("claim again what the store still has of us: nobody else would", () => {
    restart([
      [1, "p1"],
      [2, "p2"],
    ]);
    assert.deepEqual([...bench.claims].sort(), [
      [vm(1), "p1"],
      [vm(2), "p2"],
    ]);
  });

  it("never claim an address that another has claimed since: such a flow goes", () => {
    restart([
      [1, "p3"],
      [2, "p2"],
    ]);
    assert.deepEqual([...bench.claims], [[vm(2), "p2"]]);
    assert.ok(bench.flows().length > 0);
    assert.ok(bench.count("weft_worker_flows_removed") > 0);
  });

  it("are no evidence when nothing has used them for longer than an address is remembered", () => {
    bench.clock.advance(20_000);
    restart([]);
    assert.deepEqual([...bench.claims], []);
    assert.deepEqual(bench.flows(), []);
  });

  it("leave an address that no packet uses any more like all others", () => {
    restart([]);
    bench.pass(120_000);
    assert.deepEqual([...bench.claims], []);
  });

  it("packets that wait in the rings are answered when the world is complete, not before", () => {
    bench.replace();
    const before = bench.received["vm3"];
    bench.send(1, 3);
    bench.turns();
    assert.equal(bench.received["vm3"], before, "held");
    assert.ok(bench.core.isHeld);
    bench.tellWorld();
    bench.turns();
    assert.equal(bench.received["vm3"], before, "still held: where stations are may yet come");
    bench.tell({ kind: "complete" });
    bench.turns();
    assert.equal(bench.received["vm3"], (before ?? 0) + 1);
    assert.ok(!bench.core.isHeld);
  });

  it("a world that does not become complete does not hold the rings for ever", () => {
    bench.replace();
    bench.tellWorld();
    const before = bench.received["vm3"] ?? 0;
    bench.clock.advance(1_900);
    bench.send(1, 3);
    assert.equal(bench.received["vm3"], before);
    bench.clock.advance(200);
    bench.turns();
    assert.equal(bench.received["vm3"], before + 1);
  });
});
