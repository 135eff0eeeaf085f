import type { LogEventCatalogue } from "../base/log-event.ts";

/** What the embedded store server logs. */
export const STORE_SERVER_LOG_EVENTS = {
  "store.listening": { level: "info", meaning: "the store answers", fields: ["release", "addresses", "nodes"] },
  "store.stopping": { level: "info", meaning: "the store was asked to stop", fields: ["reason"] },
  "store.broken": { level: "error", meaning: "the disk cannot be trusted any more; the server ends", fields: ["why"] },
  "store.append-failed": {
    level: "error",
    meaning: "a commit failed; on a full disk writes are refused until there is room again",
    fields: ["kind", "why"],
  },
  "store.room-again": { level: "info", meaning: "the disk has room again; writes are taken" },
  "store.session-expired": {
    level: "info",
    meaning: "nothing was heard of a client in time; what it owned is gone",
    fields: ["session"],
  },
  "store.bad-frame": {
    level: "warn",
    meaning: "a client sent what is not the protocol; its connection was cut",
    fields: ["peer", "why"],
  },
} as const satisfies LogEventCatalogue;
