import type { LogEventCatalogue } from "../base/log-event.ts";

/** What the recipes of the store log. */
export const STORE_LOG_EVENTS = {
  "store.denied": {
    level: "error",
    meaning:
      "the store does not take this process's secret: nothing can be read or changed before it has the right one",
    fields: ["path", "remedy"],
  },
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
  "store.term-damaged": {
    level: "error",
    meaning:
      "the node of the store's term holds none: nobody is elected, gets a lock or leases ports anew, because fencing numbers would go back; weft store check",
    fields: ["path"],
  },
  "store.term-sound": {
    level: "info",
    meaning: "the store's term can be read again: elections, locks and leases go on",
    fields: ["path"],
  },
} as const satisfies LogEventCatalogue;
