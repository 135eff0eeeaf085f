import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Prng } from "./prng.ts";

const draw = (prng: Prng, count: number): readonly number[] => Array.from({ length: count }, () => prng.u32());

test("one seed gives one sequence, pinned here because seeds of failures are written down", () => {
  assert.deepEqual(draw(new Prng(1), 4), draw(new Prng(1), 4));
  assert.notDeepEqual(draw(new Prng(1), 4), draw(new Prng(2), 4));
  assert.deepEqual(draw(new Prng(42), 3), [2887583565, 2293090523, 2716497665]);
});

test("a fork does not depend on how many numbers its parent gives afterwards", () => {
  const [one, other] = [new Prng(9), new Prng(9)];
  const [forkOfOne, forkOfOther] = [one.fork(), other.fork()];
  draw(one, 100);
  assert.deepEqual(draw(forkOfOne, 5), draw(forkOfOther, 5));
});

test("numbers stay in their range for any seed and bound", () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 0x1_0000_0000 }), (seed, bound) => {
      const prng = new Prng(seed);
      const [word, part, below] = [prng.u32(), prng.float(), prng.below(bound)];
      return word >= 0 && word < 2 ** 32 && part >= 0 && part < 1 && below >= 0 && below < bound;
    }),
  );
});

test("every bucket of a thousand draws is near its share", () => {
  const counts = new Uint32Array(10);
  const prng = new Prng(7);
  for (let i = 0; i < 10_000; i++) counts[prng.below(10)]! += 1;
  for (const count of counts) assert.ok(count > 850 && count < 1_150, String(count));
});

test("picking from an empty list is a bug", () => {
  assert.equal(new Prng(1).pick(["only"]), "only");
  assert.throws(() => new Prng(1).pick([]), /empty list/);
});
