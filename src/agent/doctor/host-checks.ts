import { type Finding, failure, warning, well } from "../../api-schema/doctor-resource.ts";
import type { HostFacts } from "./host-facts.ts";

/** Oldest kernel that the datapath runs on. */
const KERNEL_MIN = [6, 1] as const;
/** Numbers of the capabilities that the datapath needs (capabilities(7)). */
const CAP_NET_ADMIN = 12;
const CAP_SYS_ADMIN = 21;
const CAP_PERFMON = 38;
const CAP_BPF = 39;

/** What must be true of any host of weft, judged from facts alone. Works where the agent does not start. */
export function checkHost(facts: HostFacts): readonly Finding[] {
  return [checkKernel(facts), checkRights(facts), checkBpffs(facts), checkJit(facts), checkModules(facts)];
}

/** Maps and devices of agents that are dead. `own` is the folder of the agent that asks, whose lock it holds itself. */
export function checkPins({ pins, links }: HostFacts, own: string | undefined): readonly Finding[] {
  const dead = pins.filter(({ path, owner }) => owner === undefined && path !== own);
  const found = dead.map(({ path }) =>
    warning("pins", {
      subject: path,
      found:
        "pinned maps that no agent holds: either an agent is down whose flows go on forwarding, or they are left over",
      remedy: `start the agent of that host again, or, if it is gone for good: rm -r ${path}`,
    }),
  );
  const devices = links.filter(({ name }) => name.startsWith("weft-")).map(({ name }) => name);
  const isServed = own !== undefined || pins.some(({ owner }) => owner !== undefined);
  if (devices.length > 0 && !isServed && dead.length === 0) {
    found.push(
      warning("pins", {
        subject: devices.join(", "),
        found: "devices of weft, and no agent that serves them",
        remedy: `start the agent, or: ${devices.map((name) => `ip link delete ${name}`).join("; ")}`,
      }),
    );
  }
  if (found.length > 0) return found;
  return [well("pins", { subject: "/sys/fs/bpf/weft", found: `${pins.length} folders, every one of a living agent` })];
}

function checkKernel({ kernel, arch }: HostFacts): Finding {
  const looked = { subject: "kernel", found: `Linux ${kernel} on ${arch}` };
  if (arch !== "x64")
    return failure("kernel", { ...looked, remedy: "weft runs on x86-64; other processors are refused for now" });
  const [major = 0, minor = 0] = kernel.split(".").map((part) => Number.parseInt(part, 10));
  const isNew = major > KERNEL_MIN[0] || (major === KERNEL_MIN[0] && minor >= KERNEL_MIN[1]);
  if (isNew) return well("kernel", looked);
  return failure("kernel", { ...looked, remedy: `install a kernel of at least ${KERNEL_MIN.join(".")}` });
}

function checkRights({ capabilities }: HostFacts): Finding {
  const has = (capability: number): boolean => capabilities.includes(capability);
  const isPrivileged = has(CAP_SYS_ADMIN);
  const lacking = [
    ...(has(CAP_NET_ADMIN) ? [] : ["CAP_NET_ADMIN"]),
    ...(has(CAP_BPF) || isPrivileged ? [] : ["CAP_BPF"]),
    ...(has(CAP_PERFMON) || isPrivileged ? [] : ["CAP_PERFMON"]),
  ];
  const subject = "capabilities of this process";
  if (lacking.length === 0) return well("rights", { subject, found: "everything that the datapath needs" });
  const remedy = "run the agent (and this) as root, or give it these capabilities";
  return failure("rights", { subject, found: `without ${lacking.join(", ")}`, remedy });
}

function checkBpffs({ isBpffs }: HostFacts): Finding {
  const subject = "/sys/fs/bpf";
  if (isBpffs) return well("bpffs", { subject, found: "a BPF file system" });
  return warning("bpffs", {
    subject,
    found: "not mounted; the agent mounts it at its start if it may",
    remedy: "mount -t bpf bpf /sys/fs/bpf, or have systemd do it (sys-fs-bpf.mount)",
  });
}

function checkJit({ jit }: HostFacts): Finding {
  const subject = "net.core.bpf_jit_enable";
  if (jit === undefined)
    return well("jit", { subject, found: "cannot be read; kernels without the setting always compile" });
  if (jit !== "0") return well("jit", { subject, found: jit });
  return warning("jit", {
    ...{ subject, found: "0: programs are interpreted, several times slower" },
    remedy: "sysctl -w net.core.bpf_jit_enable=1",
  });
}

function checkModules({ modules }: HostFacts): Finding {
  const of = (state: boolean | undefined): string =>
    [...modules].flatMap(([name, is]) => (is === state ? [name] : [])).join(", ");
  const subject = "parts of the kernel";
  const absent = of(false);
  if (absent !== "")
    return failure("modules", { subject, found: `without ${absent}`, remedy: "install the kernel's module package" });
  const unknown = of(undefined);
  const note = unknown === "" ? "" : `; nothing tells about ${unknown}`;
  return well("modules", { subject, found: `${of(true) || "none seen"}${note}` });
}
