import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { VirtualScheduler } from "../base/scheduler.ts";
import { HostClock } from "./host-clock.ts";
import { Lifetime } from "./lifetime.ts";

describe("life of a simulated process", () => {
  it("does nothing while it stands still, then everything that came, in order", () => {
    const scheduler = new VirtualScheduler();
    const life = new Lifetime(scheduler);
    const seen: string[] = [];
    life.after(10, () => seen.push("timer"));
    life.pause();
    life.run(() => seen.push("news"));
    while (scheduler.step());
    assert.deepEqual(seen, []);
    life.wake();
    assert.deepEqual(seen, ["news", "timer"]);
  });

  it("does nothing after its end", () => {
    const scheduler = new VirtualScheduler();
    const life = new Lifetime(scheduler);
    life.after(10, () => assert.fail("a dead process acts"));
    life.pause();
    life.run(() => assert.fail("a dead process hears"));
    life.end();
    life.wake();
    while (scheduler.step());
  });

  it("never fires a timer before its own clock shows the time, however it drifts", () => {
    for (const drift of [-1e-3, -3e-5, 0, 7e-5, 1e-3]) {
      const scheduler = new VirtualScheduler();
      const clock = new HostClock(scheduler.clock, 4_000_000_000.123);
      clock.setDrift(drift);
      const life = new Lifetime(scheduler, clock);
      const due = clock.now() + 1_234.567;
      life.after(1_234.567, () => assert.ok(clock.now() >= due));
      scheduler.step();
      assert.ok(Math.abs(clock.now() - due) < 0.01);
    }
  });

  it("steps the wall clock without moving the monotonic one", () => {
    const scheduler = new VirtualScheduler();
    const clock = new HostClock(scheduler.clock, 5_000);
    clock.setWallError(-600_000);
    assert.equal(clock.now(), 5_000);
    assert.equal(clock.wall(), scheduler.clock.wall() - 600_000);
  });
});
