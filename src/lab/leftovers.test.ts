import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { lockPath } from "../ebpf/pins.ts";
import { removeLocks } from "./leftovers.ts";

test("locks of dead agents go, and their folder when nothing else is in it", () => {
  const root = mkdtempSync(join(tmpdir(), "weft-left-"));
  const lock = lockPath({ lab: "x", host: "h1" }).split("/").at(-1) ?? "";
  for (const name of ["alone", "shared"]) {
    mkdirSync(join(root, name));
    writeFileSync(join(root, name, lock), "");
  }
  writeFileSync(join(root, "shared", "lab.lock"), "");
  for (const name of ["alone", "shared", "none"]) removeLocks(join(root, name));
  assert.equal(existsSync(join(root, "alone")), false);
  assert.deepEqual(readdirSync(join(root, "shared")), ["lab.lock"]);
  rmSync(root, { recursive: true });
});
