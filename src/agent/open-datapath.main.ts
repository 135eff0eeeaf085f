import { err, type Result } from "../base/result.ts";
import type { Scheduler } from "../base/scheduler.ts";
import type { DatapathControl, DatapathError } from "../datapath/datapath.ts";
import { BUCKET_WAYS, SHARD_COUNT } from "../flow/layout.ts";
import type { Id } from "../model/objects.ts";
import type { AgentValues } from "./config.ts";

/** Share of the slots that the flow limit fills: above it, two-choice placement throws out live flows. */
const LOAD = 0.75;

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
  const message =
    "the memory datapath has no interfaces of its own: it runs in the lab without root and in weftsim, not in an agent";
  return err({ kind: "device-refused", message });
}
