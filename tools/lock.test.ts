import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { lock, tryLock } from "./lock.mjs";

async function inFolder(use: (path: string) => void | Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "weft-lock-"));
  try {
    await use(join(folder, "sub", "a.lock"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("a lock is held once, names its holder, and can be taken again when it was given back", () =>
  inFolder((path) => {
    const first = tryLock(path);
    assert.ok(first.ok);
    assert.deepEqual(tryLock(path), { ok: false, holder: process.pid });
    first.release();
    assert.equal(existsSync(path), false);
    assert.ok(tryLock(path).ok);
  }));

test("the lock of a process that died is taken over, also when its pid is in use again", () =>
  inFolder((path) => {
    const first = tryLock(path);
    assert.ok(first.ok);
    writeFileSync(path, `${process.pid} 1\n`);
    const second = tryLock(path);
    assert.ok(second.ok);
    first.release();
    assert.equal(Number.parseInt(readFileSync(path, "utf8"), 10), process.pid);
  }));

test("processes that want a lock at once get it one after the other", () =>
  inFolder(async (path) => {
    const log = `${path}.log`;
    const script = `
      import { appendFileSync } from "node:fs";
      import { lock } from ${JSON.stringify(join(import.meta.dirname, "lock.mjs"))};
      const release = await lock(${JSON.stringify(path)}, () => {});
      appendFileSync(${JSON.stringify(log)}, "in ");
      await new Promise((resolve) => setImmediate(resolve));
      appendFileSync(${JSON.stringify(log)}, "out ");
      release();
    `;
    const release = await lock(path, () => assert.fail("nobody has it"));
    const children = [1, 2, 3].map(() => spawn(process.execPath, ["--input-type=module", "--eval", script]));
    const ended = children.map((child) => once(child, "exit"));
    release();
    for (const [code] of await Promise.all(ended)) assert.equal(code, 0);
    assert.equal(readFileSync(log, "utf8"), "in out in out in out ");
  }));
