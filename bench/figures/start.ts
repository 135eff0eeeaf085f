import { spawn } from "node:child_process";
import { join } from "node:path";
import type { BenchGroup } from "../bench-group.ts";
import { figureOf } from "../figure.ts";

const root = join(import.meta.dirname, "..", "..");
/** What the lab says of its first ping. */
const firstAnswer = /first answer ([\d.]+) s after the start/;

/**
 * `npm start` to the first ping, on a machine that has the packages and programs: until the lab says its first word, and from its
 * own start to the answer, which it tells. It runs the sources, as a user's `npm start` does, with what the compile cache has.
 */
export const start: BenchGroup = {
  name: "start",
  figures: ["start_to_ping_s"],
  isNative: true,
  async run(bench) {
    const values: number[] = [];
    for (let round = 0; round < bench.pace.starts; round++) {
      bench.progress(`npm start, ${round + 1} of ${bench.pace.starts}`);
      values.push(await secondsToPing());
    }
    return [figureOf({ name: "start_to_ping_s", unit: "s", values })];
  },
};

async function secondsToPing(): Promise<number> {
  const begun = performance.now();
  const lab = spawn("npm", ["--silent", "start", "--", "--once", "--no-install"], { cwd: root });
  let output = "";
  let firstWordS: number | undefined;
  for (const stream of [lab.stdout, lab.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      firstWordS ??= (performance.now() - begun) / 1_000;
    });
  }
  await new Promise((resolve) => lab.once("close", resolve));
  const [, told] = firstAnswer.exec(output) ?? [];
  if (told === undefined) throw new Error(`the lab does not ping: ${output.trim().split("\n").slice(-3).join("; ")}`);
  return (firstWordS ?? 0) + Number(told);
}
