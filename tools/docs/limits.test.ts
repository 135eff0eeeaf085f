import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { isTest } from "../tidy/source.ts";
import { limits } from "./limits.ts";

const root = dirname(dirname(import.meta.dirname));

test("every limit that the reference names is one that the code keeps", () => {
  const uses = new Map<string, number>();
  for (const path of globSync("src/**/*.ts", { cwd: root }).filter((file) => !isTest(file))) {
    for (const [word] of readFileSync(join(root, path), "utf8").matchAll(/\w+/g))
      uses.set(word, (uses.get(word) ?? 0) + 1);
  }
  // Its own declaration is one.
  const idle = limits(root).filter(({ name }) => (uses.get(name) ?? 0) < 2);
  assert.deepEqual(
    idle.map(({ folder, name }) => `${folder} ${name}`),
    [],
  );
});
