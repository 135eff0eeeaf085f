import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryLog, silentLog } from "./log.ts";
import { openLog } from "./log-pino.ts";

test("a memory log keeps level, event and the fields of its ancestors in order", () => {
  const log = new MemoryLog({ host: "h1" });
  log.info("agent.start");
  log.with({ worker: 2 }).warn("upcall.late", { ms: 12 });
  assert.deepEqual(log.lines, [
    { level: "info", event: "agent.start", fields: { host: "h1" } },
    { level: "warn", event: "upcall.late", fields: { host: "h1", worker: 2, ms: 12 } },
  ]);
});

test("a silent log takes everything and returns itself", () => {
  silentLog.error("flow.lost");
  assert.equal(silentLog.with({ a: 1 }), silentLog);
});

test("a written line is one JSON document with time, level, event and fields", () => {
  const lines: string[] = [];
  const log = openLog({ level: "info", fields: { host: "h1", rack: undefined }, write: (line) => lines.push(line) });
  log.debug("flow.miss");
  log.with({ worker: 0 }).info("flow.install", { key: "ip4", tags: 3, peer: undefined });
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? "", /^\{.*\}\n$/);
  const { time, ...rest } = JSON.parse(lines[0] ?? "") as Record<string, unknown>;
  assert.match(String(time), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  assert.deepEqual(rest, { level: "info", host: "h1", worker: 0, key: "ip4", tags: 3, event: "flow.install" });
});
