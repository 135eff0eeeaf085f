import type { LogEventCatalogue } from "../base/log-event.ts";

/** What a client of the store logs, in the agent and in the API. */
export const ZOOKEEPER_LOG_EVENTS = {
  "zookeeper.state": {
    level: "info",
    meaning: "the session's state changed: connecting, connected, suspended, expired, closed",
    fields: ["state", "why"],
  },
  "zookeeper.disconnected": {
    level: "info",
    meaning: "a connection was lost or could not be made; the next server is tried",
    fields: ["why"],
  },
} as const satisfies LogEventCatalogue;
