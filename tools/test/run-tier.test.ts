import assert from "node:assert/strict";
import { dirname } from "node:path";
import { test } from "node:test";
import { EventLines, type TestEvent } from "./events.ts";
import { explain, missing, type Requirement } from "./requirements.ts";
import { runTier, type TierOutcome } from "./run-tier.ts";
import { TIERS, type Tier } from "./tiers.ts";

const root = dirname(dirname(import.meta.dirname));

/** Runs fixture files as a tier; gives its outcome and what it printed. */
async function run(names: readonly string[], change: Partial<Tier> = {}): Promise<TierOutcome & { printed: string }> {
  const printed: string[] = [];
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const outcome = await runTier({
    tier: { ...(TIERS[0] as Tier), ...change },
    root,
    files: names.map((name) => `tools/test/fixture/${name}.ts`),
    namePattern: undefined,
    env,
    print: (line) => printed.push(line),
  });
  return { ...outcome, printed: printed.join("\n") };
}

test("a tier that passes has no fault, and lists what it skipped with the reason", async () => {
  const { counts, faults, skips } = await run(["passes"]);
  assert.deepEqual([counts.passed, counts.failed, counts.skipped], [1, 0, 1]);
  assert.deepEqual(faults, []);
  assert.deepEqual(skips, ["tools/test/fixture/passes.ts: is skipped: needs a moon"]);
});

test("a failure is printed with file, line and error, and in a process of its own with what it wrote", async () => {
  const { counts, printed } = await run(["fails"], { isolation: "process" });
  assert.equal(counts.failed, 1);
  assert.match(printed, /FAIL fails\n.*fails\.ts:4\n[\s\S]*1 !== 2[\s\S]*seen before the failure/);
});

test("a test that ends the process with success is a fault, because no totals came", async () => {
  const { faults, counts } = await run(["leaves-early"]);
  assert.match(faults.join("\n"), /^no totals: the run ended early, [^\n]+$/);
  assert.equal(counts.failed, 0);
});

test("a handle that a test leaves open is a fault and does not hang the run", async () => {
  const { faults } = await run(["leaks"], { stallMs: 1 });
  assert.match(faults.join(), /a test left a handle open|nothing happened/);
});

test("a file that hangs in a process of its own is killed and the files after it still run", async () => {
  const { counts, faults } = await run(["hangs", "passes"], { isolation: "process", stallMs: 3_000 });
  assert.equal(counts.passed, 1);
  assert.ok(counts.failed + counts.cancelled > 0);
  assert.match(faults[0] ?? "", /nothing happened for 3 s in .*hangs\.ts: never ends: killed/);
});

test("a tier whose time is over is killed and says in which test", async () => {
  const { faults } = await run(["leaks"], { limitMs: 1 });
  assert.match(faults[0] ?? "", /time limit of 0\.001 s passed in/);
});

test("events are cut at line ends, wherever the chunks end", () => {
  const events: TestEvent[] = [];
  const lines = new EventLines((event) => events.push(event));
  for (const chunk of ['{"kind":"start","na', 'me":"a"}\n{"kind":"print","text":"b"}', "\n\n"]) lines.push(chunk);
  assert.deepEqual(events, [
    { kind: "start", name: "a" },
    { kind: "print", text: "b" },
  ]);
});

test("what is missing is explained with the Debian package that brings it", () => {
  const lacking: readonly Requirement[] = [
    { name: "moon", isMet: () => false },
    { name: "tshark", debian: "tshark", isMet: () => false },
  ];
  assert.equal(explain(lacking), "needs moon, tshark (apt install tshark)");
  assert.deepEqual(missing([]), []);
});
