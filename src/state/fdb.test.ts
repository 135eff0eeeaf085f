import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FDB_DEFAULTS, type FdbEffect, FdbLearner, type FdbSource } from "./fdb.ts";
import { PORT_BINDINGS_MAX } from "./limits.ts";

const SOURCE: FdbSource = { bridge: 1, vlan: 0, macHigh: 0x0200, macLow: 5, port: 2 };
const BINDING = { bridge: 1, vlan: 0, mac: 0x0200_0000_0005, port: 2 };

function write(binding: object = BINDING): FdbEffect {
  return { kind: "write", binding: binding as FdbEffect["binding"] };
}

function remove(binding: object = BINDING): FdbEffect {
  return { kind: "remove", binding: binding as FdbEffect["binding"] };
}

/** A learner that has written `SOURCE` for a flow that holds it. */
function held(): { readonly learner: FdbLearner; readonly reference: number } {
  const learner = new FdbLearner(FDB_DEFAULTS);
  const reference = learner.reference(SOURCE, 0);
  learner.use(reference, 0);
  learner.held(reference);
  assert.deepEqual(learner.process(0), [write()]);
  return { learner, reference };
}

describe("an FDB learner", () => {
  it("writes a binding at its first packet, once", () => {
    const learner = new FdbLearner(FDB_DEFAULTS);
    const reference = learner.reference(SOURCE, 0);
    assert.deepEqual(learner.process(0), [], "a look alone writes nothing");
    learner.use(reference, 1);
    learner.use(learner.reference(SOURCE, 2), 2);
    assert.equal(learner.reference(SOURCE, 2), reference);
    assert.deepEqual(learner.process(3), [write()]);
  });

  it("keeps a binding as long as a flow holds it", () => {
    const { learner } = held();
    for (let now = 0; now < 600_000; now += 1_000) assert.deepEqual(learner.process(now), []);
    assert.equal(learner.shouldProcess(600_000), false);
    assert.equal(learner.nextAt(), Number.POSITIVE_INFINITY);
  });

  it("takes it back 15 s after the last flow, at a sweep", () => {
    const { learner, reference } = held();
    learner.process(100_000);
    learner.released(reference);
    assert.equal(learner.shouldProcess(100_000), true);
    for (let now = 100_000; now < 115_000; now += 1_000) assert.deepEqual(learner.process(now), [], String(now));
    const swept = [115_000, 116_000, 117_000].flatMap((now) => learner.process(now));
    assert.deepEqual(swept, [remove()]);
    assert.equal(learner.size, 0);
  });

  it("counts each flow", () => {
    const { learner, reference } = held();
    learner.held(reference);
    learner.released(reference);
    assert.deepEqual(learner.process(60_000), []);
    learner.released(reference);
    assert.deepEqual(learner.process(62_000), []);
    assert.deepEqual(learner.process(78_000), [remove()]);
  });

  it("keeps a binding whose flow comes back while it lingers", () => {
    const { learner, reference } = held();
    learner.released(reference);
    learner.process(10_000);
    learner.held(learner.reference(SOURCE, 10_000));
    assert.deepEqual(learner.process(60_000), []);
  });

  it("forgets a packet that never became a flow", () => {
    const learner = new FdbLearner(FDB_DEFAULTS);
    learner.use(learner.reference(SOURCE, 0), 0);
    assert.deepEqual(learner.process(0), [write()]);
    assert.deepEqual(learner.process(20_000), [remove()]);
  });

  it("writes again when another port has taken the address and it comes back", () => {
    const { learner, reference } = held();
    const key = { bridge: 1, vlan: 0, mac: BINDING.mac };
    learner.notify(key, 9);
    learner.use(reference, 1);
    assert.deepEqual(learner.process(1), [write()]);
    learner.notify(key, 2);
    learner.use(reference, 2);
    assert.deepEqual(learner.process(2), []);
  });

  it("takes nothing back that has been superseded", () => {
    const { learner, reference } = held();
    learner.notify({ bridge: 1, vlan: 0, mac: BINDING.mac }, 9);
    learner.released(reference);
    assert.deepEqual(learner.process(60_000), []);
    assert.equal(learner.size, 0);
  });

  it("tells ports, VLANs and bridges apart", () => {
    const { learner, reference } = held();
    const others = [
      { ...SOURCE, port: 3 },
      { ...SOURCE, vlan: 10 },
      { ...SOURCE, bridge: 4 },
    ];
    const references = others.map((source) => learner.reference(source, 0));
    assert.equal(new Set([reference, ...references]).size, 4);
    for (const other of references) learner.use(other, 0);
    assert.equal(learner.process(0).length, 3);
    assert.equal(learner.process(20_000).length, 3, "each goes by itself");
    assert.equal(learner.reference(SOURCE, 20_000), reference);
  });

  it("learns no more addresses at a port than its limit, other ports go on", () => {
    const learner = new FdbLearner(FDB_DEFAULTS);
    for (let i = 0; i < PORT_BINDINGS_MAX; i++) assert.notEqual(learner.reference({ ...SOURCE, macLow: i }, 0), 0);
    assert.equal(learner.reference({ ...SOURCE, macLow: 0xffff }, 0), 0);
    learner.use(0, 0);
    assert.equal(learner.counters.get("fdb_refused"), 1);
    assert.notEqual(learner.reference({ ...SOURCE, port: 3 }, 0), 0);
    learner.process(60_000);
    assert.notEqual(learner.reference({ ...SOURCE, macLow: 0xffff }, 60_000), 0, "room again after a sweep");
  });
});
