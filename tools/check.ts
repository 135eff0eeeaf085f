import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

const root = dirname(import.meta.dirname);
const bin = join(root, "node_modules");
const biome = join(bin, "@biomejs", "cli-linux-x64", "biome");
const words = process.argv.slice(2);
const only = words.find((word) => !word.startsWith("--"));
const repair = words.includes("--write") ? ["--write"] : [];

const steps = [
  { name: "types", command: join(bin, ".bin", "tsc"), args: ["--noEmit", "-p", "tsconfig.json"] },
  { name: "lint", command: biome, args: ["check", "--max-diagnostics=50", "--error-on-warnings", ...repair] },
  { name: "tidy", command: process.execPath, args: ["--disable-warning=ExperimentalWarning", "tools/tidy.ts"] },
];

let failed = 0;
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
