/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/*
 * The memory that agent and datapath share. The text is in src/flow/layout.ts; here are the same constants under the same
 * names with the prefix WEFT_ (a test compares the two), and the structures that give the words their places.
 */
#ifndef WEFT_LAYOUT_H
#define WEFT_LAYOUT_H

#include <linux/types.h>

#define WEFT_LAYOUT_VERSION 2
#define WEFT_CONTROL_MAGIC 0x77656674

#define WEFT_KEY_WORDS 16
#define WEFT_FRAME_OTHER 0
#define WEFT_FRAME_IP4 1
#define WEFT_FRAME_IP6 2
#define WEFT_FRAME_ARP 3
#define WEFT_FRAGMENT_NO 0
#define WEFT_FRAGMENT_FIRST 1
#define WEFT_FRAGMENT_LATER 2
#define WEFT_PARSE_OK 0
#define WEFT_PARSE_SHORT 1
#define WEFT_PARSE_BAD 2
#define WEFT_PARSE_OPTIONS 3
#define WEFT_PARSE_EXTENSIONS 4
#define WEFT_W0_FRAME_SHIFT 16
#define WEFT_W0_FRAGMENT_SHIFT 18
#define WEFT_W0_PARSE_SHIFT 20
#define WEFT_W0_VLAN_SHIFT 23
#define WEFT_W0_CLASS_SHIFT 28

#define WEFT_CLASS_COUNT 6
#define WEFT_CLASS_PORT 0
#define WEFT_CLASS_L2 1
#define WEFT_CLASS_L3_DST 2
#define WEFT_CLASS_L3_PAIR 3
#define WEFT_CLASS_PROTO 4
#define WEFT_CLASS_FULL 5

#define WEFT_SHARD_COUNT 16
#define WEFT_BUCKET_WAYS 8
#define WEFT_BUCKET_WORDS 352
#define WEFT_BUCKET_GENERATION 8
#define WEFT_BUCKET_USED 16
#define WEFT_BUCKET_COOKIE 24
#define WEFT_BUCKET_SLOT 32
#define WEFT_SLOT_WORDS 40
#define WEFT_SLOT_ACTION 16
#define WEFT_COUNTER_WORDS 32

#define WEFT_ACTION_WORDS 24
#define WEFT_ACTION_MISS 0
#define WEFT_ACTION_DROP 1
#define WEFT_ACTION_VPORT 2
#define WEFT_ACTION_TUNNEL 3
#define WEFT_ACTION_GROUP 4
#define WEFT_ACTION_KIND_MASK 0xf
#define WEFT_ACTION_SET_MAC (1 << 8)
#define WEFT_ACTION_SET_SRC (1 << 9)
#define WEFT_ACTION_SET_DST (1 << 10)
#define WEFT_ACTION_SET_PORTS (1 << 11)
#define WEFT_ACTION_SET_DSCP (1 << 12)
#define WEFT_ACTION_DEC_TTL (1 << 13)
#define WEFT_ACTION_POP_SHIFT 16
#define WEFT_ACTION_PUSH_SHIFT 18

#define WEFT_VPORT_WORDS 16
#define WEFT_VPORT_MAX 4096
#define WEFT_VPORT_HINT 7
#define WEFT_VPORT_UP 1
#define WEFT_VPORT_PEER_REDIRECT 2
#define WEFT_PEER_WORDS 16
#define WEFT_PEER_FAMILY 1
#define WEFT_PEER_FLAGS 7
#define WEFT_PEER_SENT 9
#define WEFT_PEER_SENT_MS 64
#define WEFT_PEER_MAX 2048
#define WEFT_PEER_UP 1
#define WEFT_GROUP_OUTPUTS 512
#define WEFT_GROUP_HEADER_WORDS 4
#define WEFT_GROUP_OUTPUT_WORDS 4
#define WEFT_GROUP_MAX 256

#define WEFT_TUNNEL_KIND_SHIFT 20
#define WEFT_TUNNEL_KIND_VPORT 0
#define WEFT_TUNNEL_KIND_GROUP 1
#define WEFT_TUNNEL_KIND_STATE 2
#define WEFT_TUNNEL_KIND_KEEPALIVE 3
#define WEFT_TUNNEL_TRACE 0x800000
#define WEFT_TUNNEL_UDP_PORT 6677

#define WEFT_KEEPALIVE_WORDS 16
#define WEFT_KEEPALIVE_VERSION 1
#define WEFT_KEEPALIVE_ETHERTYPE 0x88b5
#define WEFT_KEEPALIVE_REQUEST 0
#define WEFT_KEEPALIVE_REPLY 1
#define WEFT_KEEPALIVE_BYTES 46
#define WEFT_KEEPALIVE_REQUESTS 4
#define WEFT_KEEPALIVE_REPLIES 5
#define WEFT_KEEPALIVE_REFUSED 6
#define WEFT_KEEPALIVE_LENGTH 7
#define WEFT_KEEPALIVE_TRIP 8
#define WEFT_KEEPALIVE_UNHEARD 9
#define WEFT_KEEPALIVE_SECRET 2

#define WEFT_UPCALL_HEADER_WORDS 32
#define WEFT_UPCALL_KEY 16
#define WEFT_UPCALL_MISS 0
#define WEFT_UPCALL_TTL_EXPIRED 1
#define WEFT_UPCALL_TOO_BIG 2
#define WEFT_UPCALL_TRACE 3
#define WEFT_UPCALL_CSUM_PARTIAL 1
#define WEFT_CREDIT_WORDS 4

#define WEFT_EXEC_WORDS 32
#define WEFT_EXEC_ACTION 8
#define WEFT_EXEC_ENTRIES 256
#define WEFT_WORKER_MAX 8
#define WEFT_EXEC_WRITERS 9
#define WEFT_EXEC_MAGIC 0xa

#define WEFT_CONTROL_WORDS 64
#define WEFT_CONTROL_EPOCH 2
#define WEFT_CONTROL_BUCKETS 4
#define WEFT_CONTROL_SECRETS 5
#define WEFT_CONTROL_INJECT 9
#define WEFT_CONTROL_TUNNEL 10
#define WEFT_CONTROL_OWNER 13
#define WEFT_CONTROL_SLEEPING 16
#define WEFT_CONTROL_ORDER 32
#define WEFT_ORDER_NONE 0xf
#define WEFT_CONTROL_UNDERLAY 48
#define WEFT_CONTROL_INJECT_FAILED 53
#define WEFT_CONTROL_STALE 62

/* Drop reasons that the datapath itself gives; all of them are in src/flow/drop-reason.ts. */
#define WEFT_DROP_TOO_BIG 11
#define WEFT_DROP_UNSUPPORTED 18
#define WEFT_DROP_MALFORMED 19
#define WEFT_DROP_GROUP_LIMIT 25
#define WEFT_DROP_UPCALL_BUDGET 27
#define WEFT_DROP_UPCALL_RING_FULL 28
#define WEFT_DROP_UNKNOWN_TUNNEL_KEY 29
#define WEFT_DROP_UNKNOWN_PEER 30
#define WEFT_DROP_RESERVED_TUNNEL_KIND 31
#define WEFT_DROP_VPORT_DOWN 32
#define WEFT_DROP_PEER_DOWN 33
#define WEFT_DROP_BAD_MARK 34
#define WEFT_DROP_REWRITE_FAILED 37
#define WEFT_DROP_HOST_ORIGINATED 39
#define WEFT_DROP_UNDERLAY_GUARD 40
#define WEFT_DROP_SLOT_RETRY 42
#define WEFT_DROP_KEEP_ALIVE_REFUSED 43

struct weft_slot {
	__u32 key[WEFT_KEY_WORDS];
	__u32 action[WEFT_ACTION_WORDS];
};

struct weft_bucket {
	__u32 tags[WEFT_BUCKET_WAYS];
	__u32 generations[WEFT_BUCKET_WAYS];
	__u32 used[WEFT_BUCKET_WAYS];
	__u32 cookies[WEFT_BUCKET_WAYS];
	struct weft_slot slots[WEFT_BUCKET_WAYS];
};

struct weft_counters {
	__u64 packets[WEFT_BUCKET_WAYS];
	__u64 bytes[WEFT_BUCKET_WAYS];
};

struct weft_vport {
	__u32 generation;
	__u32 ifindex;
	__u32 kind;
	__u32 flags;
	__u32 epoch;
	__u32 credit_packets;
	__u32 credit_bytes;
	__u32 hint;
	__u32 zero[8];
};

struct weft_peer {
	__u32 generation;
	__u32 family;
	__u32 address[4];
	__u32 mtu;
	__u32 flags;
	__u32 epoch;
	__u32 sent_ms;
	__u32 zero[6];
};

/* One peer's keep-alives; of record 0 the other structure holds. */
struct weft_keepalive {
	__u64 request;
	__u64 reply;
	__u32 requests;
	__u32 replies;
	__u32 refused;
	__u32 length;
	__u32 trip_us;
	__u32 unheard;
	__u32 zero[6];
};

struct weft_keepalive_own {
	__u32 has_secret;
	__u32 epoch;
	__u64 secret[2];
	__u32 zero[10];
};

/* What a keep-alive says behind its Ethernet header. */
struct weft_keepalive_body {
	__u32 head;
	__u32 sender;
	__u32 receiver;
	__u32 sequence_low;
	__u32 sequence_high;
	__u32 time_us;
	__u32 mac[2];
};

struct weft_output {
	__u32 kind;
	__u32 index;
	__u32 tunnel_key;
	__u32 tcis;
};

struct weft_group {
	__u32 generation;
	__u32 count;
	__u32 zero[2];
	struct weft_output outputs[WEFT_GROUP_OUTPUTS];
};

struct weft_credit {
	__u32 issued_packets;
	__u32 issued_bytes;
	__u32 done_packets;
	__u32 done_bytes;
};

struct weft_exec {
	__u32 generation;
	__u32 ingress_vport;
	__u32 zero[6];
	__u32 action[WEFT_ACTION_WORDS];
};

struct weft_control {
	__u32 magic;
	__u32 version;
	__u32 epoch;
	__u32 shards;
	__u32 buckets;
	__u32 secrets[4];
	__u32 inject_ifindex;
	__u32 tunnel_ifindex;
	__u32 tunnel_udp_port;
	__u32 capture_limit;
	__u32 owner_pid;
	__u32 paused;
	__u32 zero15;
	__u32 sleeping[WEFT_SHARD_COUNT];
	__u32 order[WEFT_SHARD_COUNT];
	__u32 underlay_family;
	__u32 underlay_address[4];
	__u32 inject_failed[WEFT_EXEC_WRITERS];
	__u32 stale;
	__u32 zero63;
};

struct weft_upcall {
	__u32 kind;
	__u32 frame_length;
	__u32 captured_length;
	__u32 vport;
	__u32 vlan;
	__u32 gso_size;
	__u32 gso_segs;
	__u32 shard;
	__u64 ktime;
	__u32 flags;
	__u32 limit;
	__u32 decrement;
	__u32 tunnel_key;
	__u32 zero[2];
	__u32 key[WEFT_KEY_WORDS];
};

/* Two peers a value: values of an array are 8 bytes apart at least. */
struct weft_seen {
	__u32 ms[2];
};

/* Key of the table of peers by source address on the underlay. */
struct weft_peer_address {
	__u32 family;
	__u32 address[4];
};

/* What a tunnel key of this host names: kind as in the tunnel key, then the vport or group. */
struct weft_tunnel_target {
	__u32 kind;
	__u32 index;
};

struct weft_drop_key {
	__u32 vport;
	__u32 reason;
};

struct weft_drop_count {
	__u64 packets;
	__u64 bytes;
};

_Static_assert(sizeof(struct weft_bucket) == 4 * WEFT_BUCKET_WORDS, "bucket");
_Static_assert(sizeof(struct weft_counters) == 4 * WEFT_COUNTER_WORDS, "counters");
_Static_assert(sizeof(struct weft_vport) == 4 * WEFT_VPORT_WORDS, "vport");
_Static_assert(__builtin_offsetof(struct weft_vport, hint) == 4 * WEFT_VPORT_HINT, "hint");
_Static_assert(sizeof(struct weft_peer) == 4 * WEFT_PEER_WORDS, "peer");
_Static_assert(__builtin_offsetof(struct weft_peer, sent_ms) == 4 * WEFT_PEER_SENT, "sent");
_Static_assert(sizeof(struct weft_keepalive) == 4 * WEFT_KEEPALIVE_WORDS, "keep-alive");
_Static_assert(sizeof(struct weft_keepalive_own) == 4 * WEFT_KEEPALIVE_WORDS, "own keep-alive");
_Static_assert(__builtin_offsetof(struct weft_keepalive, refused) == 4 * WEFT_KEEPALIVE_REFUSED, "refused");
_Static_assert(__builtin_offsetof(struct weft_keepalive_own, secret) == 4 * WEFT_KEEPALIVE_SECRET, "secret");
_Static_assert(sizeof(struct weft_output) == 4 * WEFT_GROUP_OUTPUT_WORDS, "output");
_Static_assert(sizeof(struct weft_credit) == 4 * WEFT_CREDIT_WORDS, "credit");
_Static_assert(sizeof(struct weft_exec) == 4 * WEFT_EXEC_WORDS, "exec");
_Static_assert(sizeof(struct weft_control) == 4 * WEFT_CONTROL_WORDS, "control");
_Static_assert(sizeof(struct weft_upcall) == 4 * WEFT_UPCALL_HEADER_WORDS, "upcall");
_Static_assert(__builtin_offsetof(struct weft_exec, action) == 4 * WEFT_EXEC_ACTION, "exec action");
_Static_assert(__builtin_offsetof(struct weft_upcall, key) == 4 * WEFT_UPCALL_KEY, "upcall key");
_Static_assert(__builtin_offsetof(struct weft_control, sleeping) == 4 * WEFT_CONTROL_SLEEPING, "sleeping");
_Static_assert(__builtin_offsetof(struct weft_control, order) == 4 * WEFT_CONTROL_ORDER, "order");
_Static_assert(__builtin_offsetof(struct weft_control, underlay_family) == 4 * WEFT_CONTROL_UNDERLAY, "underlay");

#endif
