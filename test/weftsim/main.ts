import { parseArgs } from "node:util";
import { Scenario } from "./scenario.ts";

/** Runs seeds of the simulated cloud: `node test/weftsim/main.ts --seed N [--count M] [--log] [--hash]`. */
const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    count: { type: "string", default: "1" },
    log: { type: "boolean", default: false },
    hash: { type: "boolean", default: false },
  },
});
const first = Number(values.seed);
for (let seed = first; seed < first + Number(values.count); seed++) {
  const startedAt = performance.now();
  const result = await new Scenario(seed).run();
  if (values.log) for (const line of result.lines) console.log(line);
  if (values.hash) {
    console.log(result.hash);
    continue;
  }
  const realMs = performance.now() - startedAt;
  const speed = (result.virtualMs / realMs).toFixed(0);
  const verdict = result.problems.length === 0 ? "ok" : `${result.problems.length} problems`;
  console.log(
    `seed ${seed} ${result.hash} ${verdict}: ${result.probes} probes, ${result.arrived} arrived, ${result.flowsChecked} flows checked, ${result.events} events, ${result.steps} steps, ${(result.virtualMs / 1000).toFixed(1)} s in ${realMs.toFixed(0)} ms (x${speed})`,
  );
  for (const problem of result.problems) console.log(`  ${problem}`);
  if (result.problems.length > 0) process.exitCode = 1;
}
