import assert from "node:assert/strict";
import { test } from "node:test";
import { checkLogEvents, loggedEvents } from "./log-events.ts";
import { parseSource } from "./source.ts";

const text = `
export class A {
  #log;
  go(parts) {
    parts.log.warn("a.known", { port: 1, why: "x" });
    this.#log.info("a.level");
    this.#log("error", "a.core", { id: 1, host: 2 });
    log.error("a.unknown");
    log[level](name, fields);
    console.error("a.other");
    Math.log("error");
    log.debug("shared.event", fields);
  }
}
`;

const catalogues = new Map([
  [
    "agent",
    {
      "a.known": { level: "warn", meaning: "m", fields: ["port"] },
      "a.level": { level: "warn", meaning: "m" },
      "a.core": { level: "error", meaning: "m", fields: ["id", "host"] },
      "a.never": { level: "error", meaning: "m" },
    },
  ],
  ["base", { "shared.event": { level: "debug", meaning: "m" } }],
] as const);

test("events that are logged are found, of shells and of cores", () => {
  const found = loggedEvents(parseSource("src/agent/a.ts", text));
  assert.deepEqual(found.map(({ level, event }) => `${level} ${event}`).toSorted(), [
    "debug shared.event",
    "error a.core",
    "error a.unknown",
    "info a.level",
    "warn a.known",
  ]);
  assert.deepEqual(loggedEvents(parseSource("src/agent/a.test.ts", text)), []);
});

test("an event without an entry, with another level or field, and an entry without an event are faults", () => {
  const faults = checkLogEvents(loggedEvents(parseSource("src/agent/a.ts", text)), catalogues);
  assert.deepEqual(faults.map(({ message }) => message).toSorted(), [
    "a.core: host is a field of every line",
    "a.known: the catalogue does not have the field why",
    "a.level is logged as info; the catalogue says warn",
    "a.never is in the catalogue and never logged",
    "a.unknown is not in src/agent/log-events.ts",
  ]);
});
