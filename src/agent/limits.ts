/** How long a leaving agent waits for the store to take that its ports are withdrawn: its session's end says it too. */
export const WITHDRAW_MS = 1_000;
/** Time between two attempts to claim the host id while an earlier holder's session has not ended. */
export const CLAIM_RETRY_MS = 200;
/** How long an earlier holder of the host id may take beyond its session's time-out: servers look for dead sessions in steps. */
export const CLAIM_SLACK_MS = 2_000;
/** Questions of the agent's API that may wait for workers at the same time: a few people and scripts, never a queue. */
export const QUESTIONS_MAX = 64;
/** How long workers have to answer one: they are between two batches soon, or there is something wrong to be told. */
export const ANSWER_MS = 2_000;
/** Flows listed by the agent's API when the question does not say: the first screen. */
export const FLOWS_DEFAULT = 100;
/** How long a worker looks for more work before it waits, in milliseconds. */
export const SPIN_MS = 0.05;
/** How long processors are kept awake after the last wake-up of a worker: longer than a dialog of a few packets takes. */
export const HOLD_MS = 20;
/** Wake-ups, each within `HOLD_MS` of the one before, after which processors are kept awake. */
export const HOLD_AFTER_WAKES = 8;
/** Time over which a worker's upcalls are counted to choose its scheduling policy: hundreds of wake-ups, and no time for anybody else. */
export const BATCH_WINDOW_MS = 10;
/** Upcalls a millisecond from which on a worker is scheduled in batches: what is at stake then is how many, not how fast one. */
export const BATCH_FROM_RATE = 4;
/** Upcalls a millisecond below which it is not any more. */
export const BATCH_KEEP_RATE = 2;
/** Longest wait of an upcall for a worker that slept, in batches: a slice of its own sender is shorter, a tick behind a computing VM longer. */
export const BATCH_WAIT_MS = 2;
/**
 * How long a worker is not scheduled in batches after such a wait. Twice as long each time, unless batches went well for several times
 * as long.
 */
export const BATCH_BARRED_MS = {
  /** Waits of one moment cost little. */
  least: 20,
  /** Where somebody computes all the time, one upcall in two seconds waits. */
  most: 2_000,
} as const;
/** Times as long as the last bar that batches must have gone well for it to count as a moment's. */
export const BATCH_WELL_FACTOR = 5;
/** Slice that a worker asks for: the shortest that the kernel gives. An upcall takes a third of it. */
export const WORKER_SLICE_NS = 100_000;
/** Time between two reports of a worker's counters. */
export const COUNTS_MS = 1000;
/** Longest time between two visits of a worker to its event loop: how long the end of a process may wait for its threads. */
export const EVENT_LOOP_MS = 100;
/** How long an agent that is asked to hand over may take: it has a batch to finish and a journal to flush, each far below. */
export const TAKEOVER_MS = 5_000;
/** Time between two looks whether an old agent has gone. */
export const ENDED_POLL_MS = 5;
/** Superseded records that an agent's journal may hold beyond as many as live ones, before it is written anew: about 25 KB. */
export const JOURNAL_SLACK_RECORDS = 256;
/** How long a write to a replicated map may go unanswered before what it says counts on this host: a slow store, not a dead one. */
export const PROVISIONAL_AFTER_MS = 250;
/** Attempts at a change that the datapath refuses, before it waits for the next change of the same thing. */
export const DATAPATH_ATTEMPTS_MAX = 8;
/** Wait before a refused change of the datapath is tried again, times the attempts so far: 28 s in all. */
export const DATAPATH_RETRY_MS = 1_000;
/**
 * How long after its start an agent takes back what an earlier process of its session said and it has not repeated, and then again
 * and again: the life of a flow, after which every flow of the earlier process was simulated again.
 */
export const SWEEP_AFTER_MS = 60_000;
/** How often the control core is told that time has passed. */
export const TIME_MS = 1_000;
/** Time between two attempts to learn the cloud's secret from a store that cannot be reached. */
export const SECRET_RETRY_MS = 1_000;
/**
 * Least time between two readings of the cloud's secret because keep-alives are refused: a host whose secret is an old one is
 * right again soon, and whoever forges keep-alives makes a host read the store no more often than this.
 */
export const SECRET_AGAIN_MS = 10_000;
/** Time until a state key that another host took is said again, if it still holds: longer than news take from the store. */
export const TAKEN_AGAIN_MS = 1_000;
/** Bytes of an agent's snapshot: 100,000 objects of 500 bytes. A larger one is not written, and says so. */
export const SNAPSHOT_BYTES_MAX = 50_000_000;
/** How long after a change a snapshot is written, in milliseconds: what comes in one go is written once. */
export const SNAPSHOT_DELAY_MS = 2_000;
/** Share of the control thread's time that snapshots may cost. */
export const SNAPSHOT_SHARE = 1 / 50;
/**
 * Bytes of a snapshot that are made in one go: about a millisecond of the control thread while that is new to the compiler. A change of
 * the topology that arrives meanwhile waits for no more than that, however much the host knows.
 */
export const SNAPSHOT_PIECE_BYTES = 8_192;
/** How long a starting agent waits for a session before it begins from its snapshot, in milliseconds. */
export const STORE_PATIENCE_MS = 2_000;
/**
 * How long joining may take beyond the wait for an earlier holder of the host id, with a store that is there: after that the agent
 * begins from its snapshot, and goes on trying.
 */
export const JOIN_SLACK_MS = 2_000;
/** How long the agent that still runs may take to say at which addresses it listens, before another takes over from it. */
export const ASK_OLD_MS = 1_000;
/** Time between two looks at the drop counters: cheap, and fine enough for "the last minute". */
export const DROP_LOOK_MS = 10_000;
/** Looks that are kept: the oldest is about a minute old. */
export const DROP_LOOKS = 7;
/** How long the agent of this host may take for its findings: its workers alone have two seconds to answer. */
export const LOCAL_DOCTOR_MS = 5_000;
/** How long nothing more must have gone from the store before what is gone but still referred to counts as deleted. */
export const ABSENCE_QUIET_MS = 2_000;
/** Longest such wait while more goes: emptying a store of a million nodes takes about a minute. */
export const ABSENCE_MAX_MS = 60_000;
/** How long ago something may have been told gone to be taken back when the store turns out to be emptied. */
export const GONE_WINDOW_MS = 60_000;
/** Time between two looks whether an emptied store is whole again. */
export const GUARD_RETRY_MS = 1_000;
/** Wait before a state key is said again that somebody removed: longer than emptying a small store takes. */
export const REMOVED_AGAIN_MS = 1_000;
/** Time between two audits of the datapath's records: a thousand ports and keys cost about 8 ms. */
export const DATAPATH_AUDIT_MS = 10_000;
/** Connections that others may hold to the agent on the management network: a few API servers, each with its pool. */
export const MANAGEMENT_CONNECTIONS_MAX = 64;
/** Time in which a request on the management network must have arrived. */
export const MANAGEMENT_REQUEST_MS = 10_000;
