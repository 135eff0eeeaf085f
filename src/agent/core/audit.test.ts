import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { FlowTable } from "../../flow/flow-table.ts";
import { SLOT_ACTION, VPORT_MAX } from "../../flow/layout.ts";
import { BridgeWorker } from "./fixture/bridge-worker.ts";

/** Longer than one round over a small table takes. */
const A_ROUND_MS = 5_000;

describe("the audit of installed flows", () => {
  let bench: BridgeWorker;

  beforeEach(async () => {
    bench = new BridgeWorker();
    await bench.open();
    for (const [from, to] of [
      [1, 2],
      [2, 1],
      [1, 3],
      [3, 1],
      [1, 2],
    ] as const)
      bench.send(from, to);
    assert.ok(bench.flows().length >= 4);
    assert.deepEqual(differences(), []);
  });

  function differences(): readonly { readonly installed: string; readonly wanted: string }[] {
    return bench.messages.flatMap((message) => (message.kind === "audit" ? [message] : []));
  }

  function flowTo(vport: number): number {
    const flow = bench.flows().find(({ action }) => action.includes(`vport ${vport}`) || action.includes(`${vport}`));
    assert.ok(flow !== undefined, JSON.stringify(bench.flows()));
    return flow.slot;
  }

  it("looks at every flow, again and again, and finds nothing where nothing is wrong", () => {
    const before = bench.flows();
    bench.pass(3 * A_ROUND_MS);
    assert.ok(bench.count("weft_worker_audit_flows") >= 2 * before.length);
    assert.equal(bench.count("weft_worker_audit_differences"), 0);
    assert.deepEqual(
      bench.flows().map(({ slot, action }) => [slot, action]),
      before.map(({ slot, action }) => [slot, action]),
    );
  });

  it("a word of an action that was changed in the shared memory is put right, counted and told", () => {
    const [flow] = bench.flows();
    assert.ok(flow !== undefined);
    const { buckets } = bench.datapath.memory;
    const at = bench.actionAt(flow.slot) + 1;
    buckets[at] = ((buckets[at] as number) + 1) >>> 0;
    const corrupted = bench.flows().find(({ slot }) => slot === flow.slot)?.action;
    assert.notEqual(corrupted, flow.action);
    bench.pass(A_ROUND_MS);
    assert.equal(bench.count("weft_worker_audit_differences"), 1);
    const [told] = differences();
    assert.deepEqual([told?.installed, told?.wanted], [corrupted, flow.action]);
    assert.equal(bench.flows().find(({ slot }) => slot === flow.slot)?.action, flow.action);
  });

  it("a flow that nobody has a record of gets its tags: the next change reaches it", () => {
    // As a bug would: written past the book, which therefore would never hear of a change for it.
    const [flow] = bench.flows();
    assert.ok(flow !== undefined);
    const table = new FlowTable(bench.datapath.memory, VPORT_MAX);
    const at = table.keyAt(flow.slot);
    const key = table.words.slice(at, at + 16);
    key[0] = (key[0] as number) & 0x0fff_ffff;
    const action = table.words.slice(at + SLOT_ACTION, at + SLOT_ACTION + 8);
    const shard = table.shardAt(flow.slot);
    const flowClass = table.classAt(flow.slot);
    key[flowClass === 0 ? 1 : 3] = 0x4d4d_4d4d;
    const slot = table.place(key, 0, { flowClass, shard, now: 0 });
    table.write(slot, { key, keyOffset: 0, flowClass, action, actionOffset: 0, now: bench.clock.now() });
    assert.equal(bench.flows().find((one) => one.slot === slot)?.tags, 0);
    bench.pass(A_ROUND_MS);
    assert.ok(bench.count("weft_worker_audit_differences") >= 1);
    const after = bench.flows().find((one) => one.slot === slot);
    assert.ok(after === undefined || after.tags > 0, "gone, or with its tags");
  });

  it("a flow of a port that is gone goes", () => {
    const slot = flowTo(2);
    const { buckets } = bench.datapath.memory;
    const at = bench.actionAt(slot) - SLOT_ACTION;
    // Its key says another vport, which no port has.
    buckets[at] = ((buckets[at] as number) & 0xffff_0000) | 77;
    bench.pass(A_ROUND_MS);
    assert.ok(bench.count("weft_worker_audit_differences") >= 1);
    const after = bench.flows().find((one) => one.slot === slot);
    assert.ok(after === undefined || after.action.startsWith("drop"), after?.action ?? "");
  });

  it("waits until the world is complete", () => {
    bench.replace();
    bench.pass(A_ROUND_MS);
    assert.equal(bench.count("weft_worker_audit_flows"), 0);
  });

  it("a flow whose teaching is still on its way to the store is what it ought to be", () => {
    bench.send(2, 3);
    for (let i = 0; i < 8; i++) {
      bench.clock.advance(1_000);
      bench.turns(false);
    }
    assert.equal(bench.count("weft_worker_audit_differences"), 0);
  });
});
