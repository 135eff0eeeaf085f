import type { BenchGroup } from "../bench-group.ts";
import { figureOf } from "../figure.ts";
import { makeWalk } from "../sim.ts";

const ROUNDS = 15;
/** Walks that a stopwatch covers: short enough that a disturbed stretch is one of many, long enough for the clock. */
const STRETCH = 500;

/** One simulation alone, on one core, frames and keys prepared: the median stretch of each round. */
export const walk: BenchGroup = {
  name: "simulation",
  figures: ["sim_walk_us"],
  isNative: false,
  async run(bench) {
    bench.progress("bridge, router, bridge, two filters of 10 rules");
    const { simulator, next } = makeWalk();
    const result = simulator.simulate(next(), 1);
    if (result.kind !== "forward") throw new Error(`the packet of the bench is not forwarded: ${result.kind}`);
    const stretches = Math.ceil(bench.pace.walks / STRETCH);
    const round = (): number => {
      const times = Array.from({ length: stretches }, () => {
        const start = performance.now();
        for (let i = 0; i < STRETCH; i++) simulator.simulate(next(), 1);
        return ((performance.now() - start) * 1_000) / STRETCH;
      });
      return times.sort((a, b) => a - b)[stretches >> 1] as number;
    };
    round();
    return [figureOf({ name: "sim_walk_us", unit: "us", values: Array.from({ length: ROUNDS }, round) })];
  },
};
