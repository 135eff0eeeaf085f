import type { Ip } from "../addr/ip.ts";
import type { Mac } from "../addr/mac.ts";
import type { Result } from "../base/result.ts";

/**
 * A datapath forwards by flows that the agent installs and sends up what it has no flow for. Most of the interface is memory:
 * flows, ports, peers and groups are plain words (see `flow/layout.ts`) that the agent writes with the classes of `flow/`
 * and the driver only provides, mapped from the kernel or allocated here. A driver has two faces, because a worker thread
 * opens its own: `DatapathControl` (one per host, control thread) and `DatapathWorker` (one per worker thread).
 * Two drivers exist, memory and eBPF; `datapath/compliance` holds both to the same bytes.
 */
export interface DatapathControl {
  /** The shared memory. Stable for the life of the driver. */
  readonly memory: DatapathMemory;
  /**
   * The whole wanted set of ports: those not named are detached and forgotten, new ones attached. Idempotent.
   * A port whose interface does not exist (yet) or may not be taken is reported, not fatal; it is tried again when the
   * interface appears. The driver fills the vport records, all words but the upcall credits.
   */
  setPorts(ports: readonly WantedPort[]): Promise<readonly PortOutcome[]>;
  /** The underlay: creates or adjusts the tunnel device. */
  setUnderlay(underlay: Underlay): Promise<Result<void, DatapathError>>;
  /** The whole wanted set of peers; fills the peer records and the table of source addresses. */
  setPeers(peers: readonly WantedPeer[]): Promise<Result<void, DatapathError>>;
  /** The whole wanted table of tunnel keys of this host, without kind bits in `key`. */
  setTunnelKeys(keys: readonly WantedTunnelKey[]): Promise<Result<void, DatapathError>>;
  /**
   * Sends a frame of the agent's own (a keep-alive) to a peer, at once. It takes the way of every tunnelled frame, so that it
   * proves that way. False: the datapath could not take it.
   */
  sendToPeer(peer: number, tunnelKey: number, frame: Uint8Array): boolean;
  /** Interfaces that appear, vanish, go up or down. The present state of all is told first. */
  onLink(listener: (event: LinkEvent) => void): void;
  /** Drop counters of the datapath itself since it was made, summed over CPUs. */
  drops(): readonly DropCount[];
  /**
   * Holds the records of ports, peers and tunnel keys against what was last wanted, puts right what differs, and says what that was,
   * a few words for each. Never anything, unless memory or tables were changed by somebody else.
   */
  audit(): Promise<readonly string[]>;
  /** What a worker thread needs to open its face. Structured-cloneable. */
  workerSettings(): WorkerSettings;
  /** Ends the wait of a worker thread that waits in the driver. Nothing happens when it does not. */
  wakeWorker(worker: number): void;
  /** Detaches. With `keep`, programs and tables stay and go on forwarding (restart without loss); else every trace goes. */
  close(options: { readonly keep: boolean }): Promise<void>;
}

/** The memory that agent and datapath share; layouts in `flow/layout.ts`. */
export interface DatapathMemory {
  readonly control: Uint32Array;
  /** SHARD_COUNT * buckets per shard buckets. */
  readonly buckets: Uint32Array;
  readonly counters: Uint32Array;
  readonly vports: Uint32Array;
  readonly peers: Uint32Array;
  /** Monotonic milliseconds (u32) of the last sign of life from each peer, by peer index: any tunnelled frame, new keep-alives. */
  readonly peerSeen: Uint32Array;
  /** Keep-alive records by peer index; record 0 is this host's own. */
  readonly keepAlives: Uint32Array;
  readonly groups: Uint32Array;
  readonly credits: Uint32Array;
  readonly exec: Uint32Array;
}

/** A vport that shall be attached. `vport` is its index in this host's datapath, 1..VPORT_MAX-1. */
export interface WantedPort {
  readonly vport: number;
  readonly interfaceName: string;
  readonly epoch: number;
  /** Its interface may be one of a physical network: what leaves there is guarded. */
  readonly isExternal?: boolean;
}

/** What became of a wanted port. */
export type PortOutcome =
  | {
      readonly vport: number;
      readonly state: "attached";
      readonly isUp: boolean;
      readonly mac: Mac;
      readonly mtu: number;
    }
  | { readonly vport: number; readonly state: "absent" }
  | { readonly vport: number; readonly state: "refused"; readonly why: string };

/** Where tunnels come from: our address on the underlay, its UDP port and the largest IP packet it carries. */
export interface Underlay {
  readonly address: Ip;
  readonly udpPort: number;
  readonly mtu: number;
}

/** Another host. `mtu` is the largest inner L3 packet towards it. */
export interface WantedPeer {
  readonly peer: number;
  readonly address: Ip;
  readonly mtu: number;
  readonly isUp: boolean;
  readonly epoch: number;
}

/** A key by which peers address something here: a vport, or a flood group. */
export interface WantedTunnelKey {
  readonly key: number;
  readonly target:
    | { readonly kind: "vport"; readonly vport: number }
    | { readonly kind: "group"; readonly group: number };
}

/** What happened to an interface of this host. */
export type LinkEvent =
  | {
      readonly kind: "present";
      readonly name: string;
      readonly ifindex: number;
      readonly isUp: boolean;
      readonly mac: Mac;
      readonly mtu: number;
    }
  | { readonly kind: "gone"; readonly name: string };

/** Packets and bytes that the datapath dropped; vport 0 stands for frames of no port. `reason` is a drop code. */
export interface DropCount {
  readonly vport: number;
  readonly reason: number;
  readonly packets: number;
  readonly bytes: number;
}

/** Structured-cloneable settings from which a driver opens its worker face. */
export type WorkerSettings = Readonly<Record<string, string | number | bigint | readonly (string | number | bigint)[]>>;

/** Why the datapath could not do what was asked, with one sentence that says what to do. */
export interface DatapathError {
  readonly kind: "no-permission" | "kernel-too-old" | "program-refused" | "device-refused" | "busy" | "limit";
  readonly message: string;
}

/**
 * The face of one worker thread: upcalls in, frames out. Flows it installs by writing `memory.buckets` of its shards.
 * Nothing here blocks and nothing allocates per packet.
 */
export interface DatapathWorker {
  readonly memory: DatapathMemory;
  /** Shards that this worker owns. */
  readonly shards: readonly number[];
  /**
   * Hands at most `limit` waiting upcalls to `handle` and returns how many there were. The words and bytes belong to the
   * driver and are valid only during the call of `handle`: copy what is kept. Credits are returned after each; its record is given
   * back by `flush`, or by the next `poll`.
   */
  poll(limit: number, handle: UpcallHandler): number;
  /**
   * Queues a frame with the action that is to be executed on it; `flush` sends. The frame is copied. `ingressVport` is left
   * out by groups (0: none). Returns false when the frame cannot be sent in this form (see drop reason first-gso).
   */
  execute(frame: ExecuteFrame, action: Uint32Array, actionOffset: number): boolean;
  /** Sends what `execute` queued, in order. A worker that is killed before that leaves its upcalls to the next one. */
  flush(): void;
  /** Calls `wake` when upcalls wait, once, after `sleep` was called with none waiting. False: there is work, do not sleep. */
  sleep(wake: () => void): boolean;
  /** Ends the worker's face; shards go on collecting upcalls. */
  close(): void;
}

/** A frame to execute: bytes start at `offset`, `length` long, with its offload state as the upcall had it. */
export interface ExecuteFrame {
  readonly bytes: Uint8Array;
  readonly offset: number;
  readonly length: number;
  readonly ingressVport: number;
  readonly gsoSize: number;
  readonly isChecksumPartial: boolean;
}

/** Receives one upcall: header and key words at `offset` of `words`, the frame at `frameOffset` of `bytes`. */
export type UpcallHandler = (record: UpcallRecord) => void;

/** One upcall, a view that the driver reuses. Layout of the words: UPCALL RECORD in `flow/layout.ts`. VLAN tag re-inserted in `bytes`. */
export interface UpcallRecord {
  words: Uint32Array;
  offset: number;
  bytes: Uint8Array;
  frameOffset: number;
  frameLength: number;
}
