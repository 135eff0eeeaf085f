import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { checkSources, format } from "./check-all.ts";
import { checkDocuments } from "./documents.ts";
import { checkDependencies, checkLockfile, checkTexts, trackedFiles } from "./repository.ts";
import type { Violation } from "./source.ts";

const root = dirname(dirname(import.meta.dirname));
const none = (violations: readonly Violation[]): void => {
  if (violations.length > 0) assert.fail(`\n${format(violations)}`);
};
const read = (path: string): string => readFileSync(join(root, path), "utf8");

test("every source file keeps the rules of layers, sizes, names, purity and docstrings", () => {
  none(checkSources(root));
});

test("no tracked file names a path or a host of one machine", () => {
  none(checkTexts(root, trackedFiles(root)));
});

test("the lock file names no host and no unknown install script", () => {
  none(checkLockfile(read("package-lock.json")));
});

test("every dependency has its reason written down", () => {
  none(checkDependencies(read("package.json"), read("docs/dependencies.md")));
});

test("reference pages, limits and the C header agree with the code", async () => {
  none(await checkDocuments(root));
});
