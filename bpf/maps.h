/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/*
 * Every map of the datapath. Mappable arrays are written by the agent with plain stores; sizes marked "set at load" are
 * placeholders that the loader replaces. The driver pins all of them by these names.
 */
#ifndef WEFT_MAPS_H
#define WEFT_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "layout.h"

#define WEFT_SHARED_ARRAY(name, value_type, entries)   \
	struct {                                       \
		__uint(type, BPF_MAP_TYPE_ARRAY);      \
		__uint(map_flags, BPF_F_MMAPABLE);     \
		__uint(max_entries, entries);          \
		__type(key, __u32);                    \
		__type(value, value_type);             \
	} name SEC(".maps")

WEFT_SHARED_ARRAY(control, struct weft_control, 1);
/* Flow table and its counters, a bucket each: set at load. */
WEFT_SHARED_ARRAY(buckets, struct weft_bucket, 16);
WEFT_SHARED_ARRAY(counters, struct weft_counters, 16);
WEFT_SHARED_ARRAY(vports, struct weft_vport, WEFT_VPORT_MAX);
WEFT_SHARED_ARRAY(peers, struct weft_peer, WEFT_PEER_MAX);
WEFT_SHARED_ARRAY(peer_seen, struct weft_seen, WEFT_PEER_MAX / 2);
WEFT_SHARED_ARRAY(keepalives, struct weft_keepalive, WEFT_PEER_MAX);
WEFT_SHARED_ARRAY(groups, struct weft_group, WEFT_GROUP_MAX);
WEFT_SHARED_ARRAY(credits, struct weft_credit, WEFT_VPORT_MAX * WEFT_SHARD_COUNT);
WEFT_SHARED_ARRAY(exec, struct weft_exec, WEFT_EXEC_WRITERS * WEFT_EXEC_ENTRIES);

/* Peers by their source address; tunnel keys of this host; vports by ifindex for filters that carry no vport themselves. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, WEFT_PEER_MAX);
	__type(key, struct weft_peer_address);
	__type(value, __u32);
} peer_addresses SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 2 * (WEFT_VPORT_MAX + WEFT_GROUP_MAX));
	__type(key, __u32);
	__type(value, struct weft_tunnel_target);
} tunnel_keys SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, WEFT_VPORT_MAX);
	__type(key, __u32);
	__type(value, __u32);
} interfaces SEC(".maps");

/* Drops by vport and reason. Full: the drop is counted under vport 0. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, struct weft_drop_key);
	__type(value, struct weft_drop_count);
} drops SEC(".maps");

/* Upcall rings, one for each shard; the size in bytes is set at load. */
struct weft_ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 512 * 1024);
};
#define WEFT_RING(n) struct weft_ring ring_##n SEC(".maps")
WEFT_RING(0);
WEFT_RING(1);
WEFT_RING(2);
WEFT_RING(3);
WEFT_RING(4);
WEFT_RING(5);
WEFT_RING(6);
WEFT_RING(7);
WEFT_RING(8);
WEFT_RING(9);
WEFT_RING(10);
WEFT_RING(11);
WEFT_RING(12);
WEFT_RING(13);
WEFT_RING(14);
WEFT_RING(15);

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, WEFT_SHARD_COUNT);
	__type(key, __u32);
	__array(values, struct weft_ring);
} rings SEC(".maps") = {
	.values = {
		&ring_0, &ring_1, &ring_2, &ring_3, &ring_4, &ring_5, &ring_6, &ring_7, &ring_8, &ring_9, &ring_10, &ring_11,
		&ring_12, &ring_13, &ring_14, &ring_15,
	},
};

#endif
