import { capability } from "../linux/capabilities.ts";

/**
 * Every capability that a process needs to own a datapath, from the first load to a takeover, once the BPF file system is mounted:
 * programs and tables (bpf; perfmon for what the verifier lets privileged programs do), links, routes, qdiscs and socket buffers
 * (netAdmin), and the packet socket by which first packets leave (netRaw). Seen on Linux 6.1 and 6.18.
 */
export const DATAPATH_CAPABILITIES: readonly number[] = [
  capability.netAdmin,
  capability.netRaw,
  capability.perfmon,
  capability.bpf,
];
