/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/*
 * Keep-alives between hosts: a request is checked and answered right here, a reply is noted. No agent has to run for it: what is
 * proven is that this host's datapath forwards. The frame is described in src/flow/layout.ts.
 */
#ifndef WEFT_KEEPALIVE_H
#define WEFT_KEEPALIVE_H

#include "output.h"

#define WEFT_KEEPALIVE_AT 14

#define WEFT_SIP_ROUND                             \
	do {                                       \
		a += b;                            \
		b = b << 13 | b >> 51;             \
		b ^= a;                            \
		a = a << 32 | a >> 32;             \
		c += d;                            \
		d = d << 16 | d >> 48;             \
		d ^= c;                            \
		a += d;                            \
		d = d << 21 | d >> 43;             \
		d ^= a;                            \
		c += b;                            \
		b = b << 17 | b >> 47;             \
		b ^= c;                            \
		c = c << 32 | c >> 32;             \
	} while (0)

/* SipHash-2-4 (Aumasson, Bernstein 2012) of the first 24 bytes of a body. */
static __always_inline __u64 weft_siphash(const struct weft_keepalive_body *body, const struct weft_keepalive_own *own)
{
	const __u32 *words = (const __u32 *)body;
	__u64 a = own->secret[0] ^ 0x736f6d6570736575ULL, b = own->secret[1] ^ 0x646f72616e646f6dULL;
	__u64 c = own->secret[0] ^ 0x6c7967656e657261ULL, d = own->secret[1] ^ 0x7465646279746573ULL;

#pragma unroll
	for (int i = 0; i < 4; i++) {
		__u64 word = i < 3 ? words[2 * i] | (__u64)words[2 * i + 1] << 32 : 24ULL << 56;

		d ^= word;
		WEFT_SIP_ROUND;
		WEFT_SIP_ROUND;
		a ^= word;
	}
	c ^= 0xff;
	WEFT_SIP_ROUND;
	WEFT_SIP_ROUND;
	WEFT_SIP_ROUND;
	WEFT_SIP_ROUND;
	return a ^ b ^ c ^ d;
}

/* Whether the body is a keep-alive of that peer for this host, made with the cloud's secret. */
static __always_inline int weft_is_authentic(const struct weft_keepalive_body *body, const struct weft_keepalive_own *own,
					     __u32 peer_epoch)
{
	__u64 mac = body->mac[0] | (__u64)body->mac[1] << 32;

	if (!own->has_secret || (body->head & 0xff) != WEFT_KEEPALIVE_VERSION ||
	    (body->head >> 8 & 0xff) > WEFT_KEEPALIVE_REPLY || body->sender != peer_epoch || body->receiver != own->epoch)
		return 0;
	return weft_siphash(body, own) == mac;
}

/* Turns a request into its reply and sends it where it came from. */
static __always_inline int weft_answer(struct __sk_buff *skb, struct weft_keepalive_body *body,
				       const struct weft_keepalive_own *own, __u32 peer)
{
	__u32 zero = 0, tunnel_key = WEFT_TUNNEL_KIND_KEEPALIVE << WEFT_TUNNEL_KIND_SHIFT;
	struct weft_control *c = bpf_map_lookup_elem(&control, &zero);
	__u32 length = skb->len > 0xffff ? 0xffff : skb->len;

	body->head = WEFT_KEEPALIVE_VERSION | WEFT_KEEPALIVE_REPLY << 8 | length << 16;
	body->receiver = body->sender;
	body->sender = own->epoch;
	__u64 mac = weft_siphash(body, own);
	body->mac[0] = mac;
	body->mac[1] = mac >> 32;
	if (!c || bpf_skb_change_tail(skb, WEFT_KEEPALIVE_BYTES, 0) ||
	    bpf_skb_store_bytes(skb, WEFT_KEEPALIVE_AT, body, sizeof(*body), 0))
		return weft_drop(skb, 0, WEFT_DROP_REWRITE_FAILED);
	int reason = weft_encapsulate(skb, peer, tunnel_key);
	if (reason)
		return weft_drop(skb, 0, reason);
	skb->cb[0] = WEFT_ACTION_TUNNEL;
	skb->cb[1] = peer;
	skb->cb[2] = tunnel_key;
	skb->mark = 0;
	return bpf_redirect(c->tunnel_ifindex, 0);
}

/* A keep-alive from a peer's address. `is_alive`: whether it shows that the peer lives now. */
static __always_inline int weft_keepalive(struct __sk_buff *skb, __u32 peer, int *is_alive)
{
	__u32 zero = 0;
	struct weft_keepalive_own *own = bpf_map_lookup_elem(&keepalives, &zero);
	struct weft_keepalive *record = bpf_map_lookup_elem(&keepalives, &peer);
	struct weft_peer *from = bpf_map_lookup_elem(&peers, &peer);
	struct weft_keepalive_body body = {};

	if (!own || !record || !from)
		return weft_drop(skb, 0, WEFT_DROP_KEEP_ALIVE_REFUSED);
	if (skb->vlan_present || bpf_skb_load_bytes(skb, WEFT_KEEPALIVE_AT, &body, sizeof(body)) ||
	    !weft_is_authentic(&body, own, WEFT_LOAD(from->epoch))) {
		record->refused++;
		return weft_drop(skb, 0, WEFT_DROP_KEEP_ALIVE_REFUSED);
	}
	__u64 sequence = body.sequence_low | (__u64)body.sequence_high << 32;

	if ((body.head >> 8 & 0xff) == WEFT_KEEPALIVE_REQUEST) {
		*is_alive = sequence > record->request;
		if (*is_alive) {
			record->unheard = body.head >> 16;
			record->request = sequence;
		}
		record->requests++;
		return weft_answer(skb, &body, own, peer);
	}
	*is_alive = sequence > record->reply;
	if (*is_alive) {
		record->reply = sequence;
		record->length = body.head >> 16;
		record->trip_us = (__u32)(bpf_ktime_get_ns() / 1000) - body.time_us;
		record->replies++;
	}
	skb->cb[0] = WEFT_VERDICT_CONSUMED;
	return TC_ACT_STOLEN;
}

#endif
