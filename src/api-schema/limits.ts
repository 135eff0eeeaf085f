/** Limits of the public API, each with its reason. */

/** Bytes of a request's body: the largest object (a tunnel zone with all its members) and room for blanks. */
export const BODY_BYTES_MAX = 1024 * 1024;

/** Objects in one answer of a listing, unless the request says less. */
export const LIST_DEFAULT = 1_000;

/** Objects in one answer of a listing at most: about 4 MB of JSON, built in some 20 ms. */
export const LIST_MAX = 10_000;

/** Flows in one answer of a host at most: people read the first screen, programs page by port. */
export const FLOWS_MAX = 10_000;

/** Bytes of the frame of a trace: a jumbo frame. */
export const FRAME_BYTES_MAX = 9_216;

/** Bytes of an Ethernet header, the least that is a frame. */
export const FRAME_BYTES_MIN = 14;

/** Characters of the metrics of one process: 4,000 ports with a few lines each are 2 MB. */
export const METRICS_TEXT_MAX = 16 * 1024 * 1024;

/** Findings of one answer of the doctor: a thousand hosts with all their peers well are far below. */
export const FINDINGS_MAX = 100_000;
/** Lines of one kind that all hosts together may answer with: a thousand hosts with a hundred each. */
export const HOST_LINES_MAX = 100_000;
