import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { BatchPolicy } from "./batch-policy.ts";
import {
  BATCH_BARRED_MS,
  BATCH_FROM_RATE,
  BATCH_KEEP_RATE,
  BATCH_WAIT_MS,
  BATCH_WELL_FACTOR,
  BATCH_WINDOW_MS,
} from "./limits.ts";

const FAST = BATCH_FROM_RATE;
const MIDDLE = (BATCH_FROM_RATE + BATCH_KEEP_RATE) / 2;
const SLOW = BATCH_KEEP_RATE / 2;
const WINDOWS = 4;
const TOO_LONG = BATCH_WAIT_MS + 0.1;

describe("batch policy", () => {
  let said: string[];
  let policy: BatchPolicy;
  let now: number;
  let upcalls: number;

  beforeEach(() => {
    said = [];
    now = 1_000;
    upcalls = 0;
    const request = { begin: () => void said.push("begin"), end: () => void said.push("end") };
    policy = new BatchPolicy(request, { onBegin: () => void said.push("count"), onBar: () => void said.push("bar") });
  });

  /** A turn each half millisecond, with so many upcalls a millisecond; what was asked for meanwhile. */
  function come(rate: number, span = WINDOWS * BATCH_WINDOW_MS, waited = 0): readonly string[] {
    said.length = 0;
    for (const end = now + span; now < end; ) {
      now += 0.5;
      upcalls += rate / 2;
      policy.turn(now, { upcalls, waited });
    }
    return [...said];
  }

  function waits(waited: number): readonly string[] {
    said.length = 0;
    now += 0.1;
    upcalls++;
    policy.turn(now, { upcalls, waited });
    return [...said];
  }

  const table: readonly (readonly [string, () => void, () => readonly string[], readonly string[]])[] = [
    ["single upcalls begin nothing", () => undefined, () => come(SLOW), []],
    ["neither do some more", () => undefined, () => come(MIDDLE), []],
    ["many begin it, once", () => undefined, () => come(FAST), ["begin", "count"]],
    ["some more keep it", () => come(FAST), () => come(MIDDLE), []],
    ["single ones end it", () => come(FAST), () => come(SLOW), ["end"]],
    ["it begins again", () => [come(FAST), come(SLOW)], () => come(FAST), ["begin", "count"]],
    ["a wait within the limit is none", () => come(FAST), () => waits(BATCH_WAIT_MS), []],
    ["one that was too long ends it at once", () => come(FAST), () => waits(TOO_LONG), ["end", "bar"]],
    ["outside of it nobody has waited for it", () => come(SLOW), () => waits(TOO_LONG), []],
    [
      "it stays ruled out for a while",
      () => [come(FAST), waits(TOO_LONG)],
      () => come(FAST, BATCH_BARRED_MS.least - 1),
      [],
    ],
    ["and no longer", () => [come(FAST), waits(TOO_LONG)], () => come(FAST), ["begin", "count"]],
  ];
  for (const [what, before, act, expected] of table) {
    it(what, () => {
      before();
      assert.deepEqual(act(), expected);
    });
  }

  it("a burst after a pause is not taken for many in the pause, nor the pause for its rate", () => {
    come(SLOW);
    now += 1_000;
    upcalls += 1_000;
    assert.deepEqual(waits(0), []);
    assert.deepEqual(come(FAST), ["begin", "count"]);
  });

  it("is due at the end of a window while it lasts, so that what comes alone afterwards is not met by it", () => {
    assert.equal(policy.endsAt, Number.POSITIVE_INFINITY);
    come(FAST);
    assert.ok(policy.endsAt > now && policy.endsAt <= now + BATCH_WINDOW_MS);
    now = policy.endsAt + BATCH_WINDOW_MS;
    said.length = 0;
    policy.turn(now, { upcalls, waited: 0 });
    assert.deepEqual(said, ["end"]);
    assert.equal(policy.endsAt, Number.POSITIVE_INFINITY);
  });

  it("is tried ever more seldom where somebody computes all the time, and soon again when that was a moment's", () => {
    const gaps: number[] = [];
    for (let i = 0; i < 10; i++) {
      const from = now;
      while (!come(FAST, 0.5).includes("begin")) assert.ok(now < from + 2 * BATCH_BARRED_MS.most);
      gaps.push(now - from);
      assert.deepEqual(waits(TOO_LONG), ["end", "bar"]);
    }
    for (const [i, gap] of gaps.slice(2).entries()) assert.ok(gap >= Math.min(BATCH_BARRED_MS.most, gaps[i] as number));
    const last = gaps.at(-1) as number;
    assert.ok(last >= BATCH_BARRED_MS.most && last <= BATCH_BARRED_MS.most + 2 * BATCH_WINDOW_MS);
    come(FAST, BATCH_BARRED_MS.most * (BATCH_WELL_FACTOR + 2));
    waits(TOO_LONG);
    assert.deepEqual(come(FAST, BATCH_BARRED_MS.least + 2 * BATCH_WINDOW_MS), ["begin", "count"]);
  });
});
