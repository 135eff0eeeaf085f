import assert from "node:assert/strict";
import { test } from "node:test";
import { ok } from "../base/result.ts";
import { CHANGES_WAITING_MAX } from "./limits.ts";
import { WriteLine } from "./write-line.ts";

test("changes run one after another, also after one that broke", async () => {
  const line = new WriteLine();
  const seen: string[] = [];
  const work = (name: string) => async () => {
    seen.push(`${name} begins`);
    await Promise.resolve();
    seen.push(`${name} ends`);
    return ok(name);
  };
  const broken = line.run(() => Promise.reject(new Error("a bug")));
  const both = [line.run(work("a")), line.run(work("b"))];
  await assert.rejects(broken, /a bug/);
  await Promise.all(both);
  assert.deepEqual(seen, ["a begins", "a ends", "b begins", "b ends"]);
});

test("only so many wait", async () => {
  const line = new WriteLine();
  const gate = Promise.withResolvers<void>();
  const waiting = Array.from({ length: CHANGES_WAITING_MAX }, () => line.run(() => gate.promise.then(() => ok(1))));
  const refused = await line.run(async () => ok(1));
  assert.equal(refused.ok ? "" : refused.error.code, "overloaded");
  gate.resolve();
  await Promise.all(waiting);
  assert.ok((await line.run(async () => ok(1))).ok);
});
