import { Counters } from "../base/metrics.ts";

/** What a client counts. */
export const zookeeperCatalogue = {
  zookeeper_requests: "Requests put on the wire, repeated reads included",
  zookeeper_replies: "Replies received, failed ones included",
  zookeeper_events: "Watch events received",
  zookeeper_pings: "Pings sent",
  zookeeper_dials: "Attempts to connect to a server",
  zookeeper_connects: "Connections on which a session was opened or resumed",
  zookeeper_dead_peers: "Connections given up because the server was silent for two thirds of the session",
  zookeeper_connect_timeouts: "Attempts given up because a server did not answer the connect request in time",
  zookeeper_bad_frames: "Connections given up because a server sent what is not the protocol",
  zookeeper_losses: "Requests that ended with an unknown outcome",
  zookeeper_repeated_reads: "Reads that were sent again after a lost connection",
  zookeeper_refused_waiting: "Requests refused because too many were waiting for a connection",
  zookeeper_waited_too_long: "Requests that were never sent: no connection within the session time-out",
  zookeeper_resyncs: "Reconnects after which watched subtrees had to be read again",
  zookeeper_zxids_forgotten: "Times that servers refused us for so long that we no longer insist on what we have seen",
  zookeeper_expired: "Sessions that a server declared expired",
} as const;

/** The counters of one client. */
export type ZooKeeperCounters = Counters<typeof zookeeperCatalogue>;

/** Fresh counters. */
export function zookeeperCounters(): ZooKeeperCounters {
  return new Counters(zookeeperCatalogue);
}
