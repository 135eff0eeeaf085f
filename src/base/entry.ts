import { existsSync } from "node:fs";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * Where weft's own files are. Sources run as `.ts` from src/, a release as `.js` from dist/: nothing else may know which
 * of the two it is, because tsc rewrites imports but not paths.
 */
const here = fileURLToPath(import.meta.url);
const extension = extname(here);
/** src/ or dist/. */
const codeFolder = dirname(dirname(here));
const rootFolder = dirname(codeFolder);

/** A program of weft: the folder of its `main`. */
export type ProcessName = "agent" | "store-server" | "api" | "cluster" | "controller" | "lab" | "cli";

/** Path of a process's main file, to be started with `process.execPath`. */
export function mainOf(name: ProcessName): string {
  return moduleOf(`${name}/main`);
}

/**
 * Path of a module by its name below src/ without ending, such as `agent/worker.main`: for worker threads and processes.
 * Throws when there is no such file: a bug.
 */
export function moduleOf(name: string): string {
  const path = join(codeFolder, `${name}${extension}`);
  if (!existsSync(path)) throw new Error(`no module ${name}: ${path} is missing`);
  return path;
}

/**
 * Path of a compiled eBPF object, such as `weft` for weft.bpf.o: a release carries it beside its code, sources
 * have it in build/ after `npm run build:bpf`. Undefined when it is in neither place.
 */
export function bpfObjectOf(name: string): string | undefined {
  const file = `${name}.bpf.o`;
  return [join(codeFolder, "bpf", file), join(rootFolder, "build", "bpf", file)].find((path) => existsSync(path));
}

/** Path of a file of the repository or of the release, by its path from the root: `package.json`, `ui/dist/index.html`. */
export function fileOf(path: string): string {
  return join(rootFolder, path);
}

/**
 * Options for Node that every process of weft is started with: `spawn(process.execPath, [...nodeOptions, mainOf("api")])`.
 * They silence the notice that node:sqlite is young.
 */
export const nodeOptions: readonly string[] = ["--disable-warning=ExperimentalWarning"];

/**
 * Options for a process of weft. An agent allocates next to nothing per packet, so it gets a small young generation: a burst of
 * changes (a thousand bindings) would else leave tens of megabytes of it behind in each thread.
 */
export function nodeOptionsOf(name: ProcessName): readonly string[] {
  return name === "agent" ? [...nodeOptions, "--max-semi-space-size=1"] : nodeOptions;
}
