/** Limits of the API server, each with its reason. Those that a client sees stand in `api-schema/limits.ts`. */

/** Attempts at a change that names no version, when others change the same object meanwhile. */
export const CHANGE_ATTEMPTS_MAX = 8;

/** Changes that wait for their turn: some seconds of work for the store, as long as a client waits. */
export const CHANGES_WAITING_MAX = 2_000;

/** How long an agent may take for an answer, in milliseconds: a trace waits for a worker's next batch, which is quick. */
export const AGENT_DEADLINE_MS = 3_000;

/** Agents that are asked at once for one request: enough to hide round trips, few enough not to flood the server. */
export const AGENTS_AT_ONCE = 32;

/** Open watches: each holds a copy of the ids it was told, and a socket. */
export const WATCHES_MAX = 256;

/** Bytes that a slow watcher may leave unread before its watch is ended: it has to start over anyway. */
export const WATCH_BUFFER_BYTES_MAX = 8 * 1024 * 1024;

/** Silence after which a watch sends a comment, in milliseconds: shorter than the patience of common proxies. */
export const WATCH_HEARTBEAT_MS = 15_000;

/** How long a replicated map may take to be read before its content is given up, in milliseconds. */
export const MAP_READY_WITHIN_MS = 5_000;

/** Time that a request's headers may take, in milliseconds: nobody holds a connection by sending slowly. */
export const HEADERS_WITHIN_MS = 10_000;

/** Time that a whole request may take to arrive, in milliseconds. */
export const REQUEST_WITHIN_MS = 30_000;

/** Shortest token that is taken: 128 bits in hexadecimal. */
export const TOKEN_LENGTH_MIN = 32;

/** Reads by which the doctor judges how quick the store is: the median of so few is steady enough. */
export const STORE_LOOKS = 5;

/** Above this time for a read, in milliseconds, the store is slow: a session of 3 s has little room left. */
export const STORE_FAST_MS = 100;

/** Clocks that differ by more than this, in milliseconds, are told: logs of two hosts cannot be read side by side then. */
export const CLOCK_SKEW_MS = 1_000;

/**
 * How long a request waits for the store when the connection is lost, in milliseconds, counted from the loss: an ensemble has a new leader
 * sooner, and nobody who asks waits for longer without being told why. The client's `ANSWER_WITHIN_MS` lies well above.
 */
export const STORE_WAIT_MS = 5_000;

/** Hosts whose last address is remembered after their keys have gone, for the doctor beside a store that was emptied: twice a large cloud. */
export const HOSTS_REMEMBERED_MAX = 4_000;
