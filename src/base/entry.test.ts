import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { bpfObjectOf, fileOf, moduleOf } from "./entry.ts";

test("a module is found beside the sources with the ending of the running form", () => {
  assert.ok(moduleOf("base/entry").endsWith("/src/base/entry.ts"));
});

test("a module that is missing is a bug and says its path", () => {
  assert.throws(() => moduleOf("base/nowhere"), /no module base\/nowhere: .*nowhere\.ts is missing/);
});

test("files of the repository are found from any working folder", () => {
  assert.ok(existsSync(fileOf("package.json")));
});

test("an eBPF object that was not compiled is undefined, not a path to nothing", () => {
  assert.equal(bpfObjectOf("nowhere"), undefined);
});
