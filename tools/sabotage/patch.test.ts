import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
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

test("every patch is whole, names a test file that is there, and fits the code", (t) => {
  if (spawnSync("git", ["--version"]).error !== undefined) return t.skip("git is missing");
  const root = join(import.meta.dirname, "..", "..");
  const folder = join(root, "test", "sabotage");
  for (const name of readdirSync(folder).filter((file) => file.endsWith(".patch"))) {
    const read = parsePatch(readFileSync(join(folder, name), "utf8"));
    assert.ok(read.ok, `${name}: ${read.ok ? "" : read.error}`);
    assert.ok(existsSync(join(root, read.value.file)), `${name}: ${read.value.file} is not there`);
    const applied = spawnSync("git", ["apply", "--check", join(folder, name)], { cwd: root, encoding: "utf8" });
    assert.equal(applied.status, 0, `${name}: ${applied.stderr}`);
  }
});
