/** What a log event means, and what its line says beyond `time`, `level`, `process`, `host` and `event`. */
export interface LogEventSpec {
  readonly level: "debug" | "info" | "warn" | "error";
  /** When it is logged, and what an operator makes of it. */
  readonly meaning: string;
  /** Fields of the line; some may be absent. */
  readonly fields?: readonly string[];
}

/** The events of a folder by name: every name that is logged there, and no other. docs/reference/events.md is made from them. */
export type LogEventCatalogue = Readonly<Record<string, LogEventSpec>>;

/** Fields that every line of every process has. */
export const LINE_FIELDS: readonly string[] = ["time", "level", "process", "host", "event"];

/** Events of the log itself. */
export const BASE_LOG_EVENTS = {
  "process.crashed": { level: "error", meaning: "a bug: the process ends", fields: ["error", "stack"] },
  "log.repeated": {
    level: "warn",
    meaning: "lines of one event that were left out because there were too many; it says how many, and of which event",
    fields: ["of", "leftOut"],
  },
  "metrics.listening": { level: "info", meaning: "a scraper can read the metrics here", fields: ["address"] },
} as const satisfies LogEventCatalogue;
