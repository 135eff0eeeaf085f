import { spawnSync } from "node:child_process";
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { argumentsOf } from "./arguments.ts";
import { parsePatch, type Sabotage, verdictOf } from "./sabotage/patch.ts";

const help = `npm run sabotage: breaks one law at a time in a copy of the sources, and demands that the test which guards it fails.

Usage: npm run sabotage -- [WORD]
Example: npm run sabotage -- flow

  WORD  only the patches of test/sabotage/ whose name contains it`;
const root = dirname(import.meta.dirname);
const folder = join(root, "test", "sabotage");
const [only = ""] = argumentsOf(help, { allowPositionals: true }).positionals;
const names = globSync("*.patch", { cwd: folder })
  .filter((name) => name.includes(only))
  .sort();

const copy = mkdtempSync(join(tmpdir(), "weft-sabotage-"));
let unseen = 0;
try {
  for (const part of [
    "src",
    "test",
    "tools",
    "bpf",
    "bench",
    "docs",
    "package.json",
    "package-lock.json",
    "tsconfig.json",
  ]) {
    cpSync(join(root, part), join(copy, part), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  for (const name of names) if (!attempt(name)) unseen++;
} finally {
  rmSync(copy, { recursive: true, force: true });
}
if (names.length === 0) process.stdout.write(`no patch of test/sabotage/ has ${only} in its name\n`);
process.stdout.write(`\n${names.length - unseen} of ${names.length} sabotages caught\n`);
process.exitCode = unseen === 0 && names.length > 0 ? 0 : 1;

function attempt(name: string): boolean {
  const read = parsePatch(readFileSync(join(folder, name), "utf8"));
  const problem = read.ok ? caught(name, read.value) : read.error;
  const law = read.ok ? read.value.law : "";
  process.stdout.write(
    `${problem === undefined ? "caught" : "NOT CAUGHT"}  ${basename(name, ".patch").padEnd(28)}${law}\n`,
  );
  if (problem !== undefined) process.stdout.write(`            ${problem}\n`);
  return problem === undefined;
}

/** Why a sabotage was not caught; undefined when it was: its test passes without the patch and fails with it. */
function caught(name: string, sabotage: Sabotage): string | undefined {
  const before = verdictOf(runTest(sabotage));
  if (before !== "passed") return `${sabotage.file} :: ${sabotage.test}: ${before} without the patch`;
  const applied = patch(name, []);
  if (applied !== "") return `the patch does not apply: ${applied}`;
  try {
    if (sabotage.file.includes(".native.")) spawnSync(process.execPath, ["tools/build-bpf.ts"], { cwd: copy });
    const after = verdictOf(runTest(sabotage));
    return after === "failed" ? undefined : `${sabotage.file} :: ${sabotage.test}: ${after} with the patch`;
  } finally {
    patch(name, ["--reverse"]);
  }
}

function runTest({ file, test }: Sabotage): string {
  const pattern = `--test-name-pattern=^${test.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&")}$`;
  const options = [
    "--disable-warning=ExperimentalWarning",
    "--test",
    "--test-isolation=none",
    "--test-reporter=tap",
    pattern,
  ];
  return spawnSync(process.execPath, [...options, file], { cwd: copy, encoding: "utf8", timeout: 300_000 }).stdout;
}

/** Applies a patch; the empty string, or what the tool said when it did not fit. */
function patch(name: string, options: readonly string[]): string {
  const result = spawnSync("git", ["apply", ...options, join(folder, name)], { cwd: copy, encoding: "utf8" });
  return result.status === 0 ? "" : result.stderr.trim() || "git is missing";
}
