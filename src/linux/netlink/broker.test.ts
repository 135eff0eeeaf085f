import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualScheduler } from "../../base/scheduler.ts";
import { PretendedKernel } from "../fixture/pretended-kernel.ts";
import { type BrokerSettings, type Order, RequestBroker } from "./broker.ts";
import { netlinkControl, netlinkFlags } from "./protocol.ts";
import { collectAll } from "./request.ts";

function setUp(settings: Partial<BrokerSettings> = {}) {
  const kernel = new PretendedKernel();
  const scheduler = new VirtualScheduler();
  const broker = new RequestBroker({
    port: kernel,
    scheduler,
    chunks: 4,
    chunkBytes: 64,
    timeoutMs: 1000,
    ...settings,
  });
  const heard: string[] = [];
  const order = (name: string, flags = 0): Order => ({ name, type: 100, flags, write: (writer) => writer.u32(7) });
  const submit = (name: string, flags = 0) =>
    broker.submit(order(name, flags), {
      onMessage: (message) => heard.push(`${name}: ${message.headerU32(0)}`),
      onDone: (isInterrupted) => heard.push(`${name} done${isInterrupted ? ", interrupted" : ""}`),
      onError: (error) => heard.push(`${name} ${error.errno}`),
    });
  const sequence = (i: number): number => kernel.requests[i]?.sequence ?? -1;
  return { kernel, scheduler, broker, heard, submit, order, sequence };
}

test("requests of one turn go out in order as one datagram, and answers in any order find their observers", () => {
  const { kernel, scheduler, heard, submit, sequence, broker } = setUp();
  for (const name of ["a", "b", "c"]) submit(name);
  assert.equal(kernel.batches.length, 0);
  scheduler.step();
  assert.equal(kernel.batches.length, 1);
  assert.deepEqual(
    kernel.requests.map(({ type, flags }) => [type, flags]),
    [1, 2, 3].map(() => [100, netlinkFlags.request | netlinkFlags.ack]),
  );
  kernel.acknowledge(sequence(2)).answer(sequence(0), 50, { value: 9 }).acknowledge(sequence(1), 17);
  kernel.acknowledge(sequence(0)).tell();
  assert.deepEqual(heard, ["c done", "a: 9", "b EEXIST", "a done"]);
  assert.equal(broker.outstanding, 0);
  assert.equal(broker.counters.get("netlink_requests"), 3);
  assert.equal(broker.counters.get("netlink_refused"), 1);
});

test("a request beyond the chunks is refused at once, and taken after one is free", () => {
  const { kernel, broker, submit, sequence } = setUp();
  for (const name of ["a", "b", "c", "d"]) assert.ok(submit(name).ok);
  const fifth = submit("e");
  assert.ok(!fifth.ok);
  assert.equal(fifth.error.errno, "EBUSY");
  assert.equal(broker.counters.get("netlink_full"), 1);
  broker.flush();
  kernel.acknowledge(sequence(1)).tell();
  assert.ok(submit("e").ok);
});

test("a request longer than a chunk is refused and leaves nothing behind", () => {
  const { broker, order } = setUp();
  const long = broker.sendOptimistic({ ...order("long"), write: (writer) => writer.attribute(1, new Uint8Array(64)) });
  assert.ok(!long.ok);
  assert.equal(long.error.errno, "EMSGSIZE");
  assert.equal(broker.outstanding, 0);
});

test("an optimistic order asks for no answer, frees its chunk when sent, and only counts a refusal", () => {
  const { kernel, broker, order, sequence } = setUp();
  for (let i = 0; i < 4; i++) assert.ok(broker.sendOptimistic(order(`o${i}`)).ok);
  broker.flush();
  assert.equal(broker.outstanding, 0);
  assert.ok(kernel.requests.every(({ flags }) => flags === netlinkFlags.request));
  kernel.acknowledge(sequence(2), 17).tell();
  assert.equal(broker.counters.get("netlink_optimistic"), 4);
  assert.equal(broker.counters.get("netlink_optimistic_errors"), 1);
  assert.equal(broker.counters.get("netlink_unclaimed"), 0);
});

test("a silent kernel times a request out, its late answer reaches nobody, and the chunk serves again", () => {
  const { kernel, scheduler, broker, heard, submit, sequence } = setUp({ chunks: 1 });
  submit("a");
  while (scheduler.step());
  assert.deepEqual(heard, ["a ETIMEDOUT"]);
  assert.equal(scheduler.clock.now(), 1000);
  submit("b");
  broker.flush();
  kernel.acknowledge(sequence(0)).tell();
  assert.deepEqual(heard, ["a ETIMEDOUT"]);
  assert.equal(broker.counters.get("netlink_unclaimed"), 1);
  kernel.acknowledge(sequence(1)).tell();
  assert.deepEqual(heard, ["a ETIMEDOUT", "b done"]);
});

test("each message of an answer puts the time-out off", () => {
  const { kernel, scheduler, broker, heard, submit, sequence } = setUp();
  submit("a", netlinkFlags.dump);
  broker.flush();
  scheduler.advanceTo(900);
  kernel.answer(sequence(0), 50).tell();
  scheduler.step();
  scheduler.step();
  assert.deepEqual(heard, ["a: 0"]);
  while (scheduler.step());
  assert.deepEqual(heard, ["a: 0", "a ETIMEDOUT"]);
  assert.equal(scheduler.clock.now(), 1900);
});

test("dumps go one at a time, and other requests overtake those that wait", () => {
  const { kernel, broker, heard, submit, sequence } = setUp();
  submit("first", netlinkFlags.dump);
  submit("second", netlinkFlags.dump);
  submit("other");
  broker.flush();
  assert.equal(kernel.requests.length, 2);
  kernel.answer(sequence(0), 50, { flags: netlinkFlags.dumpInterrupted });
  kernel.answer(sequence(0), netlinkControl.done).tell();
  broker.flush();
  assert.equal(kernel.requests.length, 3);
  kernel.answer(sequence(2), netlinkControl.done).acknowledge(sequence(1)).tell();
  assert.deepEqual(heard, ["first: 0", "first done, interrupted", "second done", "other done"]);
});

test("an overrun fails what was sent, not what still waits, and is counted", () => {
  const { kernel, broker, heard, submit, sequence } = setUp();
  for (const name of ["done", "a", "b"]) submit(name);
  broker.flush();
  kernel.acknowledge(sequence(0)).tell();
  submit("waits in the first chunk");
  kernel.overrun().tell();
  assert.deepEqual(heard, ["done done", "a ENOBUFS", "b ENOBUFS"]);
  assert.equal(broker.counters.get("netlink_overruns"), 1);
  assert.equal(broker.counters.get("netlink_lost"), 2);
  assert.equal(broker.outstanding, 1);
});

test("a full socket keeps the order and sends later", () => {
  const { kernel, scheduler, broker, submit } = setUp();
  kernel.isFull = true;
  submit("a");
  broker.flush();
  assert.equal(kernel.requests.length, 0);
  kernel.isFull = false;
  for (let i = 0; i < 3; i++) scheduler.step();
  assert.equal(kernel.requests.length, 1);
});

test("a dump that the kernel says was interrupted is run again", async () => {
  const { kernel, broker, order, sequence } = setUp();
  const collector = collectAll((message) => message.headerU32(0));
  const result = broker.run({ ...order("list", netlinkFlags.dump), collector });
  broker.flush();
  kernel.answer(sequence(0), 50, { value: 1, flags: netlinkFlags.dumpInterrupted });
  kernel.answer(sequence(0), netlinkControl.done).tell();
  await Promise.resolve();
  await Promise.resolve();
  broker.flush();
  kernel.answer(sequence(1), 50, { value: 2 }).answer(sequence(1), netlinkControl.done).tell();
  assert.deepEqual(await result, { ok: true, value: [2] });
});

test("an observer may submit from within an answer", () => {
  const { kernel, broker, heard, order, submit, sequence } = setUp();
  broker.submit(order("outer"), {
    onMessage: () => undefined,
    onDone: () => {
      assert.ok(submit("inner").ok);
      broker.flush();
    },
    onError: () => assert.fail("no error"),
  });
  broker.flush();
  kernel.acknowledge(sequence(0)).tell();
  broker.flush();
  kernel.acknowledge(sequence(1)).tell();
  assert.deepEqual(heard, ["inner done"]);
});

test("closing fails what waits, and later requests are refused", () => {
  const { kernel, broker, heard, submit, order } = setUp();
  submit("a");
  broker.flush();
  assert.ok(broker.sendOptimistic(order("sent")).ok);
  broker.flush();
  submit("b");
  assert.ok(broker.sendOptimistic(order("waits")).ok);
  broker.close();
  broker.close();
  assert.deepEqual(heard, ["a ECANCELED", "b ECANCELED"]);
  assert.equal(kernel.isClosed, true);
  assert.ok(!submit("c").ok);
});

test("sequence numbers outlive many uses of a chunk and never are 0", () => {
  const { kernel, broker, submit, heard } = setUp({ chunks: 1 });
  for (let i = 0; i < 200; i++) {
    submit(`r${i}`);
    broker.flush();
    kernel.acknowledge(kernel.requests[i]?.sequence ?? 0).tell();
  }
  assert.equal(heard.length, 200);
  assert.equal(new Set(kernel.requests.map((request) => request.sequence)).size, 200);
  assert.ok(kernel.requests.every((request) => request.sequence !== 0));
});

test("a damaged datagram is counted and the rest goes on", () => {
  const { kernel, broker, heard, submit, sequence } = setUp();
  submit("a");
  broker.flush();
  kernel.raw(new Uint8Array(20)).acknowledge(sequence(0)).tell();
  assert.deepEqual(heard, ["a done"]);
  assert.equal(broker.counters.get("netlink_damaged"), 1);
});
