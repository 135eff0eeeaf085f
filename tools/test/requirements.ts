import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Something that a tier or a test cannot do without and that a machine may lack. */
export interface Requirement {
  /** How a person calls it. */
  readonly name: string;
  /** The Debian package that brings it, undefined when no package can. */
  readonly debian?: string;
  /** Whether it is here. */
  readonly isMet: () => boolean;
}

/** Everything that any tier needs, by the word that tests and tiers use for it. */
export const REQUIREMENTS = {
  root: { name: "root (run as root on Linux)", isMet: () => process.platform === "linux" && process.getuid?.() === 0 },
  bpffs: { name: "a kernel with eBPF (/sys/fs/bpf)", isMet: () => existsSync("/sys/fs/bpf") },
  tun: { name: "/dev/net/tun", isMet: () => existsSync("/dev/net/tun") },
  clang: tool("clang", "clang"),
  "libbpf-dev": {
    name: "libbpf headers",
    debian: "libbpf-dev",
    isMet: () => existsSync("/usr/include/bpf/bpf_helpers.h"),
  },
  libbpf: { name: "libbpf.so.1", debian: "libbpf1", isMet: () => hasLibrary("libbpf.so.1") },
  bpftool: tool("bpftool", "bpftool"),
  ip: tool("ip", "iproute2"),
  tc: tool("tc", "iproute2"),
  ethtool: tool("ethtool", "ethtool"),
  ping: tool("ping", "iputils-ping"),
  traceroute: tool("traceroute", "traceroute"),
  iperf3: tool("iperf3", "iperf3"),
  tshark: tool("tshark", "tshark"),
  tcpdump: tool("tcpdump", "tcpdump"),
  busybox: tool("busybox", "busybox-static"),
  qemu: tool("qemu-system-x86_64", "qemu-system-x86"),
  cpio: tool("cpio", "cpio"),
  ovs: tool("ovs-vswitchd", "openvswitch-switch"),
  java: tool("java", "default-jre-headless"),
  mvn: tool("mvn", "maven"),
  systemd: tool("systemd-analyze", "systemd"),
  kazoo: {
    name: "kazoo",
    debian: "python3-kazoo",
    isMet: () => existsSync("/usr/lib/python3/dist-packages/kazoo"),
  },
} as const satisfies Readonly<Record<string, Requirement>>;

/** The word for a requirement. */
export type RequirementWord = keyof typeof REQUIREMENTS;

/** Those of `words` that this machine lacks. */
export function missing(words: readonly RequirementWord[]): readonly Requirement[] {
  return words.map((word): Requirement => REQUIREMENTS[word]).filter((requirement) => !requirement.isMet());
}

/** One clause that says what is missing and which Debian package brings it. */
export function explain(lacking: readonly Requirement[]): string {
  const parts = lacking.map(({ name, debian }) => (debian === undefined ? name : `${name} (apt install ${debian})`));
  return `needs ${parts.join(", ")}`;
}

function tool(command: string, debian: string): Requirement {
  return { name: command, debian, isMet: () => isOnPath(command) };
}

function isOnPath(command: string): boolean {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  return folders.some((folder) => isExecutable(join(folder, command)));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function hasLibrary(name: string): boolean {
  const folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/lib"];
  return folders.some((folder) => existsSync(join(folder, name)));
}
