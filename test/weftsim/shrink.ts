import { type PlayOptions, type RunResult, ScenarioRun } from "./scenario-run.ts";
import type { ScenarioSpec } from "./scenarios/scenario-spec.ts";

/** Most runs that a search for a smaller failure takes. */
const RUNS_MAX = 80;

/** Looks for fewer hosts, tenants, faults and edits with which a seed still fails, one at a time and halves first. */
export async function shrink(
  scenario: ScenarioSpec,
  seed: number,
  from: { readonly start: RunResult; readonly options: PlayOptions; progress(text: string): void },
): Promise<PlayOptions> {
  let best = from.options;
  let deeds = from.start.deeds;
  let runs = 0;
  const tryOut = async (options: PlayOptions): Promise<boolean> => {
    if (runs++ >= RUNS_MAX) return false;
    from.progress(`shrinking: run ${runs}, ${deeds.length} deeds`);
    const result = await new ScenarioRun(scenario, seed, options).run();
    if (result.problems.length === 0) return false;
    best = options;
    deeds = result.deeds;
    return true;
  };
  for (const tenants of [1, 2]) if (await tryOut({ ...best, tenants })) break;
  for (const hosts of [2, 3]) if (await tryOut({ ...best, hosts })) break;
  for (let size = Math.ceil(deeds.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < deeds.length; ) {
      const skip = new Set([...(best.skip ?? []), ...deeds.slice(at, at + size)]);
      if (!(await tryOut({ ...best, skip }))) at += size;
    }
  }
  return best;
}
