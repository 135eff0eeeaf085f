import type { NeighborKey } from "../state/neighbor-resolver.ts";

/** Bytes of a frame, VLAN tags included; `gsoSize` as in the upcall (0: an ordinary frame). */
export interface FrameBytes {
  readonly bytes: Uint8Array;
  readonly offset: number;
  readonly length: number;
  readonly gsoSize: number;
}

/**
 * What is simulated. `live`: a packet, with its frame; teaches the FDB and the neighbor resolver. `check`: re-simulation of an
 * installed flow by its masked key; touches nothing. `renew`: the same at the hard time of a flow that is in use: a
 * stale neighbor is asked for again. `adopt`: the same for a flow that another process installed: where its source is stands for a packet
 * that taught it, unless the bridge knows better. `trace`: like live, but touches nothing.
 */
export interface SimInput {
  readonly mode: "live" | "check" | "renew" | "adopt" | "trace";
  /** The 16 words of the flow key at `keyOffset`. The class bits of word 0 are ignored. */
  readonly key: Uint32Array;
  readonly keyOffset: number;
  /** Handle of the vport by which the packet enters; 0: the local vport whose index is in the key. */
  readonly ingress: number;
  /** Needed in live and trace mode. */
  readonly frame: FrameBytes | undefined;
  /** A neighbor that did not answer (or whose parking gave up): treated as unreachable in this run. */
  readonly unresolved: NeighborKey | undefined;
}
