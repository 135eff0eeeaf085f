import { Counters } from "../base/metrics.ts";

/** What a store server counts. */
export const storeServerCatalogue = {
  store_connections: "Connections open now (gauge)",
  store_connections_refused: "Connections refused because there were too many",
  store_sessions: "Sessions alive now (gauge)",
  store_sessions_expired: "Sessions ended because nothing was heard of them in time",
  store_requests: "Requests served, pings included",
  store_writes: "Transactions committed",
  store_commits: "Durable commits; each carries every transaction of one turn",
  store_events: "Watch events sent",
  store_watches: "Watches held now (gauge)",
  store_nodes: "Nodes in the tree now (gauge)",
  store_bytes: "Bytes of names and content in the tree now (gauge)",
  store_bad_frames: "Connections cut because the client sent what is not the protocol",
  store_auth_refused: "Connections cut because the client did not show the secret",
  store_slow_clients: "Connections cut because the client did not read what it had asked for",
  store_handshakes_late: "Connections cut because no session was asked for in time",
  store_full_refusals: "Writes refused because the disk was full",
  store_full_commits: "Commits that failed because the disk was full",
  store_snapshots: "Snapshots written",
  store_swept: "Containers and nodes with a time to live that a sweep removed",
} as const;

/** The counters of one server. */
export type StoreServerCounters = Counters<typeof storeServerCatalogue>;

/** Fresh counters. */
export function storeServerCounters(): StoreServerCounters {
  return new Counters(storeServerCatalogue);
}
