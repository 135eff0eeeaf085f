/** A folder of src/: what it may know and do. A folder imports only from folders of a lower level, and from itself. */
export interface Layer {
  readonly level: number;
  /** Synchronous: no promise, no timer, no I/O; `now` and a Prng come in as arguments. */
  readonly isPure: boolean;
  /** Whether its files may import modules of Node that do I/O (drivers and shells). */
  readonly mayDoIo: boolean;
  /** Why it stands where it stands. */
  readonly reason: string;
}

const pure = { isPure: true, mayDoIo: false } as const;
const plain = { isPure: false, mayDoIo: false } as const;
const shell = { isPure: false, mayDoIo: true } as const;

/** The cut of src/, lowest first. Type-only imports count: knowing a type is knowing. */
export const LAYERS: Readonly<Record<string, Layer>> = {
  base: { level: 0, ...plain, reason: "time, chance, outcomes and logs; knows nothing of networks" },
  addr: { level: 1, ...pure, reason: "addresses are values; what a frame looks like is not their business" },
  wire: { level: 2, ...pure, reason: "bytes and headers; no topology gives them meaning here" },
  model: { level: 2, ...pure, reason: "the virtual topology as data; any store and any API may hold it" },
  linux: {
    level: 2,
    ...shell,
    reason: "the only native code; the kernel's words, not weft's, so it can be reused and tested alone",
  },
  flow: { level: 3, ...pure, reason: "what a flow is; the devices that made it are above" },
  "api-schema": { level: 3, ...plain, reason: "what a client sees; HTTP is only one way to carry it" },
  state: { level: 4, ...pure, reason: "state machines that any store can feed and any clock can drive" },
  "api-client": { level: 4, ...shell, reason: "CLI, lab, tests and page speak to the API alike; no server in it" },
  store: {
    level: 5,
    ...plain,
    reason: "the tree's contract and the recipes over it; which server answers is a driver's matter",
  },
  datapath: { level: 5, ...plain, reason: "what a datapath is; the kernel is one driver, memory another" },
  sim: { level: 6, ...pure, reason: "a packet's walk; hosts, tunnels, stores and kernels do not exist for it" },
  zookeeper: { level: 6, ...shell, reason: "one driver of the store; it must not see what the store is used for" },
  cassandra: { level: 6, ...shell, reason: "one driver of the flow-state store" },
  ebpf: { level: 6, ...shell, reason: "one driver of the datapath" },
  agent: { level: 7, ...shell, reason: "a process; knows other processes only by what they publish" },
  "store-server": { level: 7, ...shell, reason: "a process: the data tree behind ZooKeeper's protocol" },
  api: { level: 7, ...shell, reason: "a process: REST over the model" },
  cluster: { level: 7, ...shell, reason: "a process: what the cloud needs once, elected" },
  controller: { level: 7, ...shell, reason: "a process: OpenFlow controllers" },
  weftsim: {
    level: 8,
    ...plain,
    reason: "whole clouds over the real cores in virtual time; a kernel would break the replay",
  },
  lab: { level: 9, ...shell, reason: "puts processes together on one machine, by their main files" },
  cli: { level: 10, ...shell, reason: "the user's hand; starts processes by path, names no driver" },
};

/** Files of a folder without I/O that are its edge to the machine all the same. */
export const IO_FILES: Readonly<Record<string, string>> = {
  "src/base/config.ts": "reads the configuration file and the environment, once, for every process",
  "src/base/entry.ts": "finds mains, workers and data files on disk, from the sources and from dist",
  "src/base/parent.ts": "notices that the process which started this one has died",
  "src/base/log-pino.ts": "writes log lines to a descriptor",
  "src/base/process-log.ts": "names the machine and ends the process after a bug",
  "src/base/release.ts": "reads the release's own number",
  "src/base/process-metrics.ts": "counts the descriptors of its own process",
  "src/base/free-socket.ts": "takes away the socket of a dead process, for every process that listens on one",
  "src/base/make-folder.ts": "makes the folders of sockets and state, for every process that has some",
  "src/base/http.ts": "HTTP for others to use, without what an import of it loads",
  "src/base/metrics-server.ts": "the same few lines of HTTP for a scraper in every process",
  "src/base/token-check.ts": "compares tokens, in API and agent, by digests of the system's",
};

/** A thing that only some files may name although its level would let everybody. Paths are tested as a whole. */
export interface Restriction {
  readonly target: RegExp;
  readonly allowed: RegExp;
  readonly reason: string;
}

/** Drivers are chosen where a process or a thread is put together, and nowhere else. */
export const RESTRICTIONS: readonly Restriction[] = [
  {
    target: /^src\/(ebpf|cassandra)\//,
    allowed: /^src\/(ebpf|cassandra)\/|(^|\/)([\w-]+\.)?main\.ts$/,
    reason: "a driver is named only by main.ts or *.main.ts",
  },
  {
    target: /^src\/zookeeper\//,
    allowed: /^src\/(zookeeper|store-server|weftsim)\/|(^|\/)([\w-]+\.)?main\.ts$/,
    reason: "the ZooKeeper driver is named only by mains and weftsim, its wire codec also by the server that speaks it",
  },
  {
    target: /^src\/linux\//,
    allowed: /^src\/(linux|ebpf|lab)\/|(^|\/)([\w-]+\.)?main\.ts$/,
    reason: "only the eBPF driver, the lab and mains touch the kernel",
  },
  {
    target: /^src\/(store|datapath)\/memory/,
    allowed: /^src\/(store|datapath|weftsim|lab)\/|(^|\/)([\w-]+\.)?main\.ts$/,
    reason: "a memory driver is named only by mains, weftsim, the lab and tests",
  },
];
