/** Request loops of one neighbor table and resolver: one VM that scans a subnet costs at most so many broadcasts a retry time. */
export const LOOPS_MAX = 1024;

/** Entries that one resolver remembers to have written; above it the oldest are left to their session's end. */
export const WRITTEN_MAX = 65_536;

/** Time in ms for which a write is taken to be under way: the same lesson is not written again meanwhile. */
export const COMMIT_MS = 5_000;

/** Bindings that one learner remembers, over all bridges. */
export const BINDINGS_MAX = 65_536;

/** MAC addresses that one learner learns at one port: a port that invents source addresses spoils nobody else's table. */
export const PORT_BINDINGS_MAX = 1_024;
