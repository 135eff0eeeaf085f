import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePatch, verdictOf } from "./patch.ts";

const head = "# law: time does not go back\n# caught-by: src/base/clock.test.ts :: a clock: never back\n";

test("a patch names its law and the test that catches it", () => {
  const read = parsePatch(`${head}--- a/src/base/clock.ts\n+++ b/src/base/clock.ts\n`);
  const value = { law: "time does not go back", file: "src/base/clock.test.ts", test: "a clock: never back" };
  assert.deepEqual(read, { ok: true, value });
});

test("a patch without law, test or diff is refused with what it lacks", () => {
  assert.deepEqual(parsePatch(head), { ok: false, error: "it has no diff" });
  assert.match(JSON.stringify(parsePatch("--- a/x\n")), /law/);
  assert.match(JSON.stringify(parsePatch("# law: a\n--- a/x\n")), /caught-by/);
});

test("a test that failed, passed, was skipped or does not exist are four things", () => {
  assert.equal(verdictOf("# pass 0\n# fail 1\n"), "failed");
  assert.equal(verdictOf("# pass 1\n# fail 0\n"), "passed");
  assert.equal(verdictOf("# pass 0\n# fail 0\n# skipped 1\n"), "skipped");
  assert.equal(verdictOf("# pass 0\n# fail 0\n# skipped 0\n"), "not found");
  assert.equal(verdictOf(""), "not found");
});
