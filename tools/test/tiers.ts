import { globSync } from "node:fs";
import type { RequirementWord } from "./requirements.ts";

/** A group of test files that run in the same way. Tiers run in the order of TIERS, fast to slow. */
export interface Tier {
  readonly name: "unit" | "sim" | "native" | "e2e";
  /** What it holds, for the list that `npm test -- --list` prints. */
  readonly meaning: string;
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** `none`: all files in one process, fast. `process`: a process a file, for code that may bring it down. */
  readonly isolation: "none" | "process";
  readonly concurrency: number;
  /** Without these the tier does not run (or fails, where every tier must run). */
  readonly needs: readonly RequirementWord[];
  /** Needed by single tests, which skip themselves with the reason; installed with the tier's own needs. */
  readonly uses: readonly RequirementWord[];
  readonly limitMs: number;
  /** A run in which no test starts or ends for so long has hung: a leaked handle or a wait for something lost. */
  readonly stallMs: number;
  /** Only one run on a machine may be in this tier. */
  readonly isExclusive: boolean;
}

const minute = 60_000;

/** The tiers. Their time limits are several times what they take on two cores. */
export const TIERS: readonly Tier[] = [
  {
    name: "unit",
    meaning: "pure code and the tidy checks, one process",
    include: ["src/**/*.test.ts", "tools/**/*.test.ts", "test/property/**/*.test.ts", "bench/**/*.test.ts"],
    exclude: ["**/*.native.test.ts"],
    isolation: "none",
    concurrency: 1,
    needs: [],
    uses: [],
    limitMs: 5 * minute,
    stallMs: minute,
    isExclusive: false,
  },
  {
    name: "sim",
    meaning: "whole clouds in virtual time, from seeds",
    include: ["test/weftsim/**/*.test.ts"],
    exclude: ["**/*.native.test.ts"],
    isolation: "process",
    concurrency: 1,
    needs: [],
    uses: [],
    limitMs: 5 * minute,
    stallMs: 2 * minute,
    isExclusive: false,
  },
  {
    name: "native",
    meaning: "the kernel: system calls, netlink, eBPF programs; a process a file",
    include: ["src/**/*.native.test.ts", "test/native/**/*.test.ts", "test/property/**/*.native.test.ts"],
    exclude: [],
    isolation: "process",
    concurrency: 1,
    needs: ["root", "bpffs", "clang", "libbpf-dev", "libbpf", "ip", "tc"],
    uses: ["bpftool", "ethtool", "tun"],
    limitMs: 8 * minute,
    stallMs: 3 * minute,
    isExclusive: false,
  },
  {
    name: "e2e",
    meaning: "hosts as namespaces, real packets, other people's tools as judges",
    include: ["test/e2e/**/*.test.ts"],
    exclude: [],
    isolation: "process",
    concurrency: 1,
    needs: ["root", "bpffs", "clang", "libbpf-dev", "libbpf", "ip", "tc", "ping"],
    uses: [
      "traceroute",
      "iperf3",
      "tshark",
      "tcpdump",
      "ethtool",
      "bpftool",
      "qemu",
      "busybox",
      "cpio",
      "java",
      "mvn",
      "kazoo",
    ],
    limitMs: 12 * minute,
    stallMs: 6 * minute,
    isExclusive: true,
  },
];

/** The tier's files, relative to `root`, sorted, narrowed to paths that contain `only`. */
export function filesOf(tier: Tier, root: string, only = ""): readonly string[] {
  const found = globSync([...tier.include], { cwd: root, exclude: ["**/node_modules/**", ...tier.exclude] });
  return [...new Set(found)].filter((file) => file.includes(only)).sort();
}
