import type { LogEventCatalogue } from "../base/log-event.ts";

/** What the recipes of the store log. */
export const STORE_LOG_EVENTS = {
  "recycler.removed": {
    level: "info",
    meaning: "the elected recycler removed what a deleted object or a dead host had left in the store",
    fields: ["what", "path", "nodes"],
  },
  "recycler.interrupted": {
    level: "info",
    meaning: "a look for leftovers ended early; the next one comes by itself",
    fields: ["why"],
  },
} as const satisfies LogEventCatalogue;
