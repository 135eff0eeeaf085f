import assert from "node:assert/strict";
import { test } from "node:test";
import { PretendedKernel } from "../fixture/pretended-kernel.ts";
import { NotificationSource } from "./notifications.ts";

function setUp() {
  const kernel = new PretendedKernel();
  const heard: string[] = [];
  const source = new NotificationSource(kernel, {
    onMessage: (message) => heard.push(`${message.headerU32(0)}`),
    onOverrun: () => heard.push("overrun"),
  });
  return { kernel, heard, source };
}

test("notifications come in order", () => {
  const { kernel, heard } = setUp();
  kernel.answer(0, 16, { value: 1 }).answer(0, 16, { value: 2 }).tell();
  assert.deepEqual(heard, ["1", "2"]);
});

test("a loss is told once, after the older notifications that the kernel still had", () => {
  const { kernel, heard, source } = setUp();
  kernel.overrun().answer(0, 16, { value: 1 }).overrun().answer(0, 16, { value: 2 }).tell();
  assert.deepEqual(heard, ["1", "2", "overrun"]);
  kernel.answer(0, 16, { value: 3 }).tell();
  assert.deepEqual(heard, ["1", "2", "overrun", "3"]);
  assert.equal(source.counters.get("netlink_overruns"), 2);
});

test("nothing is told after close", () => {
  const { kernel, heard, source } = setUp();
  kernel.answer(0, 16);
  source.close();
  source.close();
  kernel.tell();
  assert.deepEqual(heard, []);
  assert.equal(kernel.isClosed, true);
});
