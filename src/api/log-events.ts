import type { LogEventCatalogue } from "../base/log-event.ts";

/** What the API server logs. */
export const API_LOG_EVENTS = {
  "api.listening": { level: "info", meaning: "the API answers", fields: ["release", "addresses"] },
  "api.stopping": { level: "info", meaning: "the API was asked to stop", fields: ["reason"] },
  "api.done": { level: "debug", meaning: "a request was answered", fields: ["operation"] },
  "api.bug": { level: "error", meaning: "a bug: a request ended as an internal error", fields: ["what"] },
} as const satisfies LogEventCatalogue;
