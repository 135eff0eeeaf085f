import assert from "node:assert/strict";
import { test } from "node:test";
import { ValueStream } from "./value-stream.ts";

test("values come in order, before and after the reader asks", async () => {
  const stream = new ValueStream<number>();
  stream.push(1);
  const values: number[] = [];
  const reading = (async () => {
    for await (const item of stream) if (item.kind === "value") values.push(item.value);
  })();
  await Promise.resolve();
  stream.push(2);
  stream.push(3);
  stream.end();
  await reading;
  assert.deepEqual(values, [1, 2, 3]);
});

test("a slow reader loses values and is told so once, where they were lost", async () => {
  const stream = new ValueStream<number>(undefined, 2);
  for (const value of [1, 2, 3, 4]) stream.push(value);
  stream.end();
  const items: string[] = [];
  for await (const item of stream) items.push(item.kind === "value" ? `${item.value}` : "overrun");
  assert.deepEqual(items, ["1", "2", "overrun"]);
  assert.equal(stream.dropped, 2);
});

test("a reader that leaves ends the source", async () => {
  let isClosed = false;
  const stream = new ValueStream<number>(() => {
    isClosed = true;
  });
  stream.push(1);
  for await (const item of stream) {
    assert.deepEqual(item, { kind: "value", value: 1 });
    break;
  }
  stream.push(2);
  assert.equal(isClosed, true);
  assert.deepEqual(await stream.next(), { done: true, value: undefined });
});
