import type { DatapathError } from "../datapath/datapath.ts";
import type { LinuxError } from "../linux/errno.ts";

/** A kernel's refusal as the datapath's error: its kind decides what the agent does, its sentence is for people. */
export function datapathError(kind: DatapathError["kind"], error: LinuxError): DatapathError {
  if (error.errno === "EPERM" || error.errno === "EACCES") {
    const isVerdict = error.text.includes("load of BPF object");
    if (!isVerdict || error.errno === "EPERM") {
      return {
        kind: "no-permission",
        message: `${error.text}; the eBPF datapath needs root, or CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON`,
      };
    }
  }
  return { kind, message: error.text };
}
