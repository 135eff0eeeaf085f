import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type RunResult, ScenarioRun } from "./scenario-run.ts";
import { SCENARIOS, scenarioOf } from "./scenarios/all.ts";
import type { ScenarioSpec } from "./scenarios/scenario-spec.ts";

/** Chosen so that the tier takes about a minute; `npm run weftsim -- --seeds 1000` plays as many as one likes. */
const SEEDS = 4;
const MAIN = fileURLToPath(new URL("main.ts", import.meta.url));

function story({ scenario, seed, problems }: RunResult): string {
  return [
    `replay with: node tools/run.mjs test/weftsim/main.ts --scenario ${scenario} --seed ${seed} --shrink`,
    ...problems,
  ].join("\n");
}

function run(scenario: ScenarioSpec, seed: number): Promise<RunResult> {
  return new ScenarioRun(scenario, seed).run();
}

describe("weftsim", () => {
  for (const scenario of SCENARIOS) {
    for (let seed = 1; seed <= SEEDS; seed++) {
      it(`holds every law, twice alike: ${scenario.name} seed ${seed}`, async () => {
        const first = await run(scenario, seed);
        assert.deepEqual(first.problems, [], story(first));
        assert.ok(
          first.takes > 0 || (first.arrived > 0 && first.flowsChecked > 0),
          `nothing was put to the test: ${story(first)}`,
        );
        const second = await run(scenario, seed);
        assert.equal(second.hash, first.hash, `two runs differ: ${firstDifference(first, second)}`);
      });
    }
  }

  // Flows under another walk's tags: parked packets beside parked answers.
  for (const [name, seed] of [
    ["churn", 710_058],
    ["restarts", 710_001],
  ] as const) {
    it(`holds every law where one was once broken: ${name} seed ${seed}`, async () => {
      const result = await run(scenarioOf(name) ?? assert.fail("no such scenario"), seed);
      assert.deepEqual(result.problems, [], story(result));
    });
  }

  it("gives the same run in another process", async () => {
    const scenario = scenarioOf("ensemble") ?? assert.fail("no such scenario");
    const here = await run(scenario, 7);
    const words = [MAIN, "--scenario", scenario.name, "--seed", "7", "--hash"];
    const { stdout } = await promisify(execFile)(process.execPath, words).catch((error: unknown) => {
      // A seed that fails ends with 1, and prints its hash all the same.
      return error as { readonly stdout: string };
    });
    assert.equal(stdout.split("\n")[0], here.hash);
  });
});

function firstDifference(a: RunResult, b: RunResult): string {
  const at = a.lines.findIndex((line, i) => line !== b.lines[i]);
  return `line ${at + 1}: ${a.lines[at]} / ${b.lines[at]}`;
}
