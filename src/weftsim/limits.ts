import type { Duration } from "../base/clock.ts";

/** Packets that a simulated VM holds for one neighbor it has asked for; Linux holds three (RFC 1122 2.3.2.2 asks for one). */
export const VM_PENDING_MAX = 64;
/** Questions for one neighbor before a VM gives up, as Linux does. */
export const VM_ASKS_MAX = 3;
/** Time between two of them. */
export const VM_ASK_MS: Duration = 1_000;
/** Packets that a VM remembers to have received. A test that needs more has no end. */
export const VM_RECEIVED_MAX = 100_000;
/** Time for which nothing must have moved before a cloud counts as quiet: longer than any delay that is simulated. */
export const QUIET_MS: Duration = 400;
/** Buckets of eight flows in each of the sixteen shards of a simulated host: full tables come soon, and memory stays small. */
export const BUCKETS_PER_SHARD = 16;
/** Session time-out of simulated agents. */
export const SESSION_TIMEOUT_MS: Duration = 6_000;
/** Lines of an event log that are kept; the hash covers all of them. */
export const EVENT_LINES_MAX = 200_000;
/** Longest way of a message to or from the store. */
export const STORE_MS: Duration = 2;
/** Longest way of a message between a client and a member of a simulated ensemble. */
export const ENSEMBLE_CLIENT_MS: Duration = 2;
/** Longest time in which a write is ordered by the leader and known to a majority. */
export const ENSEMBLE_COMMIT_MS: Duration = 5;
/** Longest time by which a healthy member is behind what is committed. */
export const ENSEMBLE_LAG_MS: Duration = 20;
/** Time in which those who follow a lost leader stop serving: shorter than any election. */
export const ENSEMBLE_DROP_MS: Duration = 150;
/** Longest election: Apache takes 200 ms and more. */
export const ENSEMBLE_ELECTION_MS: Duration = 2_000;
/** Time for which a member that lost the others goes on answering reads: `syncLimit` ticks of Apache's default. */
export const ENSEMBLE_STALE_MS: Duration = 4_000;
/** Pause of a client before it dials the next member. */
export const ENSEMBLE_REDIAL_MS: Duration = 100;
/** Time between sweeps of containers and nodes with a time to live. */
export const ENSEMBLE_SWEEP_MS: Duration = 60_000;
/** Time in which what an agent tells the store has come back to all its workers, or counts for them without the store. */
export const SAID_MS: Duration = 1_000;
