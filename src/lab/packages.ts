import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { bpfObjectOf, fileOf, nodeOptions } from "../base/entry.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { Scheduler } from "../base/scheduler.ts";
import { hasCommand, runCommand } from "./command.ts";

/** A Debian package that the lab wants and this machine lacks. */
export interface MissingPackage {
  readonly name: string;
  /** What is not possible without it. */
  readonly cost: string;
  /** Nothing works without it. */
  readonly isVital: boolean;
}

interface Wanted extends MissingPackage {
  isThere(): boolean;
}

const WANTED: readonly Wanted[] = [
  { name: "libbpf1", cost: "eBPF programs cannot be loaded", isVital: true, isThere: () => hasLibrary("libbpf.so.1") },
  {
    name: "clang",
    cost: "the eBPF programs cannot be compiled",
    isVital: true,
    isThere: () => hasObject() || hasCommand("clang"),
  },
  {
    name: "libbpf-dev",
    cost: "the eBPF programs cannot be compiled",
    isVital: true,
    isThere: () => hasObject() || existsSync("/usr/include/bpf/bpf_helpers.h"),
  },
  { name: "iputils-ping", cost: "no ping", isVital: false, isThere: () => hasCommand("ping") },
  { name: "traceroute", cost: "no traceroute", isVital: false, isThere: () => hasCommand("traceroute") },
  { name: "iperf3", cost: "throughput is measured by Node", isVital: false, isThere: () => hasCommand("iperf3") },
  {
    name: "iproute2",
    cost: "`ip` is not there for you to look around",
    isVital: false,
    isThere: () => hasCommand("ip"),
  },
];

/** The packages that this machine lacks. */
export function missingPackages(): readonly MissingPackage[] {
  return WANTED.filter((wanted) => !wanted.isThere());
}

/** What apt says that installing would take: `12.3 MB to get, 56 MB on disk`; undefined when it cannot tell yet. */
export async function installSize(names: readonly string[], scheduler: Scheduler): Promise<string | undefined> {
  const { output } = await runCommand(["apt-get", "install", "--assume-no", "--no-install-recommends", ...names], {
    scheduler,
  });
  const [, get] = /Need to get ([\d.,]+ \S+?)(?:\/\S+ \S+)? of archives/.exec(output) ?? [];
  const [, disk] = /After this operation, ([\d.,]+ \S+) of additional disk space/.exec(output) ?? [];
  return get === undefined || disk === undefined ? undefined : `${get} to get, ${disk} on disk`;
}

/** Installs packages; all that apt says goes to the log. The error is one sentence. */
export async function installPackages(names: readonly string[], logPath: string): Promise<Result<undefined, string>> {
  if (!hasCommand("apt-get"))
    return err(`there is no apt-get here: install ${names.join(", ")} by this system's own means`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  // Lists that are out of date are found out by the installation; lists that cannot be had may still do.
  await logged(["apt-get", "update", "-q"], { env, logPath });
  const code = await logged(["apt-get", "install", "-y", "-q", "--no-install-recommends", ...names], { env, logPath });
  return code === 0 ? ok(undefined) : err(`apt-get install ${names.join(" ")} ended with ${code}`);
}

/** Compiles the eBPF programs when a source is newer than what is there. The error is one sentence. */
export async function compilePrograms(logPath: string): Promise<Result<"compiled" | "current", string>> {
  const tool = fileOf("tools/build-bpf.ts");
  if (isCurrent() || !existsSync(tool)) return ok("current");
  const code = await logged([process.execPath, ...nodeOptions, tool], { env: process.env, logPath });
  return code === 0 ? ok("compiled") : err(`the eBPF programs do not compile; log: ${logPath}`);
}

function hasObject(): boolean {
  return bpfObjectOf("datapath") !== undefined;
}

function isCurrent(): boolean {
  const object = bpfObjectOf("datapath");
  const sources = fileOf("bpf");
  if (object === undefined || !existsSync(sources)) return object !== undefined;
  const compiledAt = statSync(object).mtimeMs;
  return readdirSync(sources).every((file) => statSync(join(sources, file)).mtimeMs < compiledAt);
}

function hasLibrary(name: string): boolean {
  const folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/lib"];
  return folders.some((folder) => existsSync(join(folder, name)));
}

interface LoggedOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly logPath: string;
}

function logged([file = "", ...args]: readonly string[], { env, logPath }: LoggedOptions): Promise<number> {
  const log = openSync(logPath, "a", 0o600);
  const started = spawn(file, args, { env, stdio: ["ignore", log, log] });
  closeSync(log);
  return new Promise((resolve) => {
    started.once("error", () => resolve(-1));
    started.once("close", (code) => resolve(code ?? -1));
  });
}
