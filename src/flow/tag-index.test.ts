import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { ExpiryWheel } from "./expiry-wheel.ts";
import { SlotNotes } from "./slot-notes.ts";
import { TagIndex, type TagList } from "./tag-index.ts";

function list(tags: readonly number[], references: readonly number[] = []): TagList {
  const hash = [...tags, ...references].reduce((h, t) => (Math.imul(h, 31) + t) >>> 0, 1);
  return {
    tags: Uint32Array.from(tags),
    count: tags.length,
    references: Uint32Array.from(references),
    referenceCount: references.length,
    hash,
  };
}

function slotsOf(index: TagIndex, tag: number): number[] {
  const slots: number[] = [];
  index.forEach(tag, (slot) => slots.push(slot));
  return slots.sort((a, b) => a - b);
}

const ignore = { held: () => undefined, released: () => undefined };

describe("tag index", () => {
  it("agrees with a plain map from tags to slots under any sequence of changes", () => {
    const change = fc.tuple(
      fc.integer({ min: 0, max: 15 }),
      fc.option(fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { maxLength: 4 })),
    );
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
        const index = new TagIndex(new SlotNotes(16), ignore, 3);
        const model = new Map<number, readonly number[]>();
        for (const [slot, tags] of changes) {
          if (tags === null) index.remove(slot);
          else index.add(slot, list(tags));
          if (tags === null) model.delete(slot);
          else model.set(slot, tags);
          for (let tag = 1; tag <= 6; tag++) {
            const expected = [...model]
              .filter(([, own]) => own.includes(tag))
              .map(([s]) => s)
              .sort((a, b) => a - b);
            assert.deepEqual(slotsOf(index, tag), expected);
          }
        }
      }),
    );
  });

  it("keeps sets apart whose hashes collide", () => {
    const index = new TagIndex(new SlotNotes(4), ignore, 8);
    index.add(0, { ...list([1, 2]), hash: 5 });
    index.add(1, { ...list([3]), hash: 5 });
    assert.deepEqual(slotsOf(index, 3), [1]);
    assert.equal(index.setCount, 2);
  });

  it("holds references from the first flow of a set to its last", () => {
    const events: string[] = [];
    const index = new TagIndex(
      new SlotNotes(8),
      { held: (r) => events.push(`held ${r}`), released: (r) => events.push(`released ${r}`) },
      8,
    );
    index.add(0, list([1], [42]));
    index.add(1, list([1], [42]));
    index.remove(0);
    assert.deepEqual(events, ["held 42"]);
    index.remove(1);
    assert.deepEqual(events, ["held 42", "released 42"]);
  });

  it("forgets idle sets above its limit and nothing else", () => {
    const index = new TagIndex(new SlotNotes(64), ignore, 4);
    index.add(63, list([1000]));
    for (let i = 0; i < 20; i++) {
      index.add(0, list([i + 1]));
      index.remove(0);
    }
    assert.ok(index.setCount <= 6, String(index.setCount));
    assert.deepEqual(slotsOf(index, 1000), [63]);
  });
});

describe("expiry wheel", () => {
  it("expires each slot at its tick and not before, whatever was armed, armed again or disarmed", () => {
    const change = fc.tuple(
      fc.integer({ min: 0, max: 7 }),
      fc.integer({ min: 0, max: 20 }),
      fc.integer({ min: 0, max: 3 }),
    );
    fc.assert(
      fc.property(fc.array(change, { maxLength: 80 }), (changes) => {
        const wheel = new ExpiryWheel(new SlotNotes(8), 100);
        const due = new Map<number, number>();
        let now = 100;
        for (const [slot, ticks, pause] of changes) {
          if (ticks === 0) wheel.disarm(slot);
          else wheel.arm(slot, ticks);
          if (ticks === 0) due.delete(slot);
          else due.set(slot, now + ticks);
          now += pause;
          for (let got = wheel.next(now); got >= 0; got = wheel.next(now)) {
            assert.ok((due.get(got) ?? Number.POSITIVE_INFINITY) <= now);
            due.delete(got);
          }
          for (const at of due.values()) assert.ok(at > now);
          for (const [slot, at] of due) {
            assert.ok(wheel.expiresWithin(slot, at - now));
            assert.ok(!wheel.expiresWithin(slot, at - now - 1));
          }
        }
      }),
    );
  });
});
