import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { LOG_LINES_PER_EVENT, LOG_TAIL_LINES, LOG_WINDOW_MS } from "./limits.ts";
import { ProcessLog } from "./process-log.ts";
import { VirtualScheduler } from "./scheduler.ts";

describe("the log of a process", () => {
  let scheduler: VirtualScheduler;
  let lines: string[];
  let processLog: ProcessLog;

  beforeEach(() => {
    scheduler = new VirtualScheduler();
    lines = [];
    const write = (line: string): void => void lines.push(line);
    processLog = new ProcessLog({ level: "info", process: "agent", host: "h1", scheduler, write });
  });

  const parsed = () => lines.map((line) => JSON.parse(line) as Record<string, unknown>);

  it("writes one JSON document a line, with the same first fields", () => {
    processLog.log.with({ worker: 2 }).warn("port.refused", { why: "two\nlines" });
    processLog.log.debug("api.done");
    assert.equal(lines.length, 1);
    assert.match(lines[0] ?? "", /^[^\n]+\n$/);
    const { time, ...rest } = parsed()[0] ?? {};
    assert.match(String(time), /^\d{4}-/);
    assert.deepEqual(rest, {
      ...{ level: "warn", process: "agent", host: "h1", worker: 2, why: "two\nlines", event: "port.refused" },
    });
    assert.deepEqual(processLog.counts, { debug: 1, info: 0, warn: 1, error: 0 });
  });

  it("leaves out what repeats too often, and says how many lines of what", () => {
    for (let i = 0; i < LOG_LINES_PER_EVENT + 30; i++) processLog.log.warn("map.damaged", { name: `n${i}` });
    processLog.log.warn("port.refused");
    assert.equal(lines.length, LOG_LINES_PER_EVENT + 1);
    scheduler.step();
    assert.equal(scheduler.clock.now(), LOG_WINDOW_MS);
    const last = parsed().at(-1);
    assert.deepEqual([last?.["event"], last?.["of"], last?.["leftOut"]], ["log.repeated", "map.damaged", 30]);
    processLog.log.warn("map.damaged");
    assert.equal(parsed().at(-1)?.["event"], "map.damaged");
    assert.equal(processLog.counts.warn, LOG_LINES_PER_EVENT + 32);
  });

  it("says nothing of an event that stayed within its limit", () => {
    for (let i = 0; i < LOG_LINES_PER_EVENT; i++) processLog.log.info("port.state");
    while (scheduler.step());
    assert.equal(lines.length, LOG_LINES_PER_EVENT);
  });

  it("keeps the last lines", () => {
    for (let i = 0; i < LOG_TAIL_LINES + 5; i++) processLog.log.info(`event.${i}`);
    assert.equal(processLog.tail.length, LOG_TAIL_LINES);
    assert.match(processLog.tail.at(-1) ?? "", new RegExp(`event\\.${LOG_TAIL_LINES + 4}`));
  });

  it("never lets a secret through that it was told of, wherever it turns up", () => {
    processLog.hide("0123456789abcdef");
    processLog.log.error("api.bug", { what: "at f (Bearer 0123456789abcdef) twice 0123456789abcdef" });
    assert.doesNotMatch(lines.join("") + processLog.tail.join(""), /0123456789abcdef/);
    assert.match(lines[0] ?? "", /Bearer \(secret\)\) twice \(secret\)/);
  });
});
