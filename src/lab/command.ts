import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import type { Duration } from "../base/clock.ts";
import { type Scheduler, sleep } from "../base/scheduler.ts";
import type { Netns } from "../linux/netns.ts";
import { COMMAND_WITHIN_MS, OUTPUT_BYTES_MAX } from "./limits.ts";

/** What a command came to. */
export interface CommandOutcome {
  /** Exit code; -1 when it could not be started or was ended by a signal. */
  readonly code: number;
  /** What it printed to both outputs. */
  readonly output: string;
}

/** Where and for how long a command runs. */
export interface CommandOptions {
  readonly scheduler: Scheduler;
  readonly netns?: Netns;
  readonly withinMs?: Duration;
}

/** Runs a command of other people to its end, in a namespace; it dies with us, and is killed when it takes too long. */
export async function runCommand(command: readonly string[], options: CommandOptions): Promise<CommandOutcome> {
  const { scheduler, netns, withinMs = COMMAND_WITHIN_MS } = options;
  const [file = "", ...args] = dyingWithUs(command);
  const start = () => spawn(file, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, LC_ALL: "C" } });
  const started = netns === undefined ? ({ ok: true, value: start() } as const) : netns.run(start);
  if (!started.ok) return { code: -1, output: started.error.text };
  const running = started.value;
  let output = "";
  for (const stream of [running.stdout, running.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      if (output.length < OUTPUT_BYTES_MAX) output += chunk.toString();
    });
  }
  const timeout = new AbortController();
  const late = sleep(scheduler, withinMs, timeout.signal).then(
    () => running.kill("SIGKILL"),
    () => undefined,
  );
  const code = await new Promise<number>((resolve) => {
    running.once("error", (error) => {
      output += error.message;
      resolve(-1);
    });
    running.once("close", (exit) => resolve(exit ?? -1));
  });
  timeout.abort();
  await late;
  return { code, output };
}

/** True when a command of this name can be run. */
export function hasCommand(name: string): boolean {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  return folders.some((folder) => isExecutable(join(folder, name)));
}

/** Where a command is when PATH does not say (administrators' tools); else its name. */
export function commandPath(name: string): string {
  return ["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map((folder) => join(folder, name)).find(isExecutable) ?? name;
}

/** util-linux has the kernel kill a command when we die; without it the command's own time limit has to do. */
export function dyingWithUs(command: readonly string[]): readonly string[] {
  const [name = "", ...args] = command;
  const file = name.includes("/") ? name : commandPath(name);
  return hasCommand("setpriv") ? ["setpriv", "--pdeathsig", "KILL", file, ...args] : [file, ...args];
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
