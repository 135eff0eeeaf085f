import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { checkSources, format } from "./check-all.ts";
import { checkDocuments } from "./documents.ts";
import { checkDependencies, checkLockfile, checkTexts, trackedFiles } from "./repository.ts";

const root = dirname(dirname(import.meta.dirname));
const read = (path: string): string => readFileSync(join(root, path), "utf8");

test("every source file keeps the rules of layers, sizes, names, purity and docstrings", () => {
  assert.equal(format(checkSources(root)), "");
});

test("no tracked file names a path or a host of one machine", () => {
  assert.equal(format(checkTexts(root, trackedFiles(root))), "");
});

test("the lock file names no host and no unknown install script", () => {
  assert.equal(format(checkLockfile(read("package-lock.json"))), "");
});

test("every dependency has its reason written down", () => {
  assert.equal(format(checkDependencies(read("package.json"), read("docs/dependencies.md"))), "");
});

test("reference pages, limits and the C header agree with the code", async () => {
  assert.equal(format(await checkDocuments(root)), "");
});
