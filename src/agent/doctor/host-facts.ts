/** What can be read of a host whether or not its agent runs. Gathered by a main, judged by `host-checks.ts`. */
export interface HostFacts {
  /** Release of the kernel, as `uname -r`. */
  readonly kernel: string;
  /** Processor as Node names it: x64, arm64. */
  readonly arch: string;
  /** Numbers of the capabilities that this process holds. */
  readonly capabilities: readonly number[];
  /** Whether /sys/fs/bpf is a BPF file system. */
  readonly isBpffs: boolean;
  /** net.core.bpf_jit_enable; undefined: cannot be read. */
  readonly jit: string | undefined;
  /** Parts of the kernel by name: whether they are there; undefined: nothing says so. */
  readonly modules: ReadonlyMap<string, boolean | undefined>;
  readonly links: readonly LinkFact[];
  /** The way to each address that was asked about. */
  readonly routes: ReadonlyMap<string, RouteFact | undefined>;
  /** net.ipv4.conf.NAME.rp_filter, `all` included. */
  readonly rpFilters: ReadonlyMap<string, number>;
  readonly pins: readonly PinFact[];
}

/** An interface. */
export interface LinkFact {
  readonly name: string;
  readonly mtu: number;
  readonly isUp: boolean;
  readonly addresses: readonly string[];
}

/** The way that the kernel would send a packet to an address. */
export interface RouteFact {
  readonly interfaceName: string;
  readonly source: string | undefined;
  /** Largest IP packet over it. */
  readonly mtu: number;
}

/** A folder of pinned maps. */
export interface PinFact {
  readonly path: string;
  /** Process that holds its lock; undefined: nobody does. */
  readonly owner: number | undefined;
}
