// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/*
 * The datapath's programs, tc direct-action:
 *   vport_ingress   on a bound interface, frames of a tenant: flow lookup, action or upcall
 *   host_egress     on a bound interface, outwards: lets through what the datapath itself sends
 *   tunnel_ingress  on the VXLAN device: tunnel key to vport or group
 *   inject_egress   on the inject device: executes the agent's action on the agent's frame
 *   flood           reached by tail call: one frame to a group
 * No frame of a tenant is ever handed to the host's stack. Where a word is and what it means: layout.h.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "layout.h"
#include "maps.h"
#include "walk.h"
#include "parse.h"
#include "lookup.h"
#include "upcall.h"
#include "rewrite.h"
#include "output.h"
#include "flood.h"
#include "keepalive.h"

char _license[] SEC("license") = "GPL";

/* Parses the frame, pulled into its linear part when need be. */
static __always_inline void weft_parse_frame(struct __sk_buff *skb, struct weft_walk *w)
{
	if (weft_parse(skb, w) != WEFT_PULL)
		return;
	__u32 vport = w->vport;

	bpf_skb_pull_data(skb, skb->len < WEFT_PULL_BYTES ? skb->len : WEFT_PULL_BYTES);
	__builtin_memset(w, 0, sizeof(*w));
	w->vport = vport;
	if (weft_parse(skb, w) == WEFT_PULL)
		weft_set_state(w, WEFT_PARSE_SHORT);
}

/* Rewrites and sends the frame as w->action says. `from`: whether this is an ingress program. */
static __always_inline int weft_execute(struct __sk_buff *skb, struct weft_walk *w, int from)
{
	__u32 kind = w->action[0] & WEFT_ACTION_KIND_MASK, target = w->action[1];

	if (kind == WEFT_ACTION_DROP)
		return weft_drop(skb, w->vport, target);
	if ((w->action[0] & WEFT_REWRITE_ALL) && weft_rewrite(skb, w))
		return weft_drop(skb, w->vport, WEFT_DROP_REWRITE_FAILED);
	if (w->action[0] & WEFT_REWRITE_VLAN)
		skb->cb[3] = weft_vlan_word(skb);
	if (kind == WEFT_ACTION_VPORT)
		return weft_to_vport(skb, target, from);
	if (kind == WEFT_ACTION_TUNNEL)
		return weft_to_peer(skb, w, target, w->action[2]);
	if (kind == WEFT_ACTION_GROUP)
		return weft_to_group(skb, w, target, 0);
	return weft_drop(skb, w->vport, WEFT_DROP_UNSUPPORTED);
}

/* Packets that their flow does not forward: too long, or at the end of their life. The upcall kind, or 0. */
static __always_inline __u32 weft_exception(struct __sk_buff *skb, struct weft_walk *w)
{
	__u32 limit = w->action[3] & 0xffff, decrement = w->action[3] >> 16 & 0xff;

	if (!weft_is_ip(w))
		return 0;
	if (limit && weft_l3_length(skb, w, limit) > limit) {
		w->limit = limit;
		return WEFT_UPCALL_TOO_BIG;
	}
	if ((w->action[0] & WEFT_ACTION_DEC_TTL) && w->ttl <= decrement) {
		w->decrement = decrement;
		return WEFT_UPCALL_TTL_EXPIRED;
	}
	return 0;
}

SEC("tc")
int vport_ingress(struct __sk_buff *skb)
{
	struct weft_walk w = {};
	__u32 ifindex = skb->ifindex, vport = skb->tc_classid, *known;

	if (!vport) {
		known = bpf_map_lookup_elem(&interfaces, &ifindex);
		vport = known ? *known : 0;
	}
	w.vport = vport;
	if (!vport)
		return weft_drop(skb, 0, WEFT_DROP_VPORT_DOWN);
	weft_parse_frame(skb, &w);
	__u32 state = weft_parse_state(&w);
	if (state == WEFT_PARSE_SHORT || state == WEFT_PARSE_BAD)
		return weft_drop(skb, vport, WEFT_DROP_MALFORMED);
	if (!weft_lookup(&w, skb->len) || (w.action[0] & WEFT_ACTION_KIND_MASK) == WEFT_ACTION_MISS)
		return weft_upcall(skb, &w, WEFT_UPCALL_MISS);
	__u32 kind = weft_exception(skb, &w);
	if (kind)
		return weft_upcall(skb, &w, kind);
	return weft_execute(skb, &w, WEFT_FROM_INGRESS);
}

SEC("tc")
int host_egress(struct __sk_buff *skb)
{
	__u32 ifindex = skb->ifindex, vport = skb->tc_classid, *known;

	if (skb->mark == WEFT_EGRESS_MARK) {
		skb->mark = 0;
		return TC_ACT_OK;
	}
	if (!vport) {
		known = bpf_map_lookup_elem(&interfaces, &ifindex);
		vport = known ? *known : 0;
	}
	weft_drop(skb, vport, WEFT_DROP_HOST_ORIGINATED);
	return TC_ACT_STOLEN;
}

/*
 * The peer from whose address the frame came; 0: from none. `is_stray`: it was not sent to our end of the tunnels, so that
 * it came by another way than the underlay.
 */
static __always_inline __u32 weft_peer_of(struct __sk_buff *skb, struct weft_control *c, __u32 *tunnel_key,
					  int *is_stray)
{
	struct bpf_tunnel_key key = {};
	struct weft_peer_address from = { .family = c->underlay_family };
	__u64 flags = c->underlay_family == 6 ? BPF_F_TUNINFO_IPV6 : 0;

	if (bpf_skb_get_tunnel_key(skb, &key, sizeof(key), flags))
		return 0;
	*tunnel_key = key.tunnel_id;
	if (flags) {
#pragma unroll
		for (int i = 0; i < 4; i++) {
			from.address[i] = key.remote_ipv6[i];
			*is_stray |= key.local_ipv6[i] != c->underlay_address[i];
		}
	} else {
		from.address[0] = key.remote_ipv4;
		*is_stray = key.local_ipv4 != c->underlay_address[0];
	}
	__u32 *peer = bpf_map_lookup_elem(&peer_addresses, &from);
	return peer ? *peer : 0;
}

/* Sends a copy of a traced frame up, under the vport that it goes to. */
static __always_inline void weft_trace(struct __sk_buff *skb, struct weft_control *c, __u32 vport, __u32 tunnel_key)
{
	struct weft_walk w = { .vport = vport };

	weft_parse_frame(skb, &w);
	w.shard = weft_shard(&w, c->secrets[0]);
	w.upcall_kind = WEFT_UPCALL_TRACE;
	w.tunnel_key = tunnel_key;
	weft_send_up(skb, &w);
}

SEC("tc")
int tunnel_ingress(struct __sk_buff *skb)
{
	__u32 zero = 0, tunnel_key = 0;
	struct weft_control *c = bpf_map_lookup_elem(&control, &zero);

	if (!c)
		return TC_ACT_SHOT;
	int is_stray = 0;
	__u32 peer = weft_peer_of(skb, c, &tunnel_key, &is_stray);

	if (is_stray)
		return weft_drop(skb, 0, WEFT_DROP_UNDERLAY_GUARD);
	__u32 pair = peer / 2, now = weft_now_ms();
	struct weft_seen *seen = bpf_map_lookup_elem(&peer_seen, &pair);
	if (!peer || !seen)
		return weft_drop(skb, 0, WEFT_DROP_UNKNOWN_PEER);
	__u32 kind = tunnel_key >> WEFT_TUNNEL_KIND_SHIFT & 7, key = tunnel_key & 0xfffff;
	if (kind == WEFT_TUNNEL_KIND_KEEPALIVE) {
		int is_alive = 0, verdict = weft_keepalive(skb, peer, &is_alive);

		if (is_alive)
			seen->ms[peer & 1] = now;
		return verdict;
	}
	if (seen->ms[peer & 1] != now)
		seen->ms[peer & 1] = now;
	if (kind > WEFT_TUNNEL_KIND_KEEPALIVE)
		return weft_drop(skb, 0, WEFT_DROP_RESERVED_TUNNEL_KIND);
	struct weft_tunnel_target *target = bpf_map_lookup_elem(&tunnel_keys, &key);
	if (!target || target->kind != kind)
		return weft_drop(skb, 0, WEFT_DROP_UNKNOWN_TUNNEL_KEY);
	__u32 index = target->index;
	if (tunnel_key & WEFT_TUNNEL_TRACE)
		weft_trace(skb, c, kind == WEFT_TUNNEL_KIND_VPORT ? index : 0, tunnel_key);
	if (kind == WEFT_TUNNEL_KIND_VPORT)
		return weft_to_vport(skb, index, WEFT_FROM_INGRESS);
	struct weft_walk w = {};
	return weft_to_group(skb, &w, index, 1);
}

SEC("tc")
int inject_egress(struct __sk_buff *skb)
{
	struct weft_walk w = {};
	__u32 mark = skb->mark, worker = mark >> 24 & 15, entry = mark & 0xfff;
	__u32 at = worker * WEFT_EXEC_ENTRIES + entry;
	struct weft_exec *program = bpf_map_lookup_elem(&exec, &at);

	/* A frame that is not sent is "stolen": a drop would fail the agent's whole batch. */
	if (mark >> 28 != WEFT_EXEC_MAGIC || worker >= WEFT_EXEC_WRITERS || entry >= WEFT_EXEC_ENTRIES || !program ||
	    program->generation != (mark >> 12 & 0xfff)) {
		weft_drop(skb, 0, WEFT_DROP_BAD_MARK);
		return TC_ACT_STOLEN;
	}
	w.vport = program->ingress_vport;
	weft_parse_frame(skb, &w);
	/* The entry cannot change: the agent waits in its system call for this very program. */
	__u64 *to = (void *)w.action;
	const __u64 *from = (const void *)program->action;
#pragma unroll
	for (int i = 0; i < WEFT_ACTION_WORDS / 2; i++)
		to[i] = from[i];
	int verdict = weft_execute(skb, &w, WEFT_FROM_EGRESS);
	return verdict == TC_ACT_SHOT ? TC_ACT_STOLEN : verdict;
}
