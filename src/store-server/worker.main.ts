import { parentPort, workerData } from "node:worker_threads";
import { writeSnapshot } from "./snapshot-file.ts";

/** Writes the snapshot of a folder in a thread of its own, while the server goes on; answers with its zxid. */
const { folder } = workerData as { readonly folder: string };
parentPort?.postMessage(writeSnapshot(folder));
