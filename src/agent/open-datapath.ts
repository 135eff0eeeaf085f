import { err, type Result } from "../base/result.ts";
import type { DatapathControl, DatapathError } from "../datapath/datapath.ts";
import type { Id } from "../model/objects.ts";
import type { AgentValues } from "./config.ts";

/** Opens the datapath that the configuration names. The driver is loaded only when it is wanted. */
export async function openDatapath(hostId: Id, values: AgentValues, workers: number): Promise<Result<DatapathControl, DatapathError>> {
  if (values.datapath === "ebpf") {
    const { openEbpfControl } = await import("../ebpf/control.ts");
    return openEbpfControl({ hostId, workers, pinFolder: values["pin-folder"], flowLimit: values["flow-limit"], ringBytes: values["ring-bytes"] });
  }
  const message = "the memory datapath has no interfaces of its own: it runs in the lab without root and in weftsim, not in an agent";
  return err({ kind: "device-refused", message });
}
