/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/*
 * One frame's way through a program: what the parser found, the action to execute, and what an upcall would say. It lives on
 * the stack of the entry program and is handed to global functions, which the verifier checks once each and not at every call.
 */
#ifndef WEFT_WALK_H
#define WEFT_WALK_H

#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "layout.h"

/* Mark of frames on their way to a bound interface; its egress program drops everything without it. */
#define WEFT_EGRESS_MARK 0xb0000001

/*
 * What a program tells of its verdict in skb->cb, for those who run it on a frame of their own (BPF_PROG_RUN): cb[0] is the
 * action kind that was executed, or WEFT_VERDICT_UPCALL; cb[1] the vport, peer, group, drop reason or upcall kind; cb[2] the
 * tunnel key; cb[3] the VLAN tag that is not in the bytes, as word 4 of an upcall record.
 */
#define WEFT_VERDICT_UPCALL 0x10
#define WEFT_VERDICT_CONSUMED 0x11

struct weft_walk {
	__u32 key[WEFT_KEY_WORDS];
	__u32 action[WEFT_ACTION_WORDS];
	/* The vport by which the frame came; 0: none. */
	__u32 vport;
	__u32 shard;
	/* Offsets of the network and transport header in the data; l4 is 0 when this frame has none. */
	__u32 l3;
	__u32 l4;
	/* VLAN tags in all (at most 2 are counted), and how many of them are in the data. */
	__u32 tags;
	__u32 data_tags;
	__u32 ttl;
	/* Bytes of the transport header, known for TCP and UDP. */
	__u32 l4_bytes;
	/* For the upcall record. */
	__u32 upcall_kind;
	__u32 limit;
	__u32 decrement;
	__u32 tunnel_key;
	/* The flow was found in the middle of a write. */
	__u32 is_retry;
	__u32 bucket;
	__u32 way;
	/* End of the IP packet in the data. */
	__u32 l4_end;
	/* Device to which the frame goes after it was copied, to wake the consumer; 0: none. */
	__u32 wake;
};

#define WEFT_LOAD(place) (*(const volatile __typeof__(place) *)&(place))
#define weft_barrier() asm volatile("" ::: "memory")
/* Keeps the compiler from reasoning about a value, so that the bound check it follows reaches the verifier. */
#define weft_opaque(value) asm volatile("" : "+r"(value))

static __always_inline __u32 weft_frame_class(const struct weft_walk *w)
{
	return (w->key[0] >> WEFT_W0_FRAME_SHIFT) & 3;
}

static __always_inline __u32 weft_parse_state(const struct weft_walk *w)
{
	return (w->key[0] >> WEFT_W0_PARSE_SHIFT) & 7;
}

static __always_inline int weft_is_ip(const struct weft_walk *w)
{
	__u32 class = weft_frame_class(w);

	return class == WEFT_FRAME_IP4 || class == WEFT_FRAME_IP6;
}

/* Coarse monotonic time in ms, modulo 2^32: the unit of `used` words and of peer_seen. */
static __always_inline __u32 weft_now_ms(void)
{
	return bpf_ktime_get_coarse_ns() / 1000000;
}

#endif
