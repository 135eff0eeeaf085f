/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/*
 * The rewrites of an action, checksums kept right whether complete, partial or absent. IPv4: the header is edited in a copy and
 * stored once, its checksum by RFC 1624; what a device summed over the whole packet (CHECKSUM_COMPLETE) stays true because header
 * and checksum cancel out. IPv6 has no header checksum, so its stores ask for that sum to be recomputed.
 */
#ifndef WEFT_REWRITE_H
#define WEFT_REWRITE_H

#include "parse.h"
#include "walk.h"

#define WEFT_REWRITE_L3 (WEFT_ACTION_SET_SRC | WEFT_ACTION_SET_DST | WEFT_ACTION_SET_DSCP | WEFT_ACTION_DEC_TTL)
#define WEFT_REWRITE_HEADERS (WEFT_REWRITE_L3 | WEFT_ACTION_SET_PORTS | WEFT_ACTION_SET_MAC)
#define WEFT_REWRITE_VLAN (0xf << WEFT_ACTION_POP_SHIFT)
#define WEFT_REWRITE_ALL (WEFT_REWRITE_HEADERS | WEFT_REWRITE_VLAN)

/* The change of a one's complement sum when a 16-bit or 32-bit word becomes another. */
static __always_inline __u32 weft_delta16(__u32 from, __u32 to)
{
	return (~from & 0xffff) + (to & 0xffff);
}

static __always_inline __u32 weft_delta32(__u32 from, __u32 to)
{
	return weft_delta16(from, to) + weft_delta16(from >> 16, to >> 16);
}

static __always_inline __u16 weft_fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

/* Brings the transport checksum up to date; `pseudo`: the change is one of addresses. */
static __always_inline int weft_fix_l4(struct __sk_buff *skb, struct weft_walk *w, __u32 delta, __u64 pseudo)
{
	__u32 protocol = w->key[14] & 0xff;

	if (!w->l4)
		return 0;
	if (protocol == PROTO_TCP)
		return bpf_l4_csum_replace(skb, w->l4 + 16, 0, delta, pseudo);
	if (protocol == PROTO_UDP)
		return bpf_l4_csum_replace(skb, w->l4 + 6, 0, delta, pseudo | BPF_F_MARK_MANGLED_0);
	if (protocol == PROTO_ICMP6 && weft_frame_class(w) == WEFT_FRAME_IP6)
		return bpf_l4_csum_replace(skb, w->l4 + 2, 0, delta, pseudo);
	if (protocol == PROTO_ICMP && !pseudo)
		return bpf_l4_csum_replace(skb, w->l4 + 2, 0, delta, 0);
	return 0;
}

static __always_inline __u32 weft_new_tos(const struct weft_walk *w, __u32 tos)
{
	return (w->action[3] >> 24 & 0x3f) << 2 | (tos & 3);
}

__noinline int weft_rewrite_ip4(struct __sk_buff *skb, struct weft_walk *w)
{
	struct weft_ip4 ip;
	__u32 delta = 0, addresses = 0;

	if (!w || bpf_skb_load_bytes(skb, w->l3, &ip, sizeof(ip)))
		return -1;
	if (w->action[0] & WEFT_ACTION_SET_SRC) {
		addresses += weft_delta32(ip.source, w->action[8]);
		ip.source = w->action[8];
	}
	if (w->action[0] & WEFT_ACTION_SET_DST) {
		addresses += weft_delta32(ip.destination, w->action[12]);
		ip.destination = w->action[12];
	}
	if (w->action[0] & WEFT_ACTION_DEC_TTL) {
		__u32 ttl = (ip.ttl - (w->action[3] >> 16 & 0xff)) & 0xff;

		delta += weft_delta16(ip.ttl, ttl);
		ip.ttl = ttl;
	}
	if (w->action[0] & WEFT_ACTION_SET_DSCP) {
		__u32 tos = weft_new_tos(w, ip.tos);

		delta += weft_delta16(ip.tos << 8, tos << 8);
		ip.tos = tos;
	}
	ip.checksum = ~weft_fold(delta + addresses + (~ip.checksum & 0xffff));
	if (addresses && weft_fix_l4(skb, w, addresses, BPF_F_PSEUDO_HDR))
		return -1;
	return bpf_skb_store_bytes(skb, w->l3, &ip, sizeof(ip), 0);
}

/* Sets one IPv6 address at `off` to four words of the action. Returns the change of the sum in *delta. */
static __always_inline int weft_set_address6(struct __sk_buff *skb, __u32 off, const __u32 *to, __u32 *delta)
{
	__u32 from[4];

	if (bpf_skb_load_bytes(skb, off, from, 16))
		return -1;
#pragma unroll
	for (int i = 0; i < 4; i++)
		*delta += weft_delta32(from[i], to[i]);
	return bpf_skb_store_bytes(skb, off, to, 16, BPF_F_RECOMPUTE_CSUM);
}

__noinline int weft_rewrite_ip6(struct __sk_buff *skb, struct weft_walk *w)
{
	__u32 addresses = 0;
	__u8 head[8];

	if (!w)
		return -1;
	if ((w->action[0] & WEFT_ACTION_SET_SRC) && weft_set_address6(skb, w->l3 + 8, &w->action[8], &addresses))
		return -1;
	if ((w->action[0] & WEFT_ACTION_SET_DST) && weft_set_address6(skb, w->l3 + 24, &w->action[12], &addresses))
		return -1;
	if (addresses && weft_fix_l4(skb, w, addresses, BPF_F_PSEUDO_HDR))
		return -1;
	if (!(w->action[0] & (WEFT_ACTION_DEC_TTL | WEFT_ACTION_SET_DSCP)))
		return 0;
	if (bpf_skb_load_bytes(skb, w->l3, head, sizeof(head)))
		return -1;
	if (w->action[0] & WEFT_ACTION_DEC_TTL)
		head[7] -= w->action[3] >> 16 & 0xff;
	if (w->action[0] & WEFT_ACTION_SET_DSCP) {
		__u32 class = weft_new_tos(w, (head[0] & 15) << 4 | head[1] >> 4);

		head[0] = (head[0] & 0xf0) | class >> 4;
		head[1] = (head[1] & 0x0f) | (class & 15) << 4;
	}
	return bpf_skb_store_bytes(skb, w->l3, head, sizeof(head), BPF_F_RECOMPUTE_CSUM);
}

/* Whether `type` is that of an ICMP echo of the packet's own family. */
static __always_inline int weft_is_echo(const struct weft_walk *w, __u32 protocol, __u8 type)
{
	if (weft_frame_class(w) == WEFT_FRAME_IP4)
		return protocol == PROTO_ICMP && (type == 8 || type == 0);
	return protocol == PROTO_ICMP6 && (type == 128 || type == 129);
}

/* Ports of TCP and UDP, or the identifier of an ICMP echo. */
__noinline int weft_rewrite_ports(struct __sk_buff *skb, struct weft_walk *w)
{
	if (!w || !w->l4)
		return 0;
	__u32 protocol = w->key[14] & 0xff, to = w->action[16], from;
	__u8 type;

	if (protocol == PROTO_TCP || protocol == PROTO_UDP) {
		if (bpf_skb_load_bytes(skb, w->l4, &from, 4) || weft_fix_l4(skb, w, weft_delta32(from, to), 0))
			return -1;
		return bpf_skb_store_bytes(skb, w->l4, &to, 4, 0);
	}
	/* SCTP's checksum is a CRC over the ports; nothing else has any. */
	if (bpf_skb_load_bytes(skb, w->l4, &type, 1) || !weft_is_echo(w, protocol, type))
		return -1;
	__u16 id, new_id = to >> 16;

	if (bpf_skb_load_bytes(skb, w->l4 + 4, &id, 2) || weft_fix_l4(skb, w, weft_delta16(id, new_id), 0))
		return -1;
	return bpf_skb_store_bytes(skb, w->l4 + 4, &new_id, 2, 0);
}

/* Takes `pop` tags off and puts `push` tags on: TCIs outer in the low half, inner in the high half. */
static __always_inline int weft_retag(struct __sk_buff *skb, __u32 pop, __u32 push, __u32 tcis)
{
	if (pop > 0 && bpf_skb_vlan_pop(skb))
		return -1;
	if (pop > 1 && bpf_skb_vlan_pop(skb))
		return -1;
	if (push > 1 && bpf_skb_vlan_push(skb, ETHERTYPE_VLAN, tcis >> 16))
		return -1;
	if (push > 0 && bpf_skb_vlan_push(skb, push > 1 ? ETHERTYPE_SERVICE_VLAN : ETHERTYPE_VLAN, tcis & 0xffff))
		return -1;
	return 0;
}

/* Does everything that the action says before its output. 0, or -1 when the kernel refused. */
__noinline int weft_rewrite(struct __sk_buff *skb, struct weft_walk *w)
{
	if (!w)
		return -1;
	__u32 flags = w->action[0], class = weft_frame_class(w);
	__u32 pop = flags >> WEFT_ACTION_POP_SHIFT & 3, push = flags >> WEFT_ACTION_PUSH_SHIFT & 3;

	if (pop > w->tags)
		pop = w->tags;
	if (push > 2)
		push = 2;
	if (pop) {
		if (weft_retag(skb, pop, 0, 0))
			return -1;
		/* The outermost tag that is left was moved out of the data. */
		__u32 left = w->tags - pop, in_data = left ? left - 1 : 0, moved = (w->data_tags - in_data) * 4;

		w->l3 -= moved;
		if (w->l4)
			w->l4 -= moved;
		w->tags = left;
		w->data_tags = in_data;
	}
	if (flags & WEFT_REWRITE_L3) {
		if (class == WEFT_FRAME_IP4 && weft_rewrite_ip4(skb, w))
			return -1;
		if (class == WEFT_FRAME_IP6 && weft_rewrite_ip6(skb, w))
			return -1;
	}
	if ((flags & WEFT_ACTION_SET_PORTS) && weft_is_ip(w) && weft_rewrite_ports(skb, w))
		return -1;
	if ((flags & WEFT_ACTION_SET_MAC) && bpf_skb_store_bytes(skb, 0, &w->action[4], 12, 0))
		return -1;
	if (push) {
		/* One tag stands beside the data, those behind it inside. */
		__u32 moved = w->tags > w->data_tags ? push : push - 1;

		if (weft_retag(skb, 0, push, w->action[7]))
			return -1;
		w->l3 += moved * 4;
		if (w->l4)
			w->l4 += moved * 4;
	}
	return 0;
}

#endif
