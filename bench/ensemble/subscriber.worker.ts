import { parentPort, workerData } from "node:worker_threads";
import { unwrap } from "../../src/base/result.ts";
import { systemScheduler } from "../../src/base/scheduler.ts";
import { StoreConnection } from "../../src/store/recipes/connection.ts";
import { TreeReplicatedMap } from "../../src/store/recipes/tree-replicated-map.ts";
import { openZooKeeper } from "../../src/zookeeper/connect.ts";
import { monotonicMs } from "../load/load.ts";
import { benchMapKind } from "./map-kind.ts";

/** What a subscriber is told when it is started. It answers with the number of entries that it has, and leaves when spoken to. */
export interface SubscriberPlan {
  readonly servers: readonly string[];
  readonly path: string;
  /** Its number, from 0. */
  readonly index: number;
  /** How many subscribers have the present change. */
  readonly heard: SharedArrayBuffer;
  /** The number at which the writer is woken. */
  readonly wakeAt: number;
  /** For each subscriber when it had it, by the machine's monotonic clock in milliseconds. */
  readonly heardAt: SharedArrayBuffer;
}

const { servers, path, index, wakeAt, ...shared } = workerData as SubscriberPlan;
const heard = new Int32Array(shared.heard);
const heardAt = new Float64Array(shared.heardAt);
const connection = new StoreConnection({
  scheduler: systemScheduler,
  connect: () => unwrap(openZooKeeper({ servers })),
});
const map = new TreeReplicatedMap({ connection, kind: benchMapKind, path });
map.subscribe({
  onLoaded: () => undefined,
  onChange: () => {
    heardAt[index] = monotonicMs();
    // The writer is woken once, by the last: it would take the processor from those who have not heard yet.
    if (Atomics.add(heard, 0, 1) + 1 === wakeAt) Atomics.notify(heard, 0);
  },
});
await map.ready;
parentPort?.postMessage(map.size);
parentPort?.once("message", () => {
  void map.close().then(() => connection.close());
});
