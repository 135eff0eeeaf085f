import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualScheduler } from "../base/scheduler.ts";
import { until } from "./until.ts";

/** Lets promises run, then fires what waits, until nothing does. */
async function drive(scheduler: VirtualScheduler): Promise<void> {
  do await new Promise((resolve) => setImmediate(resolve));
  while (scheduler.step());
}

test("the first answer ends the wait", async () => {
  const scheduler = new VirtualScheduler();
  let asked = 0;
  const waiting = until({ scheduler, withinMs: 1_000, everyMs: 10 }, () => (++asked === 3 ? "yes" : undefined));
  await drive(scheduler);
  assert.equal(await waiting, "yes");
  assert.equal(scheduler.clock.now(), 20);
});

test("when the time is over there is no answer, and one is asked for at its very end", async () => {
  const scheduler = new VirtualScheduler();
  let askedAt = -1;
  const waiting = until({ scheduler, withinMs: 100, everyMs: 10 }, () => {
    askedAt = scheduler.clock.now();
    return undefined;
  });
  await drive(scheduler);
  assert.equal(await waiting, undefined);
  assert.equal(askedAt, 100);
});
