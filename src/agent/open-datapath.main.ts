import { createSocket } from "node:dgram";
import { readFileSync } from "node:fs";
import type { Log } from "../base/log.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { Scheduler } from "../base/scheduler.ts";
import type { DatapathControl, DatapathError } from "../datapath/datapath.ts";
import { BUCKET_WAYS, SHARD_COUNT } from "../flow/layout.ts";
import type { Id } from "../model/objects.ts";
import type { AgentValues } from "./config.ts";
import type { DatapathOwner } from "./takeover.ts";

const MEMORY_REFUSED =
  "the memory datapath has no interfaces of its own: it runs in weftsim, not in an agent; leave --datapath out";
/** Share of the slots that the flow limit fills: above it, two-choice placement throws out live flows. */
const LOAD = 0.75;

/**
 * What can be seen to be missing before anything is made or the store is asked: native calls, rights, compiled programs. The error
 * is a sentence that says what to do.
 */
export async function datapathNeeds(values: AgentValues): Promise<Result<void, string>> {
  if (values.datapath !== "ebpf") return err(MEMORY_REFUSED);
  const { loadLibc } = await import("../linux/libc.ts");
  const native = loadLibc();
  if (!native.ok) return err(native.error.text);
  if (!mayUseBpf())
    return err("the eBPF datapath needs root, or CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON: put sudo before it");
  const { datapathObject } = await import("../ebpf/object.ts");
  const object = datapathObject();
  if (!object.ok) return err(object.error.message);
  return (await isPortFree(values["udp-port"]))
    ? ok(undefined)
    : err(
        `UDP port ${values["udp-port"]} is in use on this host: stop who has it, or give every host another --udp-port`,
      );
}

/** Says so when workers will not get what `wake-latency` wants: each makes the request for itself, and does without. */
export async function warnOfLatency(values: AgentValues, log: Log): Promise<void> {
  if (values["wake-latency"] === undefined) return;
  const { WakeLatency } = await import("../linux/wake-latency.ts");
  const latency = WakeLatency.open();
  if (latency.ok) latency.value.close();
  else log.warn("wake-latency.refused", { error: latency.error.text });
}

/** Whether our tunnels can have the port. A tunnel device that an earlier agent left has it already, and is taken over. */
async function isPortFree(port: number): Promise<boolean> {
  const { TUNNEL_DEVICE } = await import("../ebpf/devices.ts");
  if (readFileSync("/proc/self/net/dev", "utf8").includes(`${TUNNEL_DEVICE}:`)) return true;
  const socket = createSocket("udp4");
  return new Promise((resolve) => {
    socket.once("error", () => resolve(false));
    socket.bind(port, () => socket.close(() => resolve(true)));
  });
}

/** Capability numbers of capabilities(7). */
const CAPABILITIES = { netAdmin: 12n, sysAdmin: 21n, bpf: 39n };

/** Whether this process may load programs and attach them. */
function mayUseBpf(): boolean {
  const [, hex = "0"] = /^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  const held = (capability: bigint): boolean => ((BigInt(`0x${hex}`) >> capability) & 1n) === 1n;
  return held(CAPABILITIES.netAdmin) && (held(CAPABILITIES.bpf) || held(CAPABILITIES.sysAdmin));
}

/** Loads the driver's modules, so that opening it later takes no time for that. */
export async function loadDatapath(values: AgentValues): Promise<void> {
  if (values.datapath === "ebpf") await import("../ebpf/ebpf-datapath.ts");
}

/** Says, each time it is called, which living process holds this host's datapath. */
export async function datapathOwner(hostId: Id, values: AgentValues): Promise<() => DatapathOwner | undefined> {
  if (values.datapath !== "ebpf") return () => undefined;
  const { lockPath } = await import("../ebpf/pins.ts");
  const { livingLockOwner } = await import("../linux/flock.ts");
  const { isAlive } = await import("../linux/process.ts");
  const path = lockPath({ lab: values["pin-folder"], host: hostId });
  return () => {
    const owner = livingLockOwner(path);
    const kill = (pid: number): void => void process.kill(pid, "SIGKILL");
    return (
      owner && {
        pid: owner.pid,
        isAlive: () => isAlive(owner),
        kill: () => (isAlive(owner) ? kill(owner.pid) : undefined),
      }
    );
  };
}

/** Opens the datapath that the configuration names. The driver is loaded only when it is wanted. */
export async function openDatapath(
  hostId: Id,
  values: AgentValues,
  scheduler: Scheduler,
): Promise<Result<DatapathControl, DatapathError>> {
  if (values.datapath === "ebpf") {
    const { EbpfDatapath } = await import("../ebpf/ebpf-datapath.ts");
    const bucketsPerShard = Math.ceil(values["flow-limit"] / LOAD / SHARD_COUNT / BUCKET_WAYS);
    return EbpfDatapath.open({
      lab: values["pin-folder"],
      host: hostId,
      scheduler,
      bucketsPerShard,
      ringBytes: values["ring-bytes"],
    });
  }
  return err({ kind: "device-refused", message: MEMORY_REFUSED });
}
