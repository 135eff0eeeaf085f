import { mkdirSync, writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { dirname, resolve } from "node:path";
import { onStop } from "../src/base/parent.ts";
import { systemScheduler } from "../src/base/scheduler.ts";
import { argumentsOf } from "../tools/arguments.ts";
import type { Bench, BenchGroup } from "./bench-group.ts";
import { buildWeft, builtFolder } from "./build-weft.ts";
import type { Figure } from "./figure.ts";
import { change } from "./figures/change.ts";
import { ensemble } from "./figures/ensemble.ts";
import { flowSetup } from "./figures/flow-setup.ts";
import { memory } from "./figures/memory.ts";
import { netlinkPart, zooKeeperPart } from "./figures/parts.ts";
import { restart } from "./figures/restart.ts";
import { restartLoss } from "./figures/restart-loss.ts";
import { start } from "./figures/start.ts";
import { storeOps } from "./figures/store-ops.ts";
import { twoHosts } from "./figures/two-hosts.ts";
import { walk } from "./figures/walk.ts";
import { buildLoad } from "./load/load.ts";
import { fullPace, quickPace } from "./pace.ts";
import { raisePriority } from "./priority.ts";
import { formatFigure, formatMarkdown } from "./report.ts";
import { BenchSite } from "./site.ts";

const help = `weft bench: every published figure, each beside its rival or limit.

Usage: npm run bench -- [--quick] [--all] [--only WORD] [--json FILE] [--markdown] [--no-build | --sources]
Example: npm run bench -- --json figures.json

  --quick     shorter and fewer rounds: about two minutes, and less to be trusted
  --all       also the figures of single parts (netlink)
  --only WORD only groups whose name or figures contain WORD
  --json FILE write the figures as JSON
  --markdown  print the figures as a Markdown table too
  --no-build  run what the last bench built
  --sources   run the sources as they are, not the built form

It makes network namespaces, eBPF maps and processes named weftbench-PID and takes them away again.`;

/** Groups in the order in which they run. */
const PUBLISHED: readonly BenchGroup[] = [
  walk,
  flowSetup,
  twoHosts,
  change,
  memory,
  restart,
  restartLoss,
  start,
  ensemble,
  storeOps,
  zooKeeperPart,
];
const PARTS: readonly BenchGroup[] = [netlinkPart];

const { values: asked } = argumentsOf(help, {
  options: {
    ...{ quick: { type: "boolean" }, all: { type: "boolean" }, sources: { type: "boolean" } },
    ...{ markdown: { type: "boolean" }, "no-build": { type: "boolean" } },
    ...{ only: { type: "string" }, json: { type: "string" } },
  },
});

process.exit(await main());

async function main(): Promise<number> {
  if (process.getuid?.() !== 0) return complain("network namespaces and eBPF need root: sudo npm run bench");
  const began = performance.now();
  const groups = [...PUBLISHED, ...(asked.all === true ? PARTS : [])].filter(isAsked);
  if (groups.length === 0) return complain(`no group or figure is called ${asked.only}`);
  say(
    `load average at the start: ${loadavg()
      .map((load) => load.toFixed(2))
      .join(" ")} (figures want a quiet machine)`,
  );
  process.on("exit", raisePriority(process.pid));
  buildLoad();
  const form = asked.sources === true ? undefined : asked["no-build"] === true ? builtFolder : buildWeft();
  const site = BenchSite.claim();
  onStop(systemScheduler.clock, () => {
    void site.close(true).finally(() => process.exit(130));
  });
  const bench = { site, form, pace: asked.quick === true ? quickPace : fullPace, progress };
  const { figures, failed } = await runAll(groups, bench);
  await site.close();
  progress("");
  if (asked.json !== undefined) writeJson(asked.json, figures);
  if (asked.markdown === true) say(`\n${formatMarkdown(figures)}\n`);
  say(`${figures.length} figures in ${Math.round((performance.now() - began) / 1_000)} s`);
  return failed === 0 ? 0 : complain(`${failed} of ${groups.length} groups could not be measured`);
}

async function runAll(
  groups: readonly BenchGroup[],
  bench: Bench,
): Promise<{ readonly figures: readonly Figure[]; readonly failed: number }> {
  const figures: Figure[] = [];
  let failed = 0;
  for (const group of groups) {
    try {
      const measured = await group.run({ ...bench, progress: (text) => progress(`${group.name}: ${text}`) });
      progress("");
      for (const figure of measured) say(formatFigure(figure));
      figures.push(...measured);
    } catch (error) {
      progress("");
      failed++;
      complain(`${group.name}: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      await bench.site.clear();
    }
  }
  return { figures, failed };
}

function isAsked(group: BenchGroup): boolean {
  const { only } = asked;
  return only === undefined || [group.name, ...group.figures].some((name) => name.includes(only));
}

/** One line that is written over; on a file or pipe a line each. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
  else if (text !== "") process.stderr.write(`  ... ${text}\n`);
}

function writeJson(file: string, figures: readonly Figure[]): void {
  mkdirSync(dirname(resolve(file)), { recursive: true });
  writeFileSync(file, `${JSON.stringify(figures, null, 2)}\n`);
}

function say(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}

function complain(sentence: string): number {
  process.stderr.write(`weft bench: ${sentence}\n`);
  return 1;
}
