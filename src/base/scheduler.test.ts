import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { sleep, systemScheduler, VirtualScheduler } from "./scheduler.ts";

function runAll(scheduler: VirtualScheduler): void {
  while (scheduler.step());
}

test("callbacks run in order of time, then of creation, and time stands at each", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20), { maxLength: 60 }), (spans) => {
      const scheduler = new VirtualScheduler();
      const ran: [number, number][] = [];
      spans.forEach((span, i) => {
        scheduler.after(span, () => ran.push([scheduler.clock.now(), i]));
      });
      runAll(scheduler);
      const wanted = spans.map((span, i): [number, number] => [span, i]).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
      assert.deepEqual(ran, wanted);
    }),
  );
});

test("a cancelled wait does not fire and does not hold the others back", () => {
  const scheduler = new VirtualScheduler();
  const ran: string[] = [];
  const first = scheduler.after(1, () => ran.push("first"));
  scheduler.after(2, () => ran.push("second"));
  first.cancel();
  first.cancel();
  assert.equal(scheduler.nextAt(), 2);
  runAll(scheduler);
  assert.deepEqual(ran, ["second"]);
  assert.equal(scheduler.nextAt(), undefined);
  assert.equal(scheduler.step(), false);
});

test("a callback may ask for another at the same time, which runs after those already waiting", () => {
  const scheduler = new VirtualScheduler();
  const ran: string[] = [];
  scheduler.soon(() => {
    ran.push("a");
    scheduler.soon(() => ran.push("c"));
  });
  scheduler.soon(() => ran.push("b"));
  runAll(scheduler);
  assert.deepEqual(ran, ["a", "b", "c"]);
});

test("time can be moved without firing, and a wait in the past fires at the present", () => {
  const scheduler = new VirtualScheduler();
  let firedAt = -1;
  scheduler.after(5, () => {
    firedAt = scheduler.clock.now();
  });
  scheduler.advanceTo(9);
  assert.equal(firedAt, -1);
  runAll(scheduler);
  assert.equal(firedAt, 9);
});

test("a sleep ends when its time has come", async () => {
  const scheduler = new VirtualScheduler();
  const slept = sleep(scheduler, 10).then(() => scheduler.clock.now());
  runAll(scheduler);
  assert.equal(await slept, 10);
});

test("a sleep rejects with the signal's reason, before or while it waits, and leaves nothing behind", async () => {
  const scheduler = new VirtualScheduler();
  const controller = new AbortController();
  const slept = sleep(scheduler, 10, controller.signal);
  controller.abort(new Error("enough"));
  await assert.rejects(slept, /enough/);
  assert.equal(scheduler.nextAt(), undefined);
  await assert.rejects(sleep(scheduler, 10, controller.signal), /enough/);
});

test("the system's timers fire, and not when cancelled", async () => {
  systemScheduler.after(0, () => assert.fail("cancelled")).cancel();
  await sleep(systemScheduler, 1);
  await new Promise<void>((resolve) => systemScheduler.soon(resolve));
});
