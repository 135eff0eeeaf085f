/** Limits of the client, each with its reason. */

/** How long an answer may take, in milliseconds: longer than the server waits for its store and for agents. */
export const ANSWER_WITHIN_MS = 30_000;

/** Bytes of an answer: a full listing of the largest objects, with room. */
export const ANSWER_BYTES_MAX = 64 * 1024 * 1024;

/** Connections that a client keeps open: requests beyond wait for one of them. */
export const CONNECTIONS_MAX = 16;

/** Bytes of one server-sent event: the largest object, with room. */
export const EVENT_BYTES_MAX = 4 * 1024 * 1024;
