import { parentPort, workerData } from "node:worker_threads";
import { unwrap } from "../../src/base/result.ts";
import { connectZooKeeper } from "../../src/zookeeper/connect.ts";

/** What a writer is told when it is started. Each message is a list of nodes: it writes to all and answers. */
export interface WriterPlan {
  readonly servers: readonly string[];
}

const { servers } = workerData as WriterPlan;
const data = new Uint8Array(64);
const tree = unwrap(await connectZooKeeper({ servers }));
parentPort?.on("message", (paths: readonly string[]) => void write(paths));

async function write(paths: readonly string[]): Promise<void> {
  if (paths.length === 0) {
    await tree.close();
    return parentPort?.close();
  }
  for (const set of await Promise.all(paths.map((path) => tree.set(path, data)))) unwrap(set);
  parentPort?.postMessage("written");
}
