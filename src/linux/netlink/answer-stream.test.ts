import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualScheduler } from "../../base/scheduler.ts";
import { PretendedKernel } from "../fixture/pretended-kernel.ts";
import { answerStream } from "./answer-stream.ts";
import { RequestBroker } from "./broker.ts";
import { netlinkControl, netlinkFlags } from "./protocol.ts";

function setUp() {
  const kernel = new PretendedKernel();
  const broker = new RequestBroker({ port: kernel, scheduler: new VirtualScheduler(), chunks: 1 });
  const order = { name: "list", type: 100, flags: netlinkFlags.dump, write: () => undefined };
  const open = () => answerStream(broker, { order, read: (message) => message.headerU32(0) || undefined });
  return { kernel, broker, open };
}

async function drain(stream: ReturnType<ReturnType<typeof setUp>["open"]>): Promise<readonly (number | string)[]> {
  const seen: (number | string)[] = [];
  for await (const item of stream) {
    if (item.kind === "overrun") seen.push("overrun");
    else seen.push(item.value.ok ? item.value.value : item.value.error.errno);
  }
  return seen;
}

test("an answer comes piece by piece and ends", async () => {
  const { kernel, broker, open } = setUp();
  const stream = open();
  broker.flush();
  const sequence = kernel.requests[0]?.sequence ?? 0;
  for (const value of [1, 0, 2]) kernel.answer(sequence, 50, { value });
  kernel.answer(sequence, netlinkControl.done).tell();
  assert.deepEqual(await drain(stream), [1, 2]);
});

test("a refusal, an interrupted list and a broker without room are the last value", async () => {
  const { kernel, broker, open } = setUp();
  const refused = open();
  assert.deepEqual(await drain(open()), ["EBUSY"]);
  broker.flush();
  kernel.acknowledge(kernel.requests[0]?.sequence ?? 0, 1).tell();
  assert.deepEqual(await drain(refused), ["EPERM"]);
  const interrupted = open();
  broker.flush();
  const flags = netlinkFlags.dumpInterrupted;
  kernel.answer(kernel.requests[1]?.sequence ?? 0, netlinkControl.done, { flags }).tell();
  assert.deepEqual(await drain(interrupted), ["EINTR"]);
});
