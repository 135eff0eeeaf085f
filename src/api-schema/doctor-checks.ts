/** What one check of `weft doctor` looks at, and where it runs. */
export interface DoctorCheck {
  /** host: in the agent, or beside it with `--local`; cloud: in the API; command: in the command line itself. */
  readonly runs: "host" | "cloud" | "command";
  readonly looksAt: string;
}

/** Every check of `weft doctor`, in the order in which a person would look. docs/reference/doctor.md is made from it. */
export const DOCTOR_CHECKS = {
  api: { runs: "command", looksAt: "whether the API answers" },
  store: {
    runs: "cloud",
    looksAt: "the API's session with the store: connected, since when, how long a request takes",
  },
  "store-servers": {
    runs: "cloud",
    looksAt: "each server of the store by itself (`srvr`): reachable, its mode and last transaction, one leader",
  },
  "store-layout": {
    runs: "cloud",
    looksAt:
      "whether the store can be used: the version of its layout, its term and secret; documents that cannot be read",
  },
  clocks: { runs: "cloud", looksAt: "the clocks of hosts and store against the clock of the API" },
  hosts: { runs: "cloud", looksAt: "whether each host's agent lives and answers, and its release" },
  zones: { runs: "cloud", looksAt: "whether every host with bound ports can be tunnelled to" },
  bindings: {
    runs: "cloud",
    looksAt: "ports bound to hosts that do not exist or do not live, or that nobody forwards for",
  },
  leftovers: { runs: "cloud", looksAt: "state keys and replicated maps of objects that do not exist any more" },
  kernel: { runs: "host", looksAt: "kernel release and processor" },
  rights: { runs: "host", looksAt: "the capabilities that the eBPF datapath needs" },
  bpffs: { runs: "host", looksAt: "the BPF file system, in which maps outlive the agent" },
  jit: { runs: "host", looksAt: "whether eBPF programs are compiled or interpreted" },
  modules: { runs: "host", looksAt: "VXLAN, clsact and cls_bpf of the kernel" },
  "agent-socket": { runs: "host", looksAt: "whether an agent serves its socket on this host" },
  pins: { runs: "host", looksAt: "maps and devices that a dead agent left" },
  "agent-store": { runs: "host", looksAt: "the agent's session with the store" },
  workers: { runs: "host", looksAt: "whether simulation workers answer and flows follow the newest topology" },
  ports: { runs: "host", looksAt: "whether every port bound here is attached to its interface" },
  underlay: { runs: "host", looksAt: "our address on the underlay: there, up, wide enough; reverse path filter" },
  tunnels: { runs: "host", looksAt: "every other host of the tunnel zones: up, when it was last heard of" },
  "peer-mtu": {
    runs: "host",
    looksAt:
      "the way to every peer carries the largest packet that the tunnel zone promises: route, and a packet of that size",
  },
  limits: { runs: "host", looksAt: "flow table, vports, peers and upcall queues: how near to their limits" },
  drops: { runs: "host", looksAt: "what was dropped in the last minute, and what that means" },
  load: { runs: "host", looksAt: "how late the agent's control thread is" },
} as const satisfies Readonly<Record<string, DoctorCheck>>;

/** The name of a check. */
export type CheckName = keyof typeof DOCTOR_CHECKS;
