import { readdirSync, readFileSync } from "node:fs";
import { ok, type Result } from "../base/result.ts";
import type { LinuxError } from "./errno.ts";
import { allocate, checked, libc } from "./libc.ts";

const setParentDeathSignal = 1;
const setNoNewPrivileges = 38;
const dropFromBounding = 24;
const ambient = 47;
const ambientClear = 4;
const capabilityVersion3 = 0x2008_0522;
const capabilityLast = 40;

/** Numbers of the capabilities that a network agent may need (linux/capability.h). */
export const capability = {
  netAdmin: 12,
  netRaw: 13,
  ipcLock: 14,
  sysAdmin: 21,
  sysResource: 24,
  perfmon: 38,
  bpf: 39,
} as const;

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

/**
 * Gives up every capability but these, for the calling thread and the ones it starts from now on; for ever (the
 * bounding
 * set shrinks too, and exec gains nothing). Call it on the main thread before any worker is made: threads that exist
 * keep theirs, Node's own helpers among them, which therefore can still open files as root.
 */
export function keepCapabilities(kept: readonly number[]): Result<undefined, LinuxError> {
  for (let number = 0; number <= capabilityLast; number++) {
    if (kept.includes(number)) continue;
    const dropped = prctl(`drop capability ${number}`, { option: dropFromBounding, value: number });
    // EINVAL: a kernel that does not know this capability cannot grant it.
    if (!dropped.ok && dropped.error.errno !== "EINVAL") return dropped;
  }
  prctl("clear the ambient capabilities", { option: ambient, value: ambientClear });
  const sealed = prctl("set no_new_privs", { option: setNoNewPrivileges, value: 1 });
  if (!sealed.ok) return sealed;
  return writeCapabilities(kept);
}

/** The effective capabilities of the calling thread, by number. */
export function effectiveCapabilities(): readonly number[] {
  const status = readFileSync("/proc/thread-self/status", "utf8");
  const mask = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0"}`);
  return Array.from({ length: 64 }, (_, number) => number).filter((number) => ((mask >> BigInt(number)) & 1n) === 1n);
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

// struct __user_cap_header_struct, and two of __user_cap_data_struct { effective, permitted, inheritable }.
function writeCapabilities(kept: readonly number[]): Result<undefined, LinuxError> {
  const header = new Uint32Array(allocate(8).buffer);
  const sets = new Uint32Array(allocate(24).buffer);
  header[0] = capabilityVersion3;
  for (const number of kept) {
    const at = (number >> 5) * 3;
    const bit = 1 << (number & 31);
    sets[at] = (sets[at] as number) | bit;
    sets[at + 1] = (sets[at + 1] as number) | bit;
  }
  const set = checked("capset", libc().capset(header, sets));
  return set.ok ? ok(undefined) : set;
}

function prctl(
  what: string,
  { option, value }: { readonly option: number; readonly value: number },
): Result<undefined, LinuxError> {
  const done = checked(what, libc().prctl(option, value, 0, 0, 0));
  return done.ok ? ok(undefined) : done;
}
