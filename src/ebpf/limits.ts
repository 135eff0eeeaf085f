/** Buckets of a shard: 16 shards x 1376 x 8 slots are 176,128; three quarters of them are 132,096 flows in 32 MB. */
export const BUCKETS_PER_SHARD = 1376;
/** Bytes of one shard's upcall ring; a tiny record takes 256. */
export const RING_BYTES = 512 << 10;
/** Longest record of a ring with its header: WEFT_RECORD_HUGE of bpf/upcall.h and 8 bytes. So much of each ring is mapped twice. */
export const RING_RECORD_BYTES_MAX = 67_584;
/** MTU of the inject device: packets without offload may be as long as IP allows. */
export const INJECT_MTU = 65_535;
/** Send buffer of a worker's inject socket: a batch of the longest frames. */
export const INJECT_BUFFER_BYTES = 8 << 20;
/** Age in ns from which an upcall that waited across a restart is dropped: its sender has sent again. */
export const STALE_UPCALL_NS = 2_000_000_000;
/** Drop counters read at once; the kernel's table has 16,384 places. */
export const DROP_ENTRIES_MAX = 16_384;
/** Ports of one pass from which on all links are asked for at once: one list of a thousand costs what about twenty single ones do. */
export const SURVEY_ALL_FROM = 20;
/** Ports that are attached side by side: their requests share system calls, and the netlink broker takes 256 at once. */
export const ATTACH_AT_ONCE = 32;
/** Datagrams that one first packet may stand for: what a socket may ask its device to cut (UDP_MAX_SEGMENTS of Linux 6.9). */
export const UDP_SEGMENTS_MAX = 128;
/** Sleeps of a worker after which it looks at all of its rings again, not only at those that woke it: some seconds when nothing comes. */
export const SLEEPS_BETWEEN_ROUNDS = 64;
