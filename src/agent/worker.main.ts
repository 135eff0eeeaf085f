import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { assert } from "../base/assert.ts";
import { unwrap } from "../base/result.ts";
import { systemScheduler } from "../base/scheduler.ts";
import type { FromWorker, ToWorker } from "./core/messages.ts";
import { makeWorker } from "./make-worker.ts";
import { type Mail, WorkerInbox } from "./worker-inbox.ts";
import { WorkerLoop } from "./worker-loop.ts";
import type { ThreadStart } from "./worker-settings.ts";

/** A simulation worker thread: opens its own face of the datapath and runs until it is told to close. */
assert(parentPort !== null, "worker.main runs in a worker thread");
const port: MessagePort = parentPort;
const start = workerData as ThreadStart;
const { EbpfWorker } = await import("../ebpf/ebpf-worker.ts");
const datapath = unwrap(EbpfWorker.open(start.datapath, { worker: start.worker, shards: start.shards }));
const send = (message: FromWorker): void => port.postMessage(message);
const core = makeWorker(start, { datapath, clock: systemScheduler.clock, send });

const inbox = new WorkerInbox(start.mail, () => receiveMessageOnPort(port)?.message as Mail | undefined);
const loop = new WorkerLoop({
  core,
  datapath,
  scheduler: systemScheduler,
  takeMessages,
  send,
  maySpin: start.maySpin,
  wait: (span) => inbox.waitBy(() => datapath.wait(span)),
});

port.on("message", (mail: Mail) => {
  if (mail === "close") end();
  else loop.receive(mail);
});
loop.kick();

/** The thread ends when its inbox is closed, wherever it was when it was told to. */
function end(): void {
  loop.close();
  port.close();
}

function takeMessages(): readonly ToWorker[] {
  const mail = inbox.take();
  if (mail.at(-1) !== "close") return mail as readonly ToWorker[];
  end();
  return [];
}
