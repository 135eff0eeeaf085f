import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { GROUP_HEADER_WORDS, GROUP_MAX, GROUP_OUTPUT_WORDS, GROUP_OUTPUTS } from "../../flow/layout.ts";
import { type GroupContent, Groups, localGroup } from "./groups.ts";
import { GROUP_REST_MS } from "./limits.ts";

const RECORD_WORDS = GROUP_HEADER_WORDS + GROUP_OUTPUTS * GROUP_OUTPUT_WORDS;

function flood(vport: number): GroupContent {
  return { ...localGroup([vport]), hash: vport };
}

describe("flood groups of a worker", () => {
  const records = new Uint32Array(GROUP_MAX * RECORD_WORDS);
  const targetOf = (group: number): number => records[group * RECORD_WORDS + GROUP_HEADER_WORDS + 1] as number;

  it("gives equal floods one group", () => {
    const groups = new Groups(records, { worker: 0, workers: 1 });
    assert.equal(groups.intern(flood(7)), groups.intern(flood(7)));
  });

  it("leaves a group alone that a frame was just sent to, though no flow uses it", () => {
    const groups = new Groups(records, { worker: 0, workers: 1 });
    const first = groups.intern(flood(7));
    const second = groups.intern(flood(8));
    assert.notEqual(second, first);
    assert.equal(targetOf(first), 7);
    groups.setNow(GROUP_REST_MS);
    assert.equal(groups.intern(flood(9)), first);
  });

  it("lets a group rest after its last flow went", () => {
    const groups = new Groups(records, { worker: 0, workers: 1 });
    const first = groups.intern(flood(7));
    groups.use(1, first);
    groups.setNow(5 * GROUP_REST_MS);
    groups.use(1, 0);
    assert.notEqual(groups.intern(flood(8)), first);
  });

  it("leaves a group alone that a flow of an earlier agent still uses, and takes none of another worker's", () => {
    const earlier = new Groups(records, { worker: 0, workers: 2 });
    const left = earlier.intern(flood(7));
    const groups = new Groups(records, { worker: 0, workers: 2 });
    assert.ok(groups.adopt(1, left));
    assert.notEqual(groups.intern(flood(8)), left);
    assert.equal(targetOf(left), 7);
    assert.equal(groups.adopt(2, GROUP_MAX - 1), false);
    groups.use(1, 0);
    groups.setNow(GROUP_REST_MS);
    assert.equal(groups.intern(flood(9)), left);
  });

  it("has none left when all are used or rest", () => {
    const groups = new Groups(records, { worker: 0, workers: 1 });
    let last = 1;
    for (let vport = 1; last !== 0; vport++) last = groups.intern(flood(vport));
    groups.setNow(GROUP_REST_MS);
    assert.notEqual(groups.intern(flood(4000)), 0);
  });
});
