/** Upcall records of one shard that wait in the memory driver; the eBPF driver's rings are limited in bytes. */
export const RING_RECORDS_MAX = 1024;
/** Upcall credit of a new vport per shard in packets, until control deals the ring out. */
export const CREDIT_PACKETS_DEFAULT = 64;
/** Upcall credit of a vport per shard in bytes. */
export const CREDIT_BYTES_DEFAULT = 128 << 10;
/** Frames that a worker queues before it sends them by itself: enough to amortise a system call, a quarter of its execution table. */
export const EXECUTE_BATCH = 64;
/** Shortest frame that can be executed: an Ethernet header. */
export const EXECUTE_FRAME_BYTES_MIN = 14;
/** Longest frame that can be executed: a full GSO packet with two VLAN tags. */
export const EXECUTE_FRAME_BYTES_MAX = 65_535 + 22;
