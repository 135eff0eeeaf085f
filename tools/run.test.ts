import assert from "node:assert/strict";
import { type ChildProcessByStdio, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { test } from "node:test";

const root = dirname(import.meta.dirname);
const runner = join(root, "tools", "run.mjs");

type Running = ChildProcessByStdio<null, Readable, null>;

/** Starts the waiting fixture through run.mjs; resolves with what it printed so far once it is up. */
async function start(): Promise<{ child: Running; printed: () => string }> {
  const { npm_lifecycle_event: _, ...env } = process.env;
  const child = spawn(process.execPath, [runner, "tools/fixture/waits.ts", "a", "b c"], {
    stdio: ["ignore", "pipe", "inherit"],
    env,
  });
  let printed = "";
  child.stdout.on("data", (chunk: Buffer) => {
    printed += chunk.toString();
  });
  while (!printed.includes("\n")) await once(child.stdout, "data");
  return { child, printed: () => printed };
}

test("arguments go to the entry, a signal is passed on, the code comes back", async () => {
  const { child, printed } = await start();
  child.kill("SIGTERM");
  const [code] = await once(child, "close");
  assert.equal(printed(), "up a b c\nSIGTERM\n");
  assert.equal(code, 7);
});

test("the entry notices when the runner is killed with -9", async () => {
  const { child, printed } = await start();
  child.kill("SIGKILL");
  // Its output closes only when the entry, which holds it too, has ended.
  await once(child, "close");
  assert.equal(printed(), "up a b c\nparent-gone\n");
});

test("a runner without an entry says how it is used", () => {
  const { status, stderr } = spawnSync(process.execPath, [runner], { encoding: "utf8" });
  assert.equal(status, 1);
  assert.match(stderr, /^weft: usage: node tools\/run\.mjs ENTRY/);
});
