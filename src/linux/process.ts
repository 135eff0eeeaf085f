import { readdirSync, readFileSync } from "node:fs";
import type { Result } from "../base/result.ts";
import type { LinuxError } from "./errno.ts";
import { prctl } from "./prctl.ts";

const setParentDeathSignal = 1;

/**
 * A process for good: the kernel may give the number to another one, which started at another time.
 * The start is in clock ticks since boot, as /proc says.
 */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTicks: number;
}

/** Who we are. */
export function ownIdentity(): ProcessIdentity {
  const startTicks = processStart(process.pid);
  if (startTicks === undefined) throw new Error("/proc does not show this process: it is not mounted");
  return { pid: process.pid, startTicks };
}

/** When the process of this number started, in clock ticks since boot; undefined when there is none. */
export function processStart(pid: number): number | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined;
  }
  // The name in parentheses may hold anything, parentheses included; the start is the 22nd field of all.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[19]);
  return Number.isFinite(ticks) ? ticks : undefined;
}

/** True while that very process exists; a zombie counts as gone when all its threads are. */
export function isAlive({ pid, startTicks }: ProcessIdentity): boolean {
  return processStart(pid) === startTicks && !isZombie(pid);
}

/**
 * Has the kernel send a signal to this process when its parent *thread* dies: a lab's children die with it even after
 * kill -9. Set after start, so that the caller compares `process.ppid` once more afterwards.
 */
export function dieWithParent(signal = 15): Result<undefined, LinuxError> {
  return prctl("set the parent death signal", { option: setParentDeathSignal, value: signal });
}

/** The first thread is a zombie while others of the process still end, and hold its files and locks until they have. */
function isZombie(pid: number): boolean {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return /^State:\s*[ZX]/m.test(status) && readdirSync(`/proc/${pid}/task`).length <= 1;
  } catch {
    return true;
  }
}
