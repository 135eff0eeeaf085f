import { spawnSync } from "node:child_process";
import { cpSync, globSync, mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { argumentsOf } from "./arguments.ts";

/**
 * Makes the released form: dist/ holds the JavaScript of src/, what else lies beside it, and the compiled eBPF programs.
 * It runs with the package.json and node_modules of the folder above it.
 */
const root = dirname(import.meta.dirname);
const help = `npm run build: makes dist/, the released form: JavaScript, and the compiled eBPF programs.

Usage: npm run build -- [--out DIR]
Example: npm run build -- --out build/release

  --out DIR  makes it there instead, with a package.json above it`;
const { values } = argumentsOf(help, { options: { out: { type: "string", default: "dist" } } });
const out = join(root, values.out);

rmSync(out, { recursive: true, force: true });
run(join(root, "node_modules", ".bin", "tsc"), ["-p", "tsconfig.build.json", "--outDir", out]);
run(process.execPath, [join(root, "tools", "build-bpf.ts")]);
for (const file of globSync("src/**/*.*", { cwd: root, exclude: ["**/*.ts", "**/testdata/**", "**/fixture*/**"] })) {
  copy(file, join(out, file.slice("src/".length)));
}
for (const file of globSync("build/bpf/*.o", { cwd: root }))
  copy(file, join(out, "bpf", file.slice("build/bpf/".length)));
if (dirname(out) !== root) cpSync(join(root, "package.json"), join(dirname(out), "package.json"));
process.stdout.write(`${values.out}: ${globSync("**/*.js", { cwd: out }).length} modules\n`);

function run(command: string, args: readonly string[]): void {
  const { status } = spawnSync(command, args, { cwd: root, stdio: "inherit" });
  if (status === 0) return;
  process.stderr.write(`weft: ${command} failed; nothing was built\n`);
  process.exit(1);
}

function copy(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  cpSync(join(root, from), to);
}
