import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { kernelNanoseconds, ManualClock, systemClock } from "./clock.ts";

test("a manual clock moves only when told to, and never back", () => {
  const clock = new ManualClock(5);
  assert.equal(clock.now(), 5);
  clock.advance(2.5);
  assert.equal(clock.now(), 7.5);
  assert.equal(clock.wall(), 7.5);
  for (const span of [-1, Number.NaN]) assert.throws(() => clock.advance(span), /cannot go back/);
});

test("the system's monotonic clock does not go back", () => {
  const first = systemClock.now();
  assert.ok(systemClock.now() >= first);
});

test("the system's monotonic clock is the kernel's", () => {
  const before = Number(kernelNanoseconds()) / 1e6;
  const now = systemClock.now();
  const after = Number(kernelNanoseconds()) / 1e6;
  // One may lag behind the other by what passed between two readings of both, when the module was loaded.
  assert.ok(now > before - 0.1 && now < after + 0.001, `${before} ${now} ${after}`);
});

test("the kernel's clock is that of uptime, in nanoseconds", {
  skip: process.platform !== "linux" && "Linux only",
}, () => {
  const uptime = Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]);
  // Uptime counts suspended time too, so it may only be ahead; its text has two decimals.
  assert.ok(Number(kernelNanoseconds()) / 1e9 <= uptime + 1);
  assert.ok(kernelNanoseconds() > 0n);
});
