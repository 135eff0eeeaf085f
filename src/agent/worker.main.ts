import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { assert } from "../base/assert.ts";
import { unwrap } from "../base/result.ts";
import { systemScheduler } from "../base/scheduler.ts";
import type { FromWorker, ToWorker } from "./core/messages.ts";
import { makeWorker } from "./make-worker.ts";
import { WorkerLoop } from "./worker-loop.ts";
import type { WorkerStart } from "./worker-settings.ts";

/** A simulation worker thread: opens its own face of the datapath and runs until it is told to close. */
const port = parentPort;
assert(port !== null, "worker.main runs in a worker thread");
const start = workerData as WorkerStart;
const { EbpfWorker } = await import("../ebpf/ebpf-worker.ts");
const datapath = unwrap(EbpfWorker.open(start.datapath, { worker: start.worker, shards: start.shards }));
const send = (message: FromWorker): void => port.postMessage(message);
const core = makeWorker(start, { datapath, clock: systemScheduler.clock, send });

const loop = new WorkerLoop({
  core,
  datapath,
  scheduler: systemScheduler,
  takeMessages: takeWaiting,
  send,
  maySpin: start.maySpin,
});

port.on("message", (messages: readonly ToWorker[] | "close") => {
  if (messages === "close") {
    loop.close();
    port.close();
  } else loop.receive(messages);
});
loop.kick();

function takeWaiting(): readonly ToWorker[] {
  const taken: ToWorker[] = [];
  for (
    let next = receiveMessageOnPort(port as NonNullable<typeof port>);
    next !== undefined;
    next = receiveMessageOnPort(port as NonNullable<typeof port>)
  ) {
    const messages = next.message as readonly ToWorker[] | "close";
    if (messages === "close") loop.close();
    else taken.push(...messages);
  }
  return taken;
}
