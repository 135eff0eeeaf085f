/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/* Where frames leave: a local vport, a peer through the tunnel device, a group. Records are read under their generation. */
#ifndef WEFT_OUTPUT_H
#define WEFT_OUTPUT_H

#include "maps.h"
#include "rewrite.h"
#include "upcall.h"
#include "walk.h"

#define WEFT_FROM_INGRESS 1
#define WEFT_FROM_EGRESS 0

/* What is needed of a vport: 0 when it may be sent to. */
static __always_inline int weft_vport_of(__u32 index, __u32 *ifindex, __u32 *flags)
{
	struct weft_vport *port = bpf_map_lookup_elem(&vports, &index);

	if (!port)
		return WEFT_DROP_VPORT_DOWN;
	__u32 generation = WEFT_LOAD(port->generation);
	weft_barrier();
	*ifindex = WEFT_LOAD(port->ifindex);
	*flags = WEFT_LOAD(port->flags);
	weft_barrier();
	if ((generation & 1) || WEFT_LOAD(port->generation) != generation || !(*flags & WEFT_VPORT_UP))
		return WEFT_DROP_VPORT_DOWN;
	return 0;
}

/* The verdict that sends the frame to a local vport. redirect_peer is for ingress programs only (the kernel's rule). */
static __always_inline int weft_to_vport(struct __sk_buff *skb, __u32 index, int from)
{
	__u32 ifindex = 0, flags = 0;
	int reason = weft_vport_of(index, &ifindex, &flags);

	if (reason)
		return weft_drop(skb, index, reason);
	skb->cb[0] = WEFT_ACTION_VPORT;
	skb->cb[1] = index;
	skb->priority = 0;
	if (from == WEFT_FROM_INGRESS && (flags & WEFT_VPORT_PEER_REDIRECT)) {
		skb->mark = 0;
		return bpf_redirect_peer(ifindex, 0);
	}
	skb->mark = WEFT_EGRESS_MARK;
	return bpf_redirect(ifindex, 0);
}

/* Length of the network packet, of one segment if the frame is to be segmented. */
static __always_inline __u32 weft_l3_length(struct __sk_buff *skb, struct weft_walk *w, __u32 limit)
{
	__u32 whole = skb->len - w->l3, header = w->l4 - w->l3, protocol = w->key[14] & 0xff;
	__u8 offset = 0;

	if (whole <= limit || !skb->gso_size || !w->l4)
		return whole;
	if (protocol == PROTO_TCP)
		header += bpf_skb_load_bytes(skb, w->l4 + 12, &offset, 1) ? 20 : (offset >> 4) * 4;
	else
		header += 8;
	return header + skb->gso_size;
}

/* Puts the tunnel's metadata on the frame: 0 when it may go to the tunnel device `*ifindex`. */
__noinline int weft_encapsulate(struct __sk_buff *skb, __u32 index, __u32 tunnel_key)
{
	__u32 zero = 0;
	struct weft_control *c = bpf_map_lookup_elem(&control, &zero);
	struct weft_peer *peer = bpf_map_lookup_elem(&peers, &index);
	struct bpf_tunnel_key key = {};
	__u64 flags = BPF_F_DONT_FRAGMENT;

	if (!c || !peer)
		return WEFT_DROP_PEER_DOWN;
	__u32 generation = WEFT_LOAD(peer->generation);
	weft_barrier();
	__u32 is_up = WEFT_LOAD(peer->flags) & WEFT_PEER_UP, family = WEFT_LOAD(peer->family);
	key.tunnel_id = tunnel_key & 0xffffff;
	key.tunnel_ttl = 64;
	if (family == 6) {
		flags |= BPF_F_TUNINFO_IPV6;
#pragma unroll
		for (int i = 0; i < 4; i++) {
			key.remote_ipv6[i] = WEFT_LOAD(peer->address[i]);
			key.local_ipv6[i] = c->underlay_address[i];
		}
	} else {
		/* The outer UDP checksum is optional over IPv4 (RFC 7348) and costs a pass over what is not offloaded. */
		flags |= BPF_F_ZERO_CSUM_TX;
		key.remote_ipv4 = WEFT_LOAD(peer->address[0]);
		key.local_ipv4 = c->underlay_address[0];
	}
	weft_barrier();
	/* Keep-alives ask, and tell, whether the peer is up. */
	__u32 is_keepalive = (tunnel_key >> WEFT_TUNNEL_KIND_SHIFT & 7) == WEFT_TUNNEL_KIND_KEEPALIVE;
	if (!is_up && !is_keepalive)
		return WEFT_DROP_PEER_DOWN;
	if ((generation & 1) || WEFT_LOAD(peer->generation) != generation || family != c->underlay_family ||
	    !family)
		return WEFT_DROP_PEER_DOWN;
	if (bpf_skb_set_tunnel_key(skb, &key, sizeof(key), flags))
		return WEFT_DROP_PEER_DOWN;
	if (!is_keepalive) {
		__u32 now = weft_now_ms();

		if (now - WEFT_LOAD(peer->sent_ms) >= WEFT_PEER_SENT_MS)
			peer->sent_ms = now;
	}
	return 0;
}

static __always_inline int weft_to_peer(struct __sk_buff *skb, struct weft_walk *w, __u32 index, __u32 tunnel_key)
{
	__u32 zero = 0;
	struct weft_control *c = bpf_map_lookup_elem(&control, &zero);
	struct weft_peer *peer = bpf_map_lookup_elem(&peers, &index);

	if (!c || !peer)
		return weft_drop(skb, w->vport, WEFT_DROP_PEER_DOWN);
	int reason = weft_encapsulate(skb, index, tunnel_key);
	if (reason)
		return weft_drop(skb, w->vport, reason);
	__u32 mtu = WEFT_LOAD(peer->mtu);
	if (mtu && weft_l3_length(skb, w, mtu) > mtu)
		return weft_drop(skb, w->vport, WEFT_DROP_TOO_BIG);
	skb->cb[0] = WEFT_ACTION_TUNNEL;
	skb->cb[1] = index;
	skb->cb[2] = tunnel_key;
	skb->mark = 0;
	skb->priority = 0;
	return bpf_redirect(c->tunnel_ifindex, 0);
}

#endif
