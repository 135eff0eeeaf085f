/** Bounds of the ZooKeeper codec and client. Each says why; each has a counter where it can be met. */
export const zookeeperLimits = {
  /**
   * Longest frame we accept or send, in bytes, without its length prefix. Apache's jute.maxbuffer is 0xfffff and its servers
   * accept 1,024 bytes more than that; ours is the same, so that what one server takes the other takes too.
   */
  frameBytes: 0xfffff + 1024,
  /**
   * Longest frame that a client takes from a server: a list of 100,000 children with names of 60 bytes is 6.4 MB, and servers
   * do not bound what they answer.
   */
  replyBytes: 32 * 1024 * 1024,
  /** Longest data of one node in bytes: leaves room for the path and the ACL in the same frame. */
  nodeBytes: 1_048_575 - 1_024,
  /** Most operations in one multi: bounds the work that a single frame can ask for. */
  multiOperations: 10_000,
  /** Requests on the wire without an answer. Apache throttles a connection past 1,000; more only adds latency. */
  inFlight: 1_000,
  /** Requests that wait for the wire. Past it a request ends as `connection-loss` at once (never sent). */
  waiting: 100_000,
  /** Watches of one client: one frame of setWatches2 carries about 5,000 of them, so this is some 20 frames at a reconnect. */
  watches: 100_000,
  /** Bytes of paths in one setWatches2 frame, well under `frameBytes`. Apache's client uses the same 128 KiB. */
  setWatchesBytes: 128 * 1024,
  /** First and longest pause in milliseconds after all servers of a list have failed in a row. */
  backoffMinMs: 50,
  backoffMaxMs: 1_000,
  /** Times that a read is sent before a lost connection ends it: its answer may be what breaks the connection. */
  readAttempts: 2,
  /** Session time-outs of refused greetings after which a client no longer insists on the transactions that it has seen. */
  refusedTimeouts: 2,
  /** Shortest time in milliseconds given to one server for dialling and answering the connect request. */
  connectMinMs: 250,
  /** Pings are sent at least this often (milliseconds), however long the session is: a dead peer is found by them. */
  pingMaxMs: 10_000,
  /** Time in milliseconds that close() waits for the server's answer before it hangs up. */
  closeMs: 2_000,
  /** How long a server may take to say how it does, in milliseconds. */
  statusWithinMs: 5_000,
  /** Characters of such an answer that are read: some 300 are meant. */
  statusTextMax: 65_536,
} as const;
