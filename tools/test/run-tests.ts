import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { argumentsOf } from "../arguments.ts";
import { lock } from "../lock.mjs";
import { installMissing } from "./install.ts";
import { explain, missing } from "./requirements.ts";
import { runTier, type TierOutcome } from "./run-tier.ts";
import { filesOf, TIERS, type Tier } from "./tiers.ts";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const countsPath = join(root, "test", "tiers.json");

const help = `npm test: all tests, or some of them.

Usage: npm test -- [TIER...] [--only WORD] [--install] [--record] [--list]
Example: WEFT_SEED=7 npm test -- sim e2e --only restart

  TIER         one of those below; all of them without
  --only WORD  only files whose path contains WORD, or else tests whose name does
  --install    install what a tier needs, and count what cannot run as failed (also CI=true)
  --record     write how many tests of each tier passed to test/tiers.json
  --list       name the tiers

Tiers:
${TIERS.map(({ name, meaning }) => `  ${name.padEnd(11)}${meaning}`).join("\n")}

WEFT_SEED=n chooses the cases of the property tests and the scripts of the histories.`;

interface Options {
  readonly tiers: readonly Tier[];
  /** Narrows to files, or else to test names, that contain it. */
  readonly only: string | undefined;
  /** Every tier must run and nothing may be skipped for want of a tool. */
  readonly isComplete: boolean;
  /** Writes the number of tests of each tier that passed to test/tiers.json. */
  readonly record: boolean;
}

interface Totals {
  passed: number;
  failed: number;
  skipped: number;
}

/**
 * Runs the tiers in order and prints a line for each, then what could not run and why, then the totals in one line.
 * Returns the exit code: 0 only when nothing failed.
 */
export async function runTests(args: readonly string[]): Promise<number> {
  const options = parse(args);
  if (typeof options === "string") {
    print(options);
    return 2;
  }
  const totals: Totals = { passed: 0, failed: 0, skipped: 0 };
  const notes: string[] = [];
  const recorded: Record<string, number> = { ...floors() };
  for (const tier of options.tiers) {
    const passed = await runOne(tier, options, { totals, notes });
    if (passed !== undefined) recorded[tier.name] = passed;
  }
  if (options.record) writeFileSync(countsPath, `${JSON.stringify(recorded, null, 2)}\n`);
  if (notes.length > 0) print(`\nnot run here:\n${notes.map((note) => `  ${note}`).join("\n")}`);
  print(`\n${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
  return totals.failed === 0 && totals.passed > 0 ? 0 : 1;
}

function parse(args: readonly string[]): Options | string {
  const { values, positionals } = argumentsOf(help, {
    args,
    allowPositionals: true,
    options: {
      only: { type: "string" },
      install: { type: "boolean", default: process.env["CI"] === "true" },
      record: { type: "boolean", default: false },
      list: { type: "boolean", default: false },
    },
  });
  if (values.list) return TIERS.map(({ name, meaning }) => `${name.padEnd(8)}${meaning}`).join("\n");
  const unknown = positionals.find((name) => !TIERS.some((tier) => tier.name === name));
  if (unknown !== undefined) return `no tier ${unknown}; there are ${TIERS.map(({ name }) => name).join(", ")}`;
  const tiers = TIERS.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  return { tiers, only: values.only, isComplete: values.install, record: values.record };
}

/** Runs a tier and adds it up; the number of tests that passed, or undefined when it did not run as a whole. */
async function runOne(
  tier: Tier,
  options: Options,
  sum: { totals: Totals; notes: string[] },
): Promise<number | undefined> {
  const { files, namePattern } = choose(tier, options.only);
  const floor = options.only === undefined ? (floors()[tier.name] ?? 0) : 0;
  if (files.length === 0 && floor === 0) return undefined;
  if (options.isComplete) installMissing([...tier.needs, ...tier.uses], print);
  const lacking = missing(options.isComplete ? [...tier.needs, ...tier.uses] : tier.needs);
  if (lacking.length > 0) {
    const sentence = `${tier.name}: ${explain(lacking)}`;
    print(`${tier.name.padEnd(8)}${options.isComplete ? "FAIL" : "not run"}`);
    sum.notes.push(sentence);
    sum.totals[options.isComplete ? "failed" : "skipped"] += Math.max(1, floor);
    return undefined;
  }
  print(`${tier.name.padEnd(8)}${files.length} files: ${tier.meaning}`);
  if (tier.needs.includes("clang")) buildBpf();
  const outcome = await exclusively(tier, () =>
    runTier({ tier, root, files, namePattern, env: envOf(options), print }),
  );
  return addUp(tier, { outcome, floor, isNarrowed: options.only !== undefined }, sum);
}

interface Ended {
  readonly outcome: TierOutcome;
  readonly floor: number;
  readonly isNarrowed: boolean;
}

function addUp(tier: Tier, ended: Ended, sum: { totals: Totals; notes: string[] }): number | undefined {
  const { counts, seconds, skips } = ended.outcome;
  const faults = [...ended.outcome.faults];
  const isWhole = faults.length === 0;
  if (isWhole && counts.tests === 0 && !ended.isNarrowed) faults.push("no test ran");
  const ran = counts.passed + counts.failed + counts.cancelled;
  if (isWhole && counts.tests < ended.floor)
    faults.push(`${counts.tests} tests, but test/tiers.json says at least ${ended.floor}`);
  const failed = counts.failed + counts.cancelled + faults.length;
  for (const fault of faults) print(`  FAIL ${tier.name}: ${fault}`);
  const mark = failed === 0 ? "ok" : "FAIL";
  print(
    `${tier.name.padEnd(8)}${mark}: ${ran} tests, ${failed} failed, ${counts.skipped} skipped, ${seconds.toFixed(1)} s`,
  );
  sum.totals.passed += counts.passed;
  sum.totals.failed += failed;
  sum.totals.skipped += counts.skipped + counts.todo;
  sum.notes.push(...skips);
  return ended.isNarrowed || failed > 0 ? undefined : counts.tests;
}

function choose(tier: Tier, only: string | undefined): { files: readonly string[]; namePattern: string | undefined } {
  const files = filesOf(tier, root, only);
  if (only === undefined || files.length > 0) return { files, namePattern: undefined };
  const anyPath = TIERS.some((other) => filesOf(other, root, only).length > 0);
  return anyPath ? { files: [], namePattern: undefined } : { files: filesOf(tier, root), namePattern: only };
}

async function exclusively<T>(tier: Tier, work: () => Promise<T>): Promise<T> {
  if (!tier.isExclusive) return work();
  const release = await lock(join(tmpdir(), "weft-e2e.lock"), (holder) =>
    print(`        process ${holder} runs this tier on this machine; waiting for it`),
  );
  try {
    return await work();
  } finally {
    release();
  }
}

function envOf(options: Options): NodeJS.ProcessEnv {
  const { WEFT_PARENT_FD: _, NODE_TEST_CONTEXT: __, ...env } = process.env;
  return options.isComplete ? { ...env, WEFT_TEST_COMPLETE: "1" } : env;
}

function buildBpf(): void {
  const builder = join(root, "tools", "build-bpf.ts");
  if (!existsSync(builder)) return;
  const result = spawnSync(process.execPath, [builder], { cwd: root, stdio: "inherit" });
  if (result.status !== 0) print("  FAIL the eBPF programs do not compile; the tests that need them will say so");
}

function floors(): Readonly<Record<string, number>> {
  if (!existsSync(countsPath)) return {};
  return JSON.parse(readFileSync(countsPath, "utf8")) as Record<string, number>;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
