import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualScheduler } from "../base/scheduler.ts";
import { DropHistory } from "./drop-history.ts";

test("what was dropped lately is told without what was dropped before, most first", () => {
  const scheduler = new VirtualScheduler();
  const counts = new Map([["no-route", 100]]);
  const history = new DropHistory(scheduler, () => [...counts].map(([reason, packets]) => ({ reason, packets })));
  const recent = () => history.recent().drops.map(({ reason, packets }) => `${reason} ${packets}`);
  assert.deepEqual(recent(), []);
  counts.set("no-route", 103).set("filter", 7);
  assert.deepEqual(recent(), ["filter 7", "no-route 3"]);
  for (let i = 0; i < 5; i++) scheduler.step();
  assert.deepEqual(recent(), ["filter 7", "no-route 3"]);
  assert.equal(history.recent().spanMs, 50_000);
  for (let i = 0; i < 5; i++) scheduler.step();
  assert.deepEqual(recent(), []);
  assert.equal(history.recent().spanMs, 60_000);
  history.close();
  assert.equal(scheduler.nextAt(), undefined);
});
