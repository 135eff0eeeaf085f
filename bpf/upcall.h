/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/*
 * Drops, and copies of frames for the agent. A record is made only while the vport's credits last, in packets and in bytes, so
 * that no port can fill a ring for the others. Records come in four sizes.
 */
#ifndef WEFT_UPCALL_H
#define WEFT_UPCALL_H

#include "maps.h"
#include "parse.h"
#include "walk.h"

#define WEFT_RECORD_TINY 248
#define WEFT_RECORD_SMALL 2040
#define WEFT_RECORD_LARGE 16376
#define WEFT_RECORD_HUGE 67576

/* Counts a drop and tells the verdict. The caller returns what this returns. */
__noinline int weft_drop(struct __sk_buff *skb, __u32 vport, __u32 reason)
{
	struct weft_drop_key key = { .vport = vport, .reason = reason };
	struct weft_drop_count first = { .packets = 1, .bytes = skb->len };

	skb->cb[0] = WEFT_ACTION_DROP;
	skb->cb[1] = reason;
	struct weft_drop_count *count = bpf_map_lookup_elem(&drops, &key);
	if (!count && bpf_map_update_elem(&drops, &key, &first, BPF_NOEXIST)) {
		/* Another CPU was first, or the table is full. */
		count = bpf_map_lookup_elem(&drops, &key);
		if (!count) {
			key.vport = 0;
			count = bpf_map_lookup_elem(&drops, &key);
		}
	}
	if (count) {
		count->packets++;
		count->bytes += skb->len;
	}
	return TC_ACT_SHOT;
}

/* The tag that the receive path took out of the frame's bytes, as word 4 of an upcall record. */
static __always_inline __u32 weft_vlan_word(struct __sk_buff *skb)
{
	if (!skb->vlan_present)
		return 0;
	return (skb->vlan_tci & 0xffff) | 1 << 16 | (skb->vlan_proto == ETHERTYPE_SERVICE_VLAN ? 1 << 17 : 0);
}

/* Whether the stored TCP or UDP checksum is only the sum of the pseudo-header, to be completed by the device. */
static __always_inline int weft_is_partial(struct __sk_buff *skb, struct weft_walk *w)
{
	__u32 protocol = w->key[14] & 0xff, field = protocol == PROTO_TCP ? 16 : 6;
	__u16 stored = 0;

	if (!weft_is_ip(w) || !w->l4 || (protocol != PROTO_TCP && protocol != PROTO_UDP))
		return 0;
	if ((w->key[0] >> WEFT_W0_FRAGMENT_SHIFT & 3) != WEFT_FRAGMENT_NO)
		return 0;
	if (bpf_skb_load_bytes(skb, w->l4 + field, &stored, 2))
		return 0;
	__u32 bytes = w->l4_end - w->l4;
	__u64 sum = (__u32)bpf_csum_diff(0, 0, &w->key[6], 32, 0);

	sum += bpf_htonl(protocol);
	sum += bpf_htonl(bytes);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum == stored;
}

static __always_inline void weft_describe(struct __sk_buff *skb, struct weft_walk *w, struct weft_upcall *up)
{
	__u64 *to = (void *)up->key;
	const __u64 *from = (const void *)w->key;

	up->kind = w->upcall_kind;
	up->frame_length = skb->len;
	up->vport = w->vport;
	up->vlan = weft_vlan_word(skb);
	up->gso_size = skb->gso_size;
	up->gso_segs = skb->gso_segs;
	up->shard = w->shard;
	up->ktime = bpf_ktime_get_ns();
	up->flags = weft_is_partial(skb, w) ? WEFT_UPCALL_CSUM_PARTIAL : 0;
	up->limit = w->limit;
	up->decrement = w->decrement;
	up->tunnel_key = w->tunnel_key;
	up->zero[0] = 0;
	up->zero[1] = 0;
#pragma unroll
	for (int i = 0; i < WEFT_KEY_WORDS / 2; i++)
		to[i] = from[i];
}

/*
 * Wakes the consumer of a shard if it sleeps. The record's reservation is published before the flag is read, as the consumer sets the
 * flag before it looks for reservations: one of the two sees the other. Whoever finds the flag takes it away: one wake-up is enough.
 *
 * A flag above 1 is a device whose reader is the consumer: the frame itself, which nobody needs any more, is sent there and wakes it.
 * The ring's own wake-up is an interrupt that this processor sends to itself, which in a virtual machine costs more than all of the
 * upcall. Frames that the device would have to segment, and copies of frames that go on, take the ring.
 */
static __always_inline __u64 weft_wakeup(struct __sk_buff *skb, struct weft_walk *w, struct weft_control *c)
{
	__u32 fence = 0, *sleeping = &c->sleeping[w->shard & (WEFT_SHARD_COUNT - 1)];

	__sync_fetch_and_add(&fence, 1);
	if (!WEFT_LOAD(*sleeping))
		return BPF_RB_NO_WAKEUP;
	__u32 flag = __sync_lock_test_and_set(sleeping, 0);
	if (!flag)
		return BPF_RB_NO_WAKEUP;
	if (flag == 1 || skb->gso_size || w->upcall_kind == WEFT_UPCALL_TRACE)
		return BPF_RB_FORCE_WAKEUP;
	w->wake = flag;
	return BPF_RB_NO_WAKEUP;
}

/* One size of record: reserve, fill, submit. Evaluates to a drop reason or 0. */
#define WEFT_EMIT(record_bytes)                                                                          \
	({                                                                                               \
		int reason = 0;                                                                          \
		struct weft_upcall *up = bpf_ringbuf_reserve(ring, record_bytes, 0);                     \
		if (!up) {                                                                               \
			reason = WEFT_DROP_UPCALL_RING_FULL;                                             \
		} else {                                                                                 \
			const __u64 max = record_bytes - sizeof(*up);                                    \
			__u64 length = captured;                                                         \
			weft_opaque(length);                                                             \
			if (length > max)                                                                \
				length = max;                                                            \
			weft_opaque(length);                                                             \
			if (length < 14 || bpf_skb_load_bytes(skb, 0, up + 1, length)) {                 \
				bpf_ringbuf_discard(up, BPF_RB_NO_WAKEUP);                               \
				reason = WEFT_DROP_MALFORMED;                                            \
			} else {                                                                         \
				weft_describe(skb, w, up);                                               \
				up->captured_length = length;                                            \
				bpf_ringbuf_submit(up, weft_wakeup(skb, w, c));                          \
			}                                                                                \
		}                                                                                        \
		reason;                                                                                  \
	})

/* Sends the frame up as w says. Returns 0, or the drop reason for which the agent will not see it. */
__noinline int weft_send_up(struct __sk_buff *skb, struct weft_walk *w)
{
	__u32 zero = 0;
	struct weft_control *c = bpf_map_lookup_elem(&control, &zero);

	if (!w || !c)
		return WEFT_DROP_UPCALL_RING_FULL;
	__u32 shard = w->shard & (WEFT_SHARD_COUNT - 1), vport = w->vport, at = vport * WEFT_SHARD_COUNT + shard;
	struct weft_vport *port = bpf_map_lookup_elem(&vports, &vport);
	struct weft_credit *credit = bpf_map_lookup_elem(&credits, &at);
	void *ring = bpf_map_lookup_elem(&rings, &shard);
	__u32 captured = skb->len;

	if (!port || !credit || !ring)
		return WEFT_DROP_UPCALL_RING_FULL;
	if (captured > WEFT_RECORD_HUGE - sizeof(struct weft_upcall))
		captured = WEFT_RECORD_HUGE - sizeof(struct weft_upcall);
	if (c->capture_limit && captured > c->capture_limit)
		captured = c->capture_limit;
	/* Signed: after a restart more may be done than was issued. */
	__s32 waiting = WEFT_LOAD(credit->issued_packets) - WEFT_LOAD(credit->done_packets);
	__s32 waiting_bytes = WEFT_LOAD(credit->issued_bytes) - WEFT_LOAD(credit->done_bytes);
	if (c->paused || waiting >= (__s32)port->credit_packets || waiting_bytes >= (__s32)port->credit_bytes)
		return WEFT_DROP_UPCALL_BUDGET;
	__sync_fetch_and_add(&credit->issued_packets, 1);
	__sync_fetch_and_add(&credit->issued_bytes, captured);
	int reason;
	if (captured <= WEFT_RECORD_TINY - sizeof(struct weft_upcall))
		reason = WEFT_EMIT(WEFT_RECORD_TINY);
	else if (captured <= WEFT_RECORD_SMALL - sizeof(struct weft_upcall))
		reason = WEFT_EMIT(WEFT_RECORD_SMALL);
	else if (captured <= WEFT_RECORD_LARGE - sizeof(struct weft_upcall))
		reason = WEFT_EMIT(WEFT_RECORD_LARGE);
	else
		reason = WEFT_EMIT(WEFT_RECORD_HUGE);
	if (reason) {
		__sync_fetch_and_add(&credit->issued_packets, -1);
		__sync_fetch_and_add(&credit->issued_bytes, -captured);
	}
	return reason;
}

/* Sends the frame up as `kind`; the program's verdict. */
static __always_inline int weft_upcall(struct __sk_buff *skb, struct weft_walk *w, __u32 kind)
{
	w->upcall_kind = kind;
	int reason = weft_send_up(skb, w);
	if (reason)
		return weft_drop(skb, w->vport,
				 reason == WEFT_DROP_UPCALL_RING_FULL && w->is_retry ? WEFT_DROP_SLOT_RETRY : reason);
	skb->cb[0] = WEFT_VERDICT_UPCALL;
	skb->cb[1] = kind;
	return w->wake ? bpf_redirect(w->wake, 0) : TC_ACT_STOLEN;
}

#endif
