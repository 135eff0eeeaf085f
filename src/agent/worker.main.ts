import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
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

const inbox: MessagePort = port;
inbox.on("message", (messages: readonly ToWorker[] | "close") => {
  if (messages === "close") end();
  else loop.receive(messages);
});
loop.kick();

/** The thread ends when its inbox is closed, wherever it was when it was told to. */
function end(): void {
  loop.close();
  inbox.close();
}

function takeWaiting(): readonly ToWorker[] {
  const taken: ToWorker[] = [];
  for (let next = receiveMessageOnPort(inbox); next !== undefined; next = receiveMessageOnPort(inbox)) {
    const messages = next.message as readonly ToWorker[] | "close";
    if (messages === "close") {
      end();
      return [];
    }
    taken.push(...messages);
  }
  return taken;
}
