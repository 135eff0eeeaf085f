/**
 * Most bytes that one node may hold, and one multi may carry. ZooKeeper refuses a packet above `jute.maxbuffer`
 * (1 MiB - 1); 1 KiB less leaves room for paths and headers.
 */
export const nodeBytesMax = 1_048_575 - 1_024;

/** Most operations in one multi: what fits into `nodeBytesMax` when each carries about 100 bytes of path. */
export const multiOperationsMax = 10_000;

/** Longest path in UTF-16 units. ZooKeeper has no limit but the packet; ours keeps one path from filling a packet. */
export const pathLengthMax = 4_096;

/** Most nodes in a data tree, so that a runaway client meets `storage-full` before the process meets its memory limit. */
export const treeNodesMax = 4_000_000;

/** Most bytes of names and content in a data tree, for the same reason. */
export const treeBytesMax = 1_000_000_000;

/** Most sessions in a data tree: one a host and a process, with room. */
export const sessionsMax = 20_000;

/** Most watches in a data tree: 2,000 hosts with 500 watched maps and objects each. */
export const watchesMax = 1_000_000;

/** Shortest session time-out in milliseconds: ZooKeeper's 2 ticks of 2 s; below it a garbage collection ends sessions. */
export const sessionTimeoutMinMs = 4_000;

/** Longest session time-out in milliseconds: ZooKeeper's 20 ticks. A dead host is seen no later than this. */
export const sessionTimeoutMaxMs = 40_000;

/** Longest time to live of a node in milliseconds: what ZooKeeper encodes (40 bits). */
export const ttlMsMax = 0xff_ffff_ffff;

/** Attempts of an optimistic transaction before it ends as `busy`. */
export const transactionAttemptsMax = 3;

/** Most store writes that one transaction may expand to, delete rules included. */
export const transactionOperationsMax = 8_000;

/** How long a recipe waits for a lost connection to come back before it says `store-unavailable`, in milliseconds. */
export const reconnectWaitMs = 30_000;

/** Wait before a recipe tries again what the store refused for the moment, in milliseconds. */
export const retryWaitMs = 250;

/** Wait before something is made again that somebody else removed (an own opinion, the folder of a queue): longer than emptying a small store takes. */
export const removedAgainMs = 1_000;

/** Most own opinions in one replicated map: more than the MACs of one host's VMs by two orders of magnitude. */
export const ownOpinionsMax = 100_000;

/** Own opinions about one key that go with the write of the next one; there is one, unless replies were lost. The rest goes after it. */
export const replacedAtOnceMax = 8;

/** Most events kept while a replicated map reads its whole content; beyond it the map reads once more. */
export const bufferedEventsMax = 100_000;

/** Most reads in flight when a recipe reads many nodes, so that one list does not fill the connection's queue. */
export const parallelReadsMax = 256;

/** Most documents that a topology store keeps for its transactions: those of a large tenant, about 1 KB each. */
export const cachedDocumentsMax = 20_000;

/** Largest record of a local journal: a length beyond it is damage, not a reason to allocate. */
export const localRecordBytesMax = 64 * 1024 * 1024;

/**
 * Part of a session's time-out after which a tenure renews its proof. Two renewals may be lost before anything lapses.
 */
export const tenureRenewalFraction = 1 / 5;

/**
 * Part of a session's time-out that a tenure does not count on. A follower of an ensemble tells its leader of a session's signs
 * of life with a delay, and may die before it does: then the leader counts from the sign before, one renewal earlier.
 */
export const tenureMarginFraction = 1 / 4;

/** What a tenure does not count on besides, in milliseconds: half a tick of an ensemble, between two reports of a follower. */
export const tenureMarginMs = 1_000;

/** Longest wait before an object without owner is claimed, in milliseconds: whoever owns less claims first. */
export const claimStaggerMaxMs = 500;

/** What each object already owned adds to that wait, in milliseconds. */
export const claimStaggerMs = 10;

/** Ports in a block that is leased as one: 64 consecutive ones. */
export const portsPerBlock = 64;

/** Port blocks of one device and address: all 65,536 ports. */
export const blocksPerAddress = 1_024;

/** A lease without bindings for this long goes back, in milliseconds. */
export const leaseIdleMs = 5 * 60_000;

/** Time between two looks for idle leases, in milliseconds. */
export const leaseSweepMs = 60_000;

/** Most port leases of one host: 524,288 ports, more bindings than its flow table has flows. */
export const leasesPerHostMax = 8_192;

/** Attempts at a block before a lease ends as `busy`: each failed one says that another host took a block. */
export const leaseAttemptsMax = 32;

/** Times that a scan of the whole store reads what changed meanwhile, before it says that too much is being written. */
export const scanRoundsMax = 60;

/** Times that a scan begins anew after a lost connection. */
export const scanTriesMax = 4;

/** Leases of a port block that a copy carries over, each one write: a holder with more finds its block taken anew. */
export const leasesKeptMax = 1_000;

/** Operations in one transaction of a copy or restore: an ensemble commits it in a few milliseconds, others get their turn. */
export const fillBatchOperations = 500;

/** Bytes in one transaction of a copy or restore. */
export const fillBatchBytes = 400_000;

/** Times that a copy or restore looks, writes what is missing, and looks again, before it gives up. */
export const fillTriesMax = 8;

/** Operations in one transaction of a repair or of the recycler. */
export const repairBatchOperations = 400;

/** Rounds of looking and putting right of one repair: what a round changes may show what the next has to. */
export const repairRoundsMax = 10;

/** Time between two looks for leftovers, in milliseconds: nothing waits for them to go. */
export const recyclePassMs = 10 * 60_000;

/** Pause between two removals of the recycler, in milliseconds: others write meanwhile. */
export const recyclePauseMs = 100;

/** Most leftovers removed in one look; the rest waits for the next one. */
export const recycleRemovalsMax = 1_000;

/** Age from which an empty folder is a leftover, in milliseconds: its maker may be about to fill it. */
export const emptyFolderAgeMs = 3_600_000;

/** Rounds of reading everything and converting what is left of one step of a migration: losses of connection cost one each. */
export const migrationRoundsMax = 20;
