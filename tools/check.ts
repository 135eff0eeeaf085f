import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { argumentsOf } from "./arguments.ts";

const root = dirname(import.meta.dirname);
const bin = join(root, "node_modules");
const biome = join(bin, "@biomejs", "cli-linux-x64", "biome");
const help = `npm run check: types, lint and tidy (layers, sizes, names, documents).

Usage: npm run check -- [types|lint|tidy] [--write]
Example: npm run check -- lint --write

  --write  lint repairs what it can`;
const { values, positionals } = argumentsOf(help, { options: { write: { type: "boolean" } }, allowPositionals: true });
const [only] = positionals;
const repair = values.write === true ? ["--write"] : [];

const steps = [
  { name: "types", command: join(bin, ".bin", "tsc"), args: ["--noEmit", "-p", "tsconfig.json"] },
  { name: "lint", command: biome, args: ["check", "--max-diagnostics=50", "--error-on-warnings", ...repair] },
  { name: "tidy", command: process.execPath, args: ["--disable-warning=ExperimentalWarning", "tools/tidy.ts"] },
];

let failed = only === undefined || steps.some(({ name }) => name === only) ? 0 : 1;
if (failed > 0) process.stdout.write(`no step ${only}; there are ${steps.map(({ name }) => name).join(", ")}\n`);
for (const { name, command, args } of steps) {
  if (only !== undefined && only !== name) continue;
  if (!existsSync(command)) {
    process.stdout.write(`${name}: not run, ${command} is not there on ${process.platform}-${process.arch}\n`);
    continue;
  }
  const startedAt = performance.now();
  const { status } = spawnSync(command, args, { cwd: root, stdio: "inherit" });
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  process.stdout.write(`${name}: ${status === 0 ? "ok" : "FAIL"}, ${seconds} s\n`);
  if (status !== 0) failed++;
}
process.exitCode = failed === 0 ? 0 : 1;
