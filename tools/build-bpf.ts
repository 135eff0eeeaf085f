import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { argumentsOf } from "./arguments.ts";

/**
 * Compiles bpf/*.bpf.c to build/bpf/*.bpf.o: only those whose source, headers, flags or compiler changed since. Prints a
 * line for each that it compiles; ends with 1 when one does not compile, or must be compiled and clang is not there.
 */
argumentsOf(
  `npm run build:bpf: compiles the eBPF programs whose sources changed into build/bpf/.

Usage: npm run build:bpf
Example: npm run build:bpf && npm test -- native`,
  {},
);
const root = dirname(import.meta.dirname);
const outFolder = join(root, "build", "bpf");
const machine = process.arch === "arm64" ? "aarch64" : "x86_64";
const flags = [
  "-O2",
  "-g",
  "-target",
  "bpf",
  "-mcpu=v3",
  "-Wall",
  "-Werror",
  `-I/usr/include/${machine}-linux-gnu`,
  "-Ibpf",
];

process.exitCode = build() ? 0 : 1;

function build(): boolean {
  const sources = globSync("bpf/*.bpf.c", { cwd: root }).sort();
  const compiler = spawnSync("clang", ["--version"], { encoding: "utf8" }).stdout?.split("\n")[0] ?? "";
  const stale = sources.filter((source) => !isCurrent(source, fingerprint(source, compiler), compiler));
  if (stale.length === 0) return true;
  if (compiler === "") {
    say(`clang is not there to compile ${stale.join(", ")}: apt install clang libbpf-dev linux-libc-dev`);
    return false;
  }
  mkdirSync(outFolder, { recursive: true });
  return stale.map((source) => compile(source, fingerprint(source, compiler))).every((compiled) => compiled);
}

/** What an object depends on. Without a compiler the compiler's version does not count: what is there will do. */
function fingerprint(source: string, compiler: string): string {
  const hash = createHash("sha256").update(flags.join(" ")).update(compiler);
  for (const file of [source, ...globSync("bpf/**/*.h", { cwd: root }).sort()]) {
    hash.update(file).update(readFileSync(join(root, file)));
  }
  return hash.digest("hex");
}

function isCurrent(source: string, wanted: string, compiler: string): boolean {
  const object = objectOf(source);
  if (!existsSync(object) || !existsSync(`${object}.hash`)) return false;
  return compiler === "" || readFileSync(`${object}.hash`, "utf8").trim() === wanted;
}

function compile(source: string, wanted: string): boolean {
  const object = objectOf(source);
  const draft = `${object}.${process.pid}`;
  const result = spawnSync("clang", [...flags, "-c", source, "-o", draft], { cwd: root, encoding: "utf8" });
  if (result.status !== 0) {
    rmSync(draft, { force: true });
    say(`${source} does not compile:\n${result.stderr}`);
    return false;
  }
  // The object is in place before its hash: who is interrupted between the two compiles once more.
  renameSync(draft, object);
  writeFileSync(`${object}.hash`, `${wanted}\n`);
  say(`${source} compiled`);
  return true;
}

function objectOf(source: string): string {
  return join(outFolder, basename(source).replace(/\.c$/, ".o"));
}

function say(text: string): void {
  process.stderr.write(`weft: ${text}\n`);
}
