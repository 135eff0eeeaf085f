/** Bounds of the embedded store server. Each says why; each has a counter where it can be met. */
export const storeServerLimits = {
  /** Connections at once: 2,000 hosts with an agent each, some API servers and tools. */
  connections: 5_000,
  /** Time in milliseconds that a fresh connection has for its first frame. */
  handshakeMs: 10_000,
  /** Time in milliseconds to show the secret, where it is asked for: long enough for somebody who types it. */
  authenticateMs: 60_000,
  /** Bytes that wait for one client to read them. A client that is further behind is cut off; it reads its subtrees again. */
  backlogBytes: 64 * 1024 * 1024,
  /** Above this backlog we stop reading from that client until it has taken what it asked for. */
  pauseBytes: 1024 * 1024,
  /** Milliseconds between looks for sessions whose time is over, and for a disk that has room again. */
  tickMs: 500,
  /** A tick that comes later than this (the process or the machine was stopped) gives every session its full time again. */
  lateTickMs: 2_000,
  /** Milliseconds between sweeps of containers and nodes with a time to live, as Apache does. */
  sweepMs: 60_000,
  /** Log records after which a snapshot is due, whatever the size of the tree. Replaying this many takes under a second. */
  snapshotMinRecords: 100_000,
  /** And times the number of nodes: a snapshot costs what the tree holds, so it must not come more often than that. */
  snapshotPerNode: 4,
  /** Log records removed at once after a snapshot, so that no client waits for it. */
  trimRecords: 20_000,
  /** Bytes that a full disk must have again before writes are taken: room to log deletions and a snapshot's beginning. */
  probeBytes: 1024 * 1024,
} as const;
