import type { WorkerSettings } from "../datapath/datapath.ts";
import type { NeighborSettings } from "../state/neighbor-settings.ts";

/** What a worker thread is started with. Structured-cloneable. */
export interface WorkerStart {
  readonly worker: number;
  readonly workers: number;
  readonly shards: readonly number[];
  readonly seed: number;
  readonly datapath: WorkerSettings;
  readonly neighbor: NeighborSettings;
  readonly maySpin: boolean;
  /** Longest wake-up of a processor while new flows come, in µs; undefined: whatever it takes. */
  readonly wakeLatencyUs?: number | undefined;
  /** An earlier agent served this host's ports, which go on forwarding. */
  readonly isTakingOver?: boolean;
}

/** What a worker's thread is started with besides: the flags of its mail. */
export interface ThreadStart extends WorkerStart {
  readonly mail: Uint32Array;
}

/** The shards of a worker: dealt out round robin, so that each worker count gives every shard exactly one owner. */
export function shardsOf(worker: number, workers: number, shards: number): readonly number[] {
  return Array.from({ length: shards }, (_, shard) => shard).filter((shard) => shard % workers === worker);
}
