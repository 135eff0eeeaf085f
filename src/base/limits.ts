/** Connections of scrapers at once to the listener for metrics: a few, so that nobody holds descriptors there. */
export const SCRAPERS_MAX = 16;
/** Time in milliseconds that a scraper's request may take to arrive: nobody holds a connection by sending slowly. */
export const SCRAPE_WITHIN_MS = 5_000;
/** Seconds of which the largest lag of the event loop is told: what happened between two scrapes is in it. */
export const LOOP_SECONDS = 60;
/** Log lines of one event in a window; more of them are counted, not written, so that a storm cannot fill the disk. */
export const LOG_LINES_PER_EVENT = 20;
/** Length of that window in milliseconds. */
export const LOG_WINDOW_MS = 10_000;
/** Last log lines kept in memory for a bundle: what led to a complaint, in some 100 KB. */
export const LOG_TAIL_LINES = 500;
/** Events whose lines are counted at once; more share one count. Names are few, so this is never met. */
export const LOG_EVENTS_MAX = 1_000;
/** Time in milliseconds that another process may take to accept a connection before its socket counts as held by it. */
export const SOCKET_PROBE_MS = 1_000;
