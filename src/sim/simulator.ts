import type { Instant } from "../base/clock.ts";
import type { NeighborKey } from "../state/neighbor-resolver.ts";
import type { SimResult } from "./result.ts";
import type { TraceSink } from "./trace.ts";
import type { WorldApi } from "./world.ts";

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
 * stale neighbor is asked for again. `trace`: like live, but touches nothing.
 */
export interface SimInput {
  readonly mode: "live" | "check" | "renew" | "trace";
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

/**
 * Walks packets through a world. Confined to one thread; all methods are synchronous and reuse one result. `now` is
 * monotonic or wall time, whatever the neighbor tables of the world are kept in (the worker uses wall time).
 */
export interface SimulatorApi {
  /** The way of a packet. */
  simulate(input: SimInput, now: Instant): SimResult;
  /**
   * A frame that is longer than its flow allows: `limit` is the largest L3 packet of the flow, tunnel path included (word
   * 11 of the upcall). An ICMP error from the router where it did not fit, or fragments (IPv4 without DF). Never a flow.
   */
  tooBig(input: SimInput, limit: number, now: Instant): SimResult;
  /** A frame whose TTL or hop limit the walk uses up: time exceeded from the router where it ended. Never a flow. */
  ttlExpired(input: SimInput, now: Instant): SimResult;
  /** A frame that the network itself sends out of vport `port` of a device. Never a flow (`isTransient`). */
  emit(port: number, bytes: Uint8Array, now: Instant): SimResult;
  /** Records the following walks as text; undefined ends it. Costs nothing while undefined. */
  trace(sink: TraceSink | undefined): void;
  readonly world: WorldApi;
}
