import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../base/clock.ts";
import { Report, type StepOutcome } from "./report.ts";

interface Told {
  readonly lines: readonly string[];
  readonly report: Report;
  step(title: string, outcome: StepOutcome): Promise<boolean>;
}

/** A report whose every step takes a quarter of a second. */
function told(isSimulated = false): Told {
  const clock = new ManualClock();
  const lines: string[] = [];
  const report = new Report({ clock, isSimulated, print: (line) => lines.push(line) });
  const step = (title: string, outcome: StepOutcome): Promise<boolean> =>
    report.step(title, () => {
      clock.advance(250);
      return outcome;
    });
  return { lines, report, step };
}

test("a step that worked has a tick, its time, what was seen and the command that shows it", async () => {
  const { lines, step } = told();
  const worked = await step("ping", { kind: "worked", result: "3 of 3", lines: ["seen"], commands: ["./weft x"] });
  assert.ok(worked);
  assert.deepEqual(lines, ["✓   0.25 s  ping: 3 of 3", "              seen", "            $ ./weft x"]);
});

test("the first failure is remembered with its log", async () => {
  const { lines, report, step } = told();
  assert.equal(await step("a", { kind: "failed", why: "no answer", logPath: "/x/a.log" }), false);
  await step("b", { kind: "failed", why: "also" });
  assert.deepEqual(report.firstFailure, { title: "a", why: "no answer", logPath: "/x/a.log" });
  assert.deepEqual(lines.slice(0, 2), ["✗   0.25 s  a: no answer", "              log: /x/a.log"]);
});

test("a step that was left out is neither worked nor failed", async () => {
  const { lines, report, step } = told();
  assert.equal(await step("traceroute", { kind: "left-out", why: "it needs traceroute" }), false);
  assert.equal(report.firstFailure, undefined);
  assert.deepEqual(report.leftOut, ["traceroute"]);
  assert.deepEqual(lines, ["-   0.25 s  traceroute: left out, it needs traceroute"]);
});

test("a simulated step says so", async () => {
  const { lines, step } = told(true);
  await step("ping", { kind: "worked" });
  assert.deepEqual(lines, ["✓   0.25 s  ping (simulated)"]);
});

test("when all is taken away, steps that end are neither printed nor failures", async () => {
  const { lines, report, step } = told();
  report.silence();
  await step("ping", { kind: "failed", why: "no namespace" });
  assert.equal(report.firstFailure, undefined);
  assert.deepEqual(lines, []);
});
