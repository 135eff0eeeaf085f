import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { moduleOf } from "../base/entry.ts";

/** Modules of Node that loading modules of ours brings along. */
function loadedBy(...modules: readonly string[]): readonly string[] {
  const loads = modules.map((name) => `await import(${JSON.stringify(moduleOf(name))}).catch(() => undefined);`);
  const script = `${loads.join("\n")}\nprocess.stdout.write(process.moduleLoadList.join("\\n"));`;
  const words = ["--disable-warning=ExperimentalWarning", "--input-type=module", "--eval", script];
  const { stdout, status } = spawnSync(process.execPath, words, { encoding: "utf8" });
  assert.equal(status, 0);
  return stdout
    .split("\n")
    .filter((line) => line.startsWith("NativeModule "))
    .map((line) => line.slice("NativeModule ".length));
}

const unwanted = ["internal/deps/undici/undici", "http2", "tls"];

test("an agent does not load parts of Node that it does not use: each is megabytes of every host", () => {
  const loaded = loadedBy("agent/serve.main", "agent/agent", "agent/open-datapath.main");
  assert.ok(loaded.includes("http"), "what the agent serves with");
  assert.deepEqual(
    loaded.filter((name) => unwanted.includes(name)),
    [],
  );
});

test("a worker's thread loads neither these nor cryptography", () => {
  // It refuses to run here, when all that it imports is loaded.
  const loaded = loadedBy("agent/worker.main");
  assert.ok(loaded.includes("worker_threads"));
  assert.deepEqual(
    loaded.filter((name) => [...unwanted, "crypto", "http"].includes(name)),
    [],
  );
});
