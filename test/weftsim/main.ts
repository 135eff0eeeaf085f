import { argumentsOf } from "../../tools/arguments.ts";
import { type PlayOptions, type RunResult, ScenarioRun } from "./scenario-run.ts";
import { SCENARIOS, scenarioOf } from "./scenarios/all.ts";
import type { ScenarioSpec } from "./scenarios/scenario-spec.ts";
import { shrink } from "./shrink.ts";

const help = `weftsim: whole clouds in virtual time, judged while faults are on and after they end.

Usage: npm run weftsim -- [--scenario NAME|all] [--seeds N] [--seed FIRST] [--shrink] [--log] [--hash]
Example: npm run weftsim -- --scenario all --seeds 1000

  --scenario NAME  one of those below, or all (default)
  --seeds N        seeds of each scenario (default 1)
  --seed FIRST     the first of them (default 1)
  --limit SECONDS  begins no further run after so long
  --shrink         looks for a smaller run that still fails: fewer hosts, tenants, faults, edits
  --skip LIST      leaves out deeds, as a shrunk command names them: 3f,7e
  --hosts N        at most so many hosts; --tenants N likewise
  --log            prints the whole event log; without it a failure shows its end
  --hash           prints the hash of the event log only
  --list           names the scenarios

Scenarios:
${SCENARIOS.map(({ name, what }) => `  ${name.padEnd(14)} ${what}`).join("\n")}`;

const TAIL_LINES = 15;
const PROBLEMS_SHOWN = 8;

const { values } = argumentsOf(help, {
  options: {
    ...{ scenario: { type: "string", default: "all" }, seeds: { type: "string", default: "1" } },
    ...{ limit: { type: "string", default: "86400" } },
    ...{ seed: { type: "string", default: "1" }, skip: { type: "string", default: "" } },
    ...{ hosts: { type: "string" }, tenants: { type: "string" }, shrink: { type: "boolean", default: false } },
    ...{ log: { type: "boolean", default: false }, hash: { type: "boolean", default: false } },
    list: { type: "boolean", default: false },
  },
});

if (values.list) console.log(help);
else process.exitCode = await main();

async function main(): Promise<number> {
  const chosen = values.scenario === "all" ? SCENARIOS : [scenarioOf(values.scenario)];
  const first = Number(values.seed);
  const seeds = Number(values.seeds);
  if (chosen.some((scenario) => scenario === undefined) || !(first >= 0) || !(seeds >= 1)) {
    console.error(`weftsim: no scenario ${values.scenario}, or no number of seeds; see --help`);
    return 2;
  }
  const scenarios = chosen as readonly ScenarioSpec[];
  let failed = 0;
  let done = 0;
  const end = performance.now() + Number(values.limit) * 1_000;
  for (let seed = first; seed < first + seeds; seed++) {
    for (const scenario of scenarios) {
      if (performance.now() > end) continue;
      if (!(await runOne(scenario, seed))) failed++;
      progress(`${++done} of ${seeds * scenarios.length} runs, ${failed} failed`);
    }
  }
  progress("");
  if (!values.hash) console.log(`${done} runs, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

async function runOne(scenario: ScenarioSpec, seed: number): Promise<boolean> {
  const startedAt = performance.now();
  const options = playOptions();
  const result = await new ScenarioRun(scenario, seed, options).run();
  const isGood = result.problems.length === 0;
  if (values.log) for (const line of result.lines) console.log(line);
  if (values.hash) console.log(result.hash);
  else if (Number(values.seeds) === 1 || !isGood) console.log(summary(result, performance.now() - startedAt));
  if (!isGood) tell(result, options);
  if (!isGood && values.shrink) {
    const smallest = await shrink(scenario, seed, { start: result, options, progress });
    progress("");
    console.log(`  smallest: ${command(result, smallest)}`);
  }
  return isGood;
}

function tell(result: RunResult, options: PlayOptions): void {
  for (const problem of result.problems.slice(0, PROBLEMS_SHOWN)) console.log(`  ${problem}`);
  if (result.problems.length > PROBLEMS_SHOWN) console.log(`  and ${result.problems.length - PROBLEMS_SHOWN} more`);
  if (!values.log) for (const line of result.lines.slice(-TAIL_LINES)) console.log(`  | ${line}`);
  console.log(`  replay: ${command(result, options)}`);
}

function command({ scenario, seed }: RunResult, options: PlayOptions): string {
  const { hosts, tenants, skip } = options;
  const words = [`node tools/run.mjs test/weftsim/main.ts --scenario ${scenario} --seed ${seed}`];
  if (hosts !== undefined) words.push(`--hosts ${hosts}`);
  if (tenants !== undefined) words.push(`--tenants ${tenants}`);
  if (skip !== undefined && skip.size > 0) words.push(`--skip ${[...skip].join(",")}`);
  return words.join(" ");
}

function playOptions(): PlayOptions {
  return {
    ...(values.hosts === undefined ? {} : { hosts: Number(values.hosts) }),
    ...(values.tenants === undefined ? {} : { tenants: Number(values.tenants) }),
    skip: new Set(values.skip.split(",").filter((deed) => deed !== "")),
  };
}

function summary(result: RunResult, realMs: number): string {
  const { scenario, seed, hash, problems, probes, arrived, flowsChecked, events, takes, convergedMs } = result;
  const verdict = problems.length === 0 ? "ok" : `${problems.length} problems`;
  const speed = (result.virtualMs / realMs).toFixed(0);
  const counts = `${probes} probes, ${arrived} arrived, ${flowsChecked} flows checked, ${takes} takes, ${events} events`;
  const time = `agreed after ${(convergedMs / 1000).toFixed(1)} s, ${(result.virtualMs / 1000).toFixed(1)} s in ${realMs.toFixed(0)} ms (x${speed})`;
  return `${scenario} seed ${seed} ${hash} ${verdict}: ${counts}, ${time}`;
}

/** One line that is written over; nothing on a file or pipe. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}
