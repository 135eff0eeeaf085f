import type { Id, Kind, TopologyObject } from "../../model/objects.ts";

/**
 * What control thread and simulation workers say to each other. Structured-cloneable, no functions; first in first out per
 * pair. A worker drains what control sent before it simulates the next batch.
 */
export type ToWorker =
  /** An object of the host's slice is new or has changed. */
  | { readonly kind: "object"; readonly object: TopologyObject }
  /** An object of the slice does not exist (any more), or is damaged in the store. */
  | { readonly kind: "no-object"; readonly objectKind: Kind; readonly id: Id }
  /** Where packets for a bound port go now. */
  | { readonly kind: "placement"; readonly portId: Id; readonly placement: Placement }
  /** Key under which a host takes one copy of a flood for all its unfiltered ports of a bridge; undefined when it left. */
  | { readonly kind: "flood-key"; readonly bridgeId: Id; readonly peer: number; readonly key: number | undefined }
  /** The winning entry of a key of a replicated map, as the store has it; `value` undefined: no entry left. */
  | { readonly kind: "entry"; readonly map: MapName; readonly deviceId: Id; readonly key: string; readonly value: string | undefined; readonly isConfigured: boolean }
  /** Largest inner L3 packet towards a peer, 0 when the peer is gone. */
  | { readonly kind: "peer"; readonly peer: number; readonly mtu: number }
  /** Everything sent before this is one version of the world; the worker answers when all its flows follow it. */
  | { readonly kind: "version"; readonly version: number }
  /** Questions of the agent's API; each is answered once. */
  | { readonly kind: "ask-flows"; readonly request: number; readonly limit: number }
  | { readonly kind: "ask-trace"; readonly request: number; readonly portId: Id; readonly frame: Uint8Array };

/** Where packets for a bound port go: out here, into the tunnel to a peer, or nowhere because its host or interface is down. */
export type Placement =
  | { readonly kind: "local"; readonly vport: number }
  | { readonly kind: "remote"; readonly peer: number; readonly tunnelKey: number }
  | { readonly kind: "inactive" };

/** Replicated maps whose content workers need. `fdb` and `bridge-neighbor` belong to bridges, `neighbor` to routers. */
export type MapName = "fdb" | "neighbor" | "bridge-neighbor";

/** What a worker tells control. */
export type FromWorker =
  /** A simulation needs an object that it was never told of. */
  | { readonly kind: "want"; readonly id: Id }
  | { readonly kind: "map-put"; readonly map: MapName; readonly deviceId: Id; readonly key: string; readonly value: string }
  /** Takes our own opinion back, if it still has this value. */
  | { readonly kind: "map-remove"; readonly map: MapName; readonly deviceId: Id; readonly key: string; readonly value: string }
  /** All flows of this worker follow the world of this version. */
  | { readonly kind: "reached"; readonly version: number }
  | { readonly kind: "flows"; readonly request: number; readonly flows: readonly FlowLine[]; readonly total: number }
  | { readonly kind: "trace"; readonly request: number; readonly report: TraceReport }
  /** Counters of the worker since its start, told about once a second: drops by vport index and reason code, metrics by name. */
  | { readonly kind: "counts"; readonly drops: readonly (readonly [vport: number, reason: number, packets: number])[]; readonly metrics: Readonly<Record<string, number>> };

/** One installed flow, as people see it. */
export interface FlowLine {
  readonly slot: number;
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
  readonly outcome: string;
  readonly walk: readonly string[];
  readonly flowClass: string;
  readonly action: string;
}
