import { bpfObjectOf } from "../base/entry.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { DatapathError } from "../datapath/datapath.ts";

/** Path of the compiled programs, or one sentence that says how to make them. */
export function datapathObject(): Result<string, DatapathError> {
  const path = bpfObjectOf("datapath");
  if (path !== undefined) return ok(path);
  const message = "the eBPF programs are not compiled: run `npm run build:bpf` (needs clang and libbpf-dev)";
  return err({ kind: "program-refused", message });
}
