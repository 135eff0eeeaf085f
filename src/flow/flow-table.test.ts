import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Prng } from "../base/prng.ts";
import { type FlowMemory, FlowTable } from "./flow-table.ts";
import {
  ACTION_DROP,
  ACTION_VPORT,
  ACTION_WORDS,
  BUCKET_GENERATION,
  BUCKET_WAYS,
  BUCKET_WORDS,
  CLASS_FULL,
  CLASS_L2,
  CLASS_WORDS,
  CONTROL_BUCKETS,
  CONTROL_ORDER,
  CONTROL_SECRETS,
  CONTROL_WORDS,
  COUNTER_WORDS,
  KEY_WORDS,
  SHARD_COUNT,
  SLOT_ACTION,
} from "./layout.ts";

interface NewTable {
  readonly table: FlowTable;
  readonly buckets: Uint32Array;
  readonly memory: FlowMemory;
}

function newTable(bucketsPerShard: number): NewTable {
  const control = new Uint32Array(CONTROL_WORDS);
  control[CONTROL_BUCKETS] = bucketsPerShard;
  control.set([0x1234_5678, 0x9abc_def1, 0x85eb_ca6b, 0xc2b2_ae35], CONTROL_SECRETS);
  const count = bucketsPerShard * SHARD_COUNT;
  const buckets = new Uint32Array(count * BUCKET_WORDS);
  const counters = new Uint32Array(count * COUNTER_WORDS);
  const memory = { control, buckets, counters };
  return { table: new FlowTable(memory, 16), buckets, memory };
}

function action(kind: number, target: number): Uint32Array {
  const words = new Uint32Array(ACTION_WORDS);
  words.set([kind, target]);
  return words;
}

function put(
  table: FlowTable,
  key: Uint32Array,
  options: { flowClass: number; action: Uint32Array; now?: number },
): number {
  const now = options.now ?? 0;
  const slot = table.place(key, 0, { flowClass: options.flowClass, shard: 3, now });
  if (table.placement !== "free") table.remove(slot);
  table.write(slot, { key, keyOffset: 0, flowClass: options.flowClass, action: options.action, actionOffset: 0, now });
  return slot;
}

const words = fc.array(fc.integer({ min: 0, max: 0xffff_ffff }), { minLength: KEY_WORDS, maxLength: KEY_WORDS });

describe("flow table", () => {
  it("finds a flow by every key that agrees in the words of its class, and by no other", () => {
    fc.assert(
      fc.property(
        words,
        fc.integer({ min: 0, max: CLASS_FULL }),
        fc.integer({ min: 0, max: KEY_WORDS - 1 }),
        (list, flowClass, at) => {
          const { table } = newTable(4);
          const key = Uint32Array.from(list);
          key[0] = (key[0] as number) & 0x0fff_000f;
          const slot = put(table, key, { flowClass, action: action(ACTION_VPORT, 1) });
          const other = key.slice();
          other[at] = (other[at] as number) ^ 1;
          const expected = at >= (CLASS_WORDS[flowClass] as number) ? slot : -1;
          assert.equal(table.find(key, 0, { flowClass, shard: 3 }), slot);
          assert.equal(table.find(other, 0, { flowClass, shard: 3 }), expected);
        },
      ),
    );
  });

  it("keeps flows of two classes with equal words apart", () => {
    const { table } = newTable(4);
    const key = new Uint32Array(KEY_WORDS);
    key[0] = 1;
    const coarse = put(table, key, { flowClass: CLASS_L2, action: action(ACTION_VPORT, 1) });
    const fine = put(table, key, { flowClass: CLASS_FULL, action: action(ACTION_VPORT, 2) });
    assert.notEqual(coarse, fine);
    assert.equal(table.classAt(coarse), CLASS_L2);
    assert.equal(table.words[table.keyAt(fine) + SLOT_ACTION + 1], 2);
  });

  it("leaves an even generation after a write and an odd one after a removal, and never repeats one", () => {
    const { table, buckets } = newTable(1);
    const key = new Uint32Array(KEY_WORDS);
    const seen = new Set<number>();
    for (let i = 0; i < 5; i++) {
      const slot = put(table, key, { flowClass: CLASS_L2, action: action(ACTION_VPORT, i) });
      const at =
        ((slot - (slot % BUCKET_WAYS)) / BUCKET_WAYS) * BUCKET_WORDS + BUCKET_GENERATION + (slot % BUCKET_WAYS);
      const generation = buckets[at] as number;
      assert.equal(generation & 1, 0);
      assert.ok(!seen.has(generation));
      seen.add(generation);
      table.overwrite(slot, action(ACTION_VPORT, 100 + i), 0);
      assert.equal((buckets[at] as number) & 1, 0);
      seen.add(buckets[at] as number);
      table.remove(slot);
      assert.equal((buckets[at] as number) & 1, 1);
      assert.equal(table.isLive(slot), false);
    }
  });

  it("evicts the least recently used of sixteen candidates, drop flows before others", () => {
    const { table } = newTable(1);
    const key = new Uint32Array(KEY_WORDS);
    const slots: number[] = [];
    for (let i = 0; i < BUCKET_WAYS; i++) {
      key[15] = i;
      slots.push(
        put(table, key, {
          flowClass: CLASS_FULL,
          action: action(i === 5 ? ACTION_DROP : ACTION_VPORT, 1),
          now: 100 - i,
        }),
      );
    }
    key[15] = 99;
    assert.equal(table.place(key, 0, { flowClass: CLASS_FULL, shard: 3, now: 200 }), slots[5]);
    assert.equal(table.placement, "evict");
    table.remove(slots[5] as number);
    put(table, key, { flowClass: CLASS_FULL, action: action(ACTION_VPORT, 1), now: 200 });
    key[15] = 100;
    assert.equal(table.place(key, 0, { flowClass: CLASS_FULL, shard: 3, now: 200 }), slots[7]);
  });

  it("evicts flows of a port above its quota first", () => {
    const { table } = newTable(1);
    table.setQuota(2);
    const key = new Uint32Array(KEY_WORDS);
    for (let i = 0; i < BUCKET_WAYS; i++) {
      key[0] = i < 3 ? 7 : 8 + (i % 5);
      key[15] = i;
      put(table, key, { flowClass: CLASS_FULL, action: action(ACTION_VPORT, 1), now: i < 3 ? 500 : 1 });
    }
    key[15] = 77;
    const victim = table.place(key, 0, { flowClass: CLASS_FULL, shard: 3, now: 600 });
    assert.equal((table.words[table.keyAt(victim)] as number) & 0xffff, 7);
  });

  it("throws out under 2 % of live flows at 3/4 of its slots", () => {
    const { table } = newTable(64);
    const prng = new Prng(7);
    const key = new Uint32Array(KEY_WORDS);
    const perShard = (64 * BUCKET_WAYS * 3) / 4;
    let evicted = 0;
    for (let i = 0; i < perShard; i++) {
      for (let w = 1; w < KEY_WORDS; w++) key[w] = prng.u32();
      put(table, key, { flowClass: CLASS_FULL, action: action(ACTION_VPORT, 1), now: i });
      if (table.placement === "evict") evicted++;
    }
    assert.ok(evicted < perShard * 0.02, `${evicted} of ${perShard}`);
  });
});

describe("flow table of an earlier process", () => {
  it("takes sound flows over, and frees slots that were being written", () => {
    const { table, memory } = newTable(4);
    const key = new Uint32Array(KEY_WORDS);
    const sound = put(table, key, { flowClass: CLASS_FULL, action: action(ACTION_VPORT, 1) });
    key[15] = 1;
    const torn = put(table, key, { flowClass: CLASS_FULL, action: action(ACTION_VPORT, 1) });
    table.revoke(torn);
    const next = new FlowTable(memory, 16);
    assert.deepEqual(next.takeOver([3]), [sound]);
    assert.equal(next.isLive(torn), false);
    assert.equal(memory.control[CONTROL_ORDER + 3], CLASS_FULL + 1);
  });
});
