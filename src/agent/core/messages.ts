import type { Ip } from "../../addr/ip.ts";
import type { Mac } from "../../addr/mac.ts";
import type { Id } from "../../model/objects.ts";
import type { WorldChange } from "../../sim/world-change.ts";
import type { NeighborEntry } from "../../state/neighbor-table.ts";

/**
 * What control thread and simulation workers say to each other. Structured-cloneable, no functions; first in first out per
 * pair. A worker takes everything that control sent before it simulates the next batch.
 */
export type ToWorker =
  /** A change of the world that packets are simulated in. */
  | { readonly kind: "world"; readonly change: WorldChange }
  /** The number of a host that we tunnel to, and the largest inner L3 packet towards it; 0: no longer a peer. */
  | { readonly kind: "peer"; readonly hostId: Id; readonly peer: number; readonly mtu: number }
  /** Key under which a host takes one copy of a flood for all its unfiltered ports of a bridge; undefined: not any more. */
  | { readonly kind: "flood-key"; readonly bridgeId: Id; readonly hostId: Id; readonly key: number | undefined }
  /** Everything that this host needs of the store has been told once: flows of an earlier agent can be simulated again. */
  | { readonly kind: "complete" }
  /** Everything sent before this is one version of the world; the worker answers when all its flows follow it. */
  | { readonly kind: "version"; readonly version: number }
  /** Questions of the agent's API; each is answered once. */
  | { readonly kind: "ask-flows"; readonly request: number; readonly limit: number }
  | { readonly kind: "ask-trace"; readonly request: number; readonly portId: Id; readonly frame: Uint8Array };

/** Replicated maps whose content workers need. `fdb` and `bridge-neighbor` belong to bridges, `neighbor` to routers. */
export type MapName = "fdb" | "neighbor" | "bridge-neighbor";

/** What this host thinks of one key of a replicated map. */
export type Opinion =
  | { readonly map: "fdb"; readonly deviceId: Id; readonly vlan: number; readonly mac: Mac; readonly portId: Id }
  | { readonly map: "neighbor"; readonly deviceId: Id; readonly ip: Ip; readonly entry: NeighborEntry }
  | { readonly map: "bridge-neighbor"; readonly deviceId: Id; readonly ip: Ip; readonly mac: Mac };

/** What a worker tells control. */
export type FromWorker =
  /** A simulation needs an object that it was never told of. */
  | { readonly kind: "want"; readonly id: Id }
  /** Writes our opinion. */
  | { readonly kind: "map-put"; readonly opinion: Opinion }
  /** Takes our own opinion back, if it still is exactly this. */
  | { readonly kind: "map-remove"; readonly opinion: Opinion }
  /** No flow of this worker forwards by an older world than this version. */
  | { readonly kind: "reached"; readonly version: number }
  /** An installed flow was not what it ought to be, and has been put right. */
  | { readonly kind: "audit"; readonly key: string; readonly installed: string; readonly wanted: string }
  | { readonly kind: "flows"; readonly request: number; readonly flows: readonly FlowLine[]; readonly total: number }
  | { readonly kind: "trace"; readonly request: number; readonly report: TraceReport }
  /** Counters since the worker's start, about once a second: drops by vport index and reason code, metrics by name. */
  | {
      readonly kind: "counts";
      readonly drops: readonly WorkerDrop[];
      readonly metrics: Readonly<Record<string, number>>;
    };

/** Packets that a worker dropped. */
export interface WorkerDrop {
  readonly vport: number;
  readonly reason: number;
  readonly packets: number;
}

/** One installed flow, as people see it. */
export interface FlowLine {
  readonly slot: number;
  readonly vport: number;
  readonly key: string;
  readonly flowClass: string;
  readonly action: string;
  readonly packets: number;
  readonly bytes: number;
  /** Milliseconds since the datapath last used it. */
  readonly idleMs: number;
  readonly tags: number;
}

/** The walk of one packet through the live topology, without side effects. */
export interface TraceReport {
  /** forward, drop, consume, wait or needs-frame. */
  readonly verdict: string;
  /** Of a drop or a wait, and why a forwarded packet would not be this one. */
  readonly reason?: string;
  readonly walk: readonly string[];
  /** What the answer depends on. */
  readonly tags: readonly string[];
  readonly flowClass: string;
  readonly action: string;
}
