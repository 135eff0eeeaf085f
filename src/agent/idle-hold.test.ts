import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { IdleHold } from "./idle-hold.ts";
import { HOLD_AFTER_WAKES, HOLD_MS } from "./limits.ts";

describe("idle hold", () => {
  let said: string[];
  let hold: IdleHold;

  beforeEach(() => {
    said = [];
    const request = {
      begin: () => void said.push("begin"),
      end: () => void said.push("end"),
      close: () => void said.push("close"),
    };
    hold = new IdleHold(request, () => said.push("counted"));
  });

  function wake(times: number, from: number, gap: number): void {
    for (let i = 0; i < times; i++) hold.turn(from + i * gap, true);
  }

  it("begins when several wake-ups follow each other closely, once", () => {
    wake(HOLD_AFTER_WAKES - 1, 0, 1);
    assert.deepEqual(said, []);
    wake(3, HOLD_AFTER_WAKES, 1);
    assert.deepEqual(said, ["begin", "counted"]);
  });

  it("does not begin for wake-ups that are far apart", () => {
    wake(100, 0, HOLD_MS);
    assert.deepEqual(said, []);
    assert.equal(hold.endsAt, Number.POSITIVE_INFINITY);
  });

  it("goes on as long as wake-ups come, ends when none came for a while, and begins anew", () => {
    wake(100, 0, 1);
    hold.turn(99 + HOLD_MS - 1, false);
    assert.equal(said.includes("end"), false);
    assert.equal(hold.endsAt, 99 + HOLD_MS);
    hold.turn(hold.endsAt, false);
    assert.equal(said.at(-1), "end");
    wake(1, 200, 1);
    assert.equal(said.at(-1), "end");
    wake(HOLD_AFTER_WAKES, 201, 1);
    assert.equal(said.at(-1), "counted");
  });
});
