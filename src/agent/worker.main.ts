import { type MessagePort, parentPort, receiveMessageOnPort } from "node:worker_threads";
import { assert } from "../base/assert.ts";
import type { Duration } from "../base/clock.ts";
import { unwrap } from "../base/result.ts";
import { systemScheduler } from "../base/scheduler.ts";
import { EbpfWorker } from "../ebpf/ebpf-worker.ts";
import { ThreadPolicy } from "../linux/thread-policy.ts";
import { WakeLatency } from "../linux/wake-latency.ts";
import { BatchPolicy } from "./batch-policy.ts";
import type { FromWorker, ToWorker } from "./core/messages.ts";
import type { WorkerCore } from "./core/worker.ts";
import { IdleHold } from "./idle-hold.ts";
import { WORKER_SLICE_NS } from "./limits.ts";
import { makeWorker } from "./make-worker.ts";
import { type Mail, WorkerInbox } from "./worker-inbox.ts";
import { WorkerLoop } from "./worker-loop.ts";
import type { ThreadStart } from "./worker-settings.ts";
import type { Begin, FromThread } from "./worker-thread.ts";

/** A simulation worker thread: opens its own face of the datapath when it is told which, and runs until it is told to close. */
assert(parentPort !== null, "worker.main runs in a worker thread");
const port: MessagePort = parentPort;
let loop: WorkerLoop | undefined;

port.on("message", (mail: Begin | Mail) => {
  if (mail === "close") end();
  else if ("start" in mail) loop = begin(mail.start);
  else loop?.receive(mail);
});
port.postMessage({ kind: "loaded" } satisfies FromThread);

function begin(start: ThreadStart): WorkerLoop {
  const datapath = unwrap(EbpfWorker.open(start.datapath, { worker: start.worker, shards: start.shards, waits: true }));
  const send = (message: FromWorker): void => port.postMessage(message);
  const core = makeWorker(start, { datapath, clock: systemScheduler.clock, send });
  const inbox = new WorkerInbox(start.mail, () => receiveMessageOnPort(port)?.message as Mail | undefined);
  const waitForFrame = (span: Duration): boolean => datapath.wait(span);
  const wait = (span: Duration): boolean => inbox.waitBy(waitForFrame, span);
  const { maySpin } = start;
  const hold = holdOf(start.wakeLatencyUs, () => core.counts.metrics.add("weft_worker_idle_holds"));
  const takeMessages = (): readonly ToWorker[] => taken(inbox);
  const parts = { core, datapath, scheduler: systemScheduler, takeMessages, send, maySpin, wait, hold };
  const begun = new WorkerLoop({ ...parts, policy: policyOf(core), hasSlept: () => datapath.hasSlept });
  begun.kick();
  return begun;
}

/** Whether there is the request was seen when the agent started. */
function holdOf(us: number | undefined, onBegin: () => void): IdleHold | undefined {
  const latency = us === undefined ? undefined : WakeLatency.open();
  if (us === undefined || latency?.ok !== true) return undefined;
  const { value } = latency;
  return new IdleHold({ begin: () => value.ask(us), end: () => value.clear(), close: () => value.close() }, onBegin);
}

/** None for a thread whose scheduling somebody has chosen. */
function policyOf({ counts: { metrics } }: WorkerCore): BatchPolicy | undefined {
  const policy = ThreadPolicy.own();
  if (!policy.ok) return undefined;
  const { value } = policy;
  value.shorten(WORKER_SLICE_NS);
  return new BatchPolicy(
    { begin: () => value.batch(), end: () => value.other() },
    { onBegin: () => metrics.add("weft_worker_batch_spans"), onBar: () => metrics.add("weft_worker_batch_bars") },
  );
}

/** The thread ends when its inbox is closed, wherever it was when it was told to. */
function end(): void {
  loop?.close();
  port.close();
}

function taken(inbox: WorkerInbox): readonly ToWorker[] {
  const mail = inbox.take();
  if (mail.at(-1) !== "close") return mail as readonly ToWorker[];
  end();
  return [];
}
