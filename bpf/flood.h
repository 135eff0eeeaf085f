/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/*
 * One frame to every member of a group: a program of its own, reached by tail call with its arguments in skb->cb, because a loop
 * over 512 outputs beside the lookup is more than a verifier walks. Outputs with a VLAN operation change the one frame, clone it,
 * and change it back.
 */
#ifndef WEFT_FLOOD_H
#define WEFT_FLOOD_H

#include "output.h"

#define WEFT_FLOOD_PROGRAM 0
/* Arguments in skb->cb. */
#define WEFT_CB_GROUP 0
#define WEFT_CB_INGRESS 1
#define WEFT_CB_LOCAL_ONLY 2
#define WEFT_CB_L3_LENGTH 3

struct weft_tag {
	__u16 type;
	__u16 tci;
};

struct weft_flood {
	struct __sk_buff *skb;
	__u32 group;
	__u32 generation;
	__u32 ingress_vport;
	__u32 local_only;
	__u32 l3_length;
	__u32 tag_count;
	/* The frame's own tags, outermost first. */
	struct weft_tag tags[2];
};

static __always_inline int weft_read_tag(struct __sk_buff *skb, __u32 off, struct weft_tag *tag)
{
	__u16 words[2];

	if (bpf_skb_load_bytes(skb, off, words, 4) || !weft_is_vlan(words[0]))
		return 0;
	tag->type = words[0];
	tag->tci = bpf_ntohs(words[1]);
	return 1;
}

static __always_inline void weft_read_tags(struct __sk_buff *skb, struct weft_flood *f)
{
	if (skb->vlan_present) {
		f->tags[0].type = skb->vlan_proto;
		f->tags[0].tci = skb->vlan_tci;
		f->tag_count = 1 + weft_read_tag(skb, 12, &f->tags[1]);
	} else if (weft_read_tag(skb, 12, &f->tags[0])) {
		f->tag_count = 1 + weft_read_tag(skb, 16, &f->tags[1]);
	}
}

/* Where one output leads, with the tunnel's metadata set: the ifindex, or 0 when it was dropped and counted. */
static __always_inline __u32 weft_flood_target(struct weft_flood *f, const struct weft_output *out, __u32 kind)
{
	__u32 zero = 0, ifindex = 0, flags = 0, index = out->index;
	struct weft_control *c = bpf_map_lookup_elem(&control, &zero);
	int reason;

	if (!c)
		return 0;
	if (kind == WEFT_ACTION_VPORT) {
		reason = weft_vport_of(index, &ifindex, &flags);
		if (reason)
			weft_drop(f->skb, index, reason);
		return reason ? 0 : ifindex;
	}
	struct weft_peer *peer = bpf_map_lookup_elem(&peers, &index);
	reason = weft_encapsulate(f->skb, index, out->tunnel_key);
	if (!reason && peer && peer->mtu && f->l3_length > peer->mtu)
		reason = WEFT_DROP_TOO_BIG;
	if (reason)
		weft_drop(f->skb, f->ingress_vport, reason);
	return reason ? 0 : c->tunnel_ifindex;
}

/* Sends one copy with the output's VLAN operation and undoes the operation. Not 0: the frame could not be restored. */
static __always_inline int weft_flood_send(struct weft_flood *f, const struct weft_output *out, __u32 kind, __u32 ifindex)
{
	__u32 pop = out->kind >> WEFT_ACTION_POP_SHIFT & 3, push = out->kind >> WEFT_ACTION_PUSH_SHIFT & 3;
	struct __sk_buff *skb = f->skb;

	if (pop > f->tag_count)
		pop = f->tag_count;
	if (push > 2)
		push = 2;
	if (weft_retag(skb, pop, push, out->tcis))
		return -1;
	skb->mark = kind == WEFT_ACTION_VPORT ? WEFT_EGRESS_MARK : 0;
	bpf_clone_redirect(skb, ifindex, 0);
	if (weft_retag(skb, push, 0, 0))
		return -1;
	if (pop > 1 && bpf_skb_vlan_push(skb, f->tags[1].type, f->tags[1].tci))
		return -1;
	if (pop > 0 && bpf_skb_vlan_push(skb, f->tags[0].type, f->tags[0].tci))
		return -1;
	return 0;
}

/* One output; bpf_loop's callback: 1 ends the loop. */
static long weft_flood_one(__u32 i, struct weft_flood *f)
{
	__u32 index = f->group;
	struct weft_group *group = bpf_map_lookup_elem(&groups, &index);

	if (!group || i >= WEFT_GROUP_OUTPUTS)
		return 1;
	struct weft_output out = {
		.kind = WEFT_LOAD(group->outputs[i].kind),
		.index = WEFT_LOAD(group->outputs[i].index),
		.tunnel_key = WEFT_LOAD(group->outputs[i].tunnel_key),
		.tcis = WEFT_LOAD(group->outputs[i].tcis),
	};
	weft_barrier();
	if (WEFT_LOAD(group->generation) != f->generation) {
		weft_drop(f->skb, f->ingress_vport, WEFT_DROP_SLOT_RETRY);
		return 1;
	}
	__u32 kind = out.kind & WEFT_ACTION_KIND_MASK;
	if (kind == WEFT_ACTION_VPORT ? out.index == f->ingress_vport : kind != WEFT_ACTION_TUNNEL || f->local_only)
		return 0;
	__u32 ifindex = weft_flood_target(f, &out, kind);
	if (ifindex && weft_flood_send(f, &out, kind, ifindex)) {
		weft_drop(f->skb, f->ingress_vport, WEFT_DROP_REWRITE_FAILED);
		return 1;
	}
	return 0;
}

SEC("tc")
int flood(struct __sk_buff *skb)
{
	struct weft_flood f = {
		.skb = skb,
		.group = skb->cb[WEFT_CB_GROUP],
		.ingress_vport = skb->cb[WEFT_CB_INGRESS],
		.local_only = skb->cb[WEFT_CB_LOCAL_ONLY],
		.l3_length = skb->cb[WEFT_CB_L3_LENGTH],
	};
	__u32 index = f.group, count = 0;
	struct weft_group *group = bpf_map_lookup_elem(&groups, &index);

	if (!group)
		return weft_drop(skb, f.ingress_vport, WEFT_DROP_GROUP_LIMIT);
	/* A rewrite takes a few microseconds: worth waiting for, as a lost broadcast costs its sender a second. */
	for (int i = 0; i < 1024; i++) {
		f.generation = WEFT_LOAD(group->generation);
		if (!(f.generation & 1))
			break;
	}
	weft_barrier();
	count = WEFT_LOAD(group->count);
	if (f.generation & 1)
		return weft_drop(skb, f.ingress_vport, WEFT_DROP_SLOT_RETRY);
	if (count > WEFT_GROUP_OUTPUTS)
		return weft_drop(skb, f.ingress_vport, WEFT_DROP_GROUP_LIMIT);
	skb->priority = 0;
	weft_read_tags(skb, &f);
	bpf_loop(count, weft_flood_one, &f, 0);
	skb->cb[0] = WEFT_ACTION_GROUP;
	skb->cb[1] = index;
	return TC_ACT_STOLEN;
}

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__array(values, int(void *));
} programs SEC(".maps") = {
	.values = { [WEFT_FLOOD_PROGRAM] = (void *)&flood },
};

/* Hands the frame to the flood program; returns only when that is not there. */
static __always_inline int weft_to_group(struct __sk_buff *skb, struct weft_walk *w, __u32 group, __u32 local_only)
{
	skb->cb[WEFT_CB_GROUP] = group;
	skb->cb[WEFT_CB_INGRESS] = w->vport;
	skb->cb[WEFT_CB_LOCAL_ONLY] = local_only;
	skb->cb[WEFT_CB_L3_LENGTH] = local_only ? 0 : weft_l3_length(skb, w, 0);
	bpf_tail_call(skb, &programs, WEFT_FLOOD_PROGRAM);
	return weft_drop(skb, w->vport, WEFT_DROP_GROUP_LIMIT);
}

#endif
