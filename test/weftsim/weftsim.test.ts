import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type RunResult, Scenario } from "./scenario.ts";

const SEEDS = 30;
const MAIN = fileURLToPath(new URL("main.ts", import.meta.url));

function story(result: RunResult): string {
  return [`replay with: node test/weftsim/main.ts --seed ${result.seed} --log`, ...result.problems].join("\n");
}

describe("weftsim", () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    it(`holds every law through traffic, edits and faults, twice alike: seed ${seed}`, async () => {
      const first = await new Scenario(seed).run();
      assert.deepEqual(first.problems, [], story(first));
      assert.ok(first.arrived > 0 && first.flowsChecked > 0, `nothing was put to the test: ${story(first)}`);
      const second = await new Scenario(seed).run();
      assert.equal(second.hash, first.hash, `two runs differ: ${firstDifference(first, second)}`);
    });
  }

  it("gives the same run in another process", async () => {
    const here = await new Scenario(7).run();
    const { stdout } = await promisify(execFile)(process.execPath, [MAIN, "--seed", "7", "--hash"]);
    assert.equal(stdout.trim(), here.hash);
  });
});

function firstDifference(a: RunResult, b: RunResult): string {
  const at = a.lines.findIndex((line, i) => line !== b.lines[i]);
  return `line ${at + 1}: ${a.lines[at]} / ${b.lines[at]}`;
}
