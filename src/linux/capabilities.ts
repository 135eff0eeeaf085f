import { readFileSync } from "node:fs";
import { ok, type Result } from "../base/result.ts";
import type { LinuxError } from "./errno.ts";
import { allocate, checked, libc } from "./libc.ts";
import { prctl } from "./prctl.ts";

const dropFromBounding = 24;
const setNoNewPrivileges = 38;
const ambient = 47;
const ambientClear = 4;
const capabilityVersion3 = 0x2008_0522;
const capabilityLast = 40;

/** Numbers of the capabilities that a network agent may need (linux/capability.h). */
export const capability = {
  dacOverride: 1,
  netAdmin: 12,
  netRaw: 13,
  sysAdmin: 21,
  perfmon: 38,
  bpf: 39,
} as const;

/** What a thread may do, now and at most, as the kernel shows it. Capabilities by number. */
export interface ThreadRights {
  readonly effective: readonly number[];
  readonly permitted: readonly number[];
  /** What a program that it executes could gain at most. */
  readonly bounding: readonly number[];
  /** Executing a program never gains anything (no_new_privs). */
  readonly isSealed: boolean;
}

/**
 * Gives up every capability but these, for the calling thread and the ones it starts from now on; for ever (the bounding set
 * shrinks too, and exec gains nothing). Threads that exist keep theirs, Node's own helpers among them: only a program that is
 * executed afterwards has none that holds more.
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

/** What a thread may do: the calling one, or the one whose folder of /proc is named, as `/proc/12/task/14`. */
export function threadRights(folder = "/proc/thread-self"): ThreadRights {
  const status = readFileSync(`${folder}/status`, "utf8");
  const set = (name: string): readonly number[] => {
    const mask = BigInt(`0x${new RegExp(`^${name}:\\s*([0-9a-f]+)$`, "m").exec(status)?.[1] ?? "0"}`);
    return Array.from({ length: 64 }, (_, number) => number).filter((number) => ((mask >> BigInt(number)) & 1n) === 1n);
  };
  return {
    effective: set("CapEff"),
    permitted: set("CapPrm"),
    bounding: set("CapBnd"),
    isSealed: /^NoNewPrivs:\s*1$/m.test(status),
  };
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
