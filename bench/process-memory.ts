import { readFileSync } from "node:fs";

const MB = 1024 * 1024;

/** Resident memory of a process in MB (2^20 bytes). */
export interface ProcessMemory {
  readonly total: number;
  /** Mapped eBPF maps: flow table, rings and what else agent and kernel share. A ring's data is mapped twice in a row and counts twice. */
  readonly maps: number;
  /** Anonymous memory: JavaScript heaps, typed arrays, stacks. */
  readonly anonymous: number;
  /** The program and its libraries. */
  readonly files: number;
}

/** Reads /proc/PID/smaps. */
export function processMemory(pid: number): ProcessMemory {
  const sums = { maps: 0, anonymous: 0, files: 0 };
  let into: keyof typeof sums = "anonymous";
  for (const line of readFileSync(`/proc/${pid}/smaps`, "utf8").split("\n")) {
    const [, path] = /^[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \S+ *(.*)$/.exec(line) ?? [];
    if (path !== undefined) into = kindOf(path);
    const [, kilobytes] = /^Rss: *(\d+) kB$/.exec(line) ?? [];
    if (kilobytes !== undefined) sums[into] += (Number(kilobytes) * 1024) / MB;
  }
  return { ...sums, total: sums.maps + sums.anonymous + sums.files };
}

function kindOf(path: string): "maps" | "anonymous" | "files" {
  if (path.includes("bpf-map") || path.includes("bpf_")) return "maps";
  return path === "" || path.startsWith("[") || path.startsWith("/dev/zero") ? "anonymous" : "files";
}
