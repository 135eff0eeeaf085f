/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/*
 * Frame to flow key, by the parse rules of layout.ts. Headers are read by direct access; a frame whose headers are not in its
 * linear part is pulled once and parsed again.
 */
#ifndef WEFT_PARSE_H
#define WEFT_PARSE_H

#include "walk.h"

#define WEFT_PARSED 0
#define WEFT_PULL 1

/* Enough for every header that is read directly: Ethernet, two tags, IPv4 with options, TCP. */
#define WEFT_PULL_BYTES 128

#define ETHERTYPE_VLAN bpf_htons(0x8100)
#define ETHERTYPE_SERVICE_VLAN bpf_htons(0x88a8)
#define ETHERTYPE_IP4 bpf_htons(0x0800)
#define ETHERTYPE_IP6 bpf_htons(0x86dd)
#define ETHERTYPE_ARP bpf_htons(0x0806)

#define PROTO_HOP_BY_HOP 0
#define PROTO_ICMP 1
#define PROTO_TCP 6
#define PROTO_UDP 17
#define PROTO_ROUTING 43
#define PROTO_FRAGMENT 44
#define PROTO_ESP 50
#define PROTO_AH 51
#define PROTO_ICMP6 58
#define PROTO_NONE 59
#define PROTO_OPTIONS 60
#define PROTO_SCTP 132
#define WEFT_EXTENSIONS_MAX 8

struct weft_ip4 {
	__u8 version_ihl;
	__u8 tos;
	__u16 total_length;
	__u16 id;
	__u16 fragment;
	__u8 ttl;
	__u8 protocol;
	__u16 checksum;
	__u32 source;
	__u32 destination;
} __attribute__((packed));

struct weft_ip6 {
	__u32 version_class_flow;
	__u16 payload_length;
	__u8 next_header;
	__u8 hop_limit;
	__u32 source[4];
	__u32 destination[4];
} __attribute__((packed));

struct weft_arp {
	__u16 hardware;
	__u16 protocol;
	__u8 hardware_bytes;
	__u8 protocol_bytes;
	__u16 operation;
	__u16 sender_mac[3];
	__u16 sender_ip[2];
	__u16 target_mac[3];
	__u16 target_ip[2];
} __attribute__((packed));

static __always_inline int weft_is_vlan(__u16 type)
{
	return type == ETHERTYPE_VLAN || type == ETHERTYPE_SERVICE_VLAN;
}

static __always_inline void weft_set_state(struct weft_walk *w, __u32 state)
{
	w->key[0] |= state << WEFT_W0_PARSE_SHIFT;
}

static __always_inline int weft_is_extension(__u32 protocol)
{
	return protocol == PROTO_HOP_BY_HOP || protocol == PROTO_ROUTING || protocol == PROTO_FRAGMENT ||
	       protocol == PROTO_AH || protocol == PROTO_OPTIONS;
}

/*
 * Walks the extension headers of an IPv6 packet that ends at `end`; `off` is the first header's place. Returns the upper
 * protocol; its place goes to w->l4 (0: no transport header here) and what was found to word 0.
 */
__noinline int weft_extensions(struct __sk_buff *skb, struct weft_walk *w, __u32 protocol, __u32 off, __u32 end)
{
	__u32 fragment = WEFT_FRAGMENT_NO, state = WEFT_PARSE_OK, l4 = 0;
	__u8 head[8];

	if (!w)
		return 0;
	for (int n = 0; n <= WEFT_EXTENSIONS_MAX; n++) {
		if (protocol == PROTO_ESP || protocol == PROTO_NONE) {
			state = WEFT_PARSE_EXTENSIONS;
			break;
		}
		if (!weft_is_extension(protocol)) {
			if (off > end)
				state = WEFT_PARSE_SHORT;
			else
				l4 = off;
			break;
		}
		if (n == WEFT_EXTENSIONS_MAX) {
			state = WEFT_PARSE_EXTENSIONS;
			break;
		}
		if (off + 8 > end || bpf_skb_load_bytes(skb, off, head, 8)) {
			state = WEFT_PARSE_SHORT;
			break;
		}
		__u32 next = head[0];
		if (protocol == PROTO_FRAGMENT) {
			off += 8;
			protocol = next;
			if (head[2] | (head[3] & 0xf8)) {
				fragment = WEFT_FRAGMENT_LATER;
				break;
			}
			fragment = WEFT_FRAGMENT_FIRST;
			continue;
		}
		off += protocol == PROTO_AH ? (head[1] + 2) * 4 : (head[1] + 1) * 8;
		protocol = next;
	}
	w->l4 = l4;
	w->key[0] |= (fragment << WEFT_W0_FRAGMENT_SHIFT) | (state << WEFT_W0_PARSE_SHIFT);
	return protocol;
}

/* Key word 15 from the first 8 bytes of a transport header. */
static __always_inline __u32 weft_l4_word(__u32 class, int is_icmp, __u32 first, __u32 second)
{
	__u32 type = first & 0xff;

	if (!is_icmp)
		return first;
	int is_echo = class == WEFT_FRAME_IP4 ? type == 8 || type == 0 : type == 128 || type == 129;
	return (first & 0xffff) | (is_echo ? second << 16 : 0);
}

/* Reads what the key has of the transport header, which lies between w->l4 and `end`. */
static __always_inline void weft_parse_l4(struct __sk_buff *skb, struct weft_walk *w, __u32 protocol, __u32 end)
{
	void *data = (void *)(long)skb->data, *data_end = (void *)(long)skb->data_end;
	__u32 class = weft_frame_class(w), l4 = w->l4;
	int is_icmp = protocol == (class == WEFT_FRAME_IP4 ? PROTO_ICMP : PROTO_ICMP6);
	__u32 copied[2] = {};

	if (!is_icmp && protocol != PROTO_TCP && protocol != PROTO_UDP && protocol != PROTO_SCTP)
		return;
	if (l4 + (is_icmp ? 8 : 4) > end) {
		weft_set_state(w, WEFT_PARSE_SHORT);
		w->l4 = 0;
		return;
	}
	if (l4 <= 0x3ff && data + l4 + 8 <= data_end) {
		__u32 *words = data + l4;

		w->key[15] = weft_l4_word(class, is_icmp, words[0], words[1]);
		return;
	}
	/* Behind long extension headers, not linear, or hardly there. */
	if (is_icmp ? bpf_skb_load_bytes(skb, l4, copied, 8) : bpf_skb_load_bytes(skb, l4, copied, 4))
		return;
	w->key[15] = weft_l4_word(class, is_icmp, copied[0], copied[1]);
}

static __always_inline int weft_parse_ip4(struct __sk_buff *skb, struct weft_walk *w, __u32 off)
{
	void *data = (void *)(long)skb->data, *data_end = (void *)(long)skb->data_end;
	struct weft_ip4 *ip = data + off;

	if ((void *)(ip + 1) > data_end) {
		if (off + sizeof(*ip) <= skb->len)
			return WEFT_PULL;
		weft_set_state(w, WEFT_PARSE_SHORT);
		return WEFT_PARSED;
	}
	__u32 header = (ip->version_ihl & 15) * 4, total = bpf_ntohs(ip->total_length), fragment = bpf_ntohs(ip->fragment);

	if ((ip->version_ihl >> 4) != 4 || header < 20) {
		weft_set_state(w, WEFT_PARSE_BAD);
		return WEFT_PARSED;
	}
	if (off + header > skb->len) {
		weft_set_state(w, WEFT_PARSE_SHORT);
		return WEFT_PARSED;
	}
	if (total < header || off + total > skb->len) {
		weft_set_state(w, WEFT_PARSE_BAD);
		return WEFT_PARSED;
	}
	w->ttl = ip->ttl;
	w->key[6] = ip->destination;
	w->key[10] = ip->source;
	__u32 protocol = ip->protocol;
	w->key[14] = protocol | ((__u32)(ip->tos >> 2) << 8);
	if (fragment & 0x1fff) {
		w->key[0] |= WEFT_FRAGMENT_LATER << WEFT_W0_FRAGMENT_SHIFT;
		if (header > 20)
			weft_set_state(w, WEFT_PARSE_OPTIONS);
		return WEFT_PARSED;
	}
	if (fragment & 0x2000)
		w->key[0] |= WEFT_FRAGMENT_FIRST << WEFT_W0_FRAGMENT_SHIFT;
	w->l4 = off + header;
	w->l4_end = off + total;
	weft_parse_l4(skb, w, protocol, off + total);
	if (header > 20 && weft_parse_state(w) == WEFT_PARSE_OK)
		weft_set_state(w, WEFT_PARSE_OPTIONS);
	return WEFT_PARSED;
}

static __always_inline int weft_parse_ip6(struct __sk_buff *skb, struct weft_walk *w, __u32 off)
{
	void *data = (void *)(long)skb->data, *data_end = (void *)(long)skb->data_end;
	struct weft_ip6 *ip = data + off;

	if ((void *)(ip + 1) > data_end) {
		if (off + sizeof(*ip) <= skb->len)
			return WEFT_PULL;
		weft_set_state(w, WEFT_PARSE_SHORT);
		return WEFT_PARSED;
	}
	__u32 first = bpf_ntohl(ip->version_class_flow), end = off + sizeof(*ip) + bpf_ntohs(ip->payload_length);

	if ((first >> 28) != 6 || end > skb->len) {
		weft_set_state(w, WEFT_PARSE_BAD);
		return WEFT_PARSED;
	}
	w->ttl = ip->hop_limit;
#pragma unroll
	for (int i = 0; i < 4; i++) {
		w->key[6 + i] = ip->destination[i];
		w->key[10 + i] = ip->source[i];
	}
	__u32 protocol = ip->next_header;
	w->l4 = off + sizeof(*ip);
	w->l4_end = end;
	if (weft_is_extension(protocol) || protocol == PROTO_ESP || protocol == PROTO_NONE)
		protocol = weft_extensions(skb, w, protocol, w->l4, end) & 0xff;
	w->key[14] = protocol | (((first >> 22) & 0x3f) << 8);
	if (w->l4)
		weft_parse_l4(skb, w, protocol, end);
	return WEFT_PARSED;
}

static __always_inline int weft_parse_arp(struct __sk_buff *skb, struct weft_walk *w, __u32 off)
{
	void *data = (void *)(long)skb->data, *data_end = (void *)(long)skb->data_end;
	struct weft_arp *arp = data + off;

	if ((void *)(arp + 1) > data_end) {
		if (off + sizeof(*arp) <= skb->len)
			return WEFT_PULL;
		weft_set_state(w, WEFT_PARSE_SHORT);
		return WEFT_PARSED;
	}
	if (arp->hardware != bpf_htons(1) || arp->protocol != ETHERTYPE_IP4 || arp->hardware_bytes != 6 ||
	    arp->protocol_bytes != 4) {
		weft_set_state(w, WEFT_PARSE_BAD);
		return WEFT_PARSED;
	}
	w->key[6] = arp->target_ip[0] | (__u32)arp->target_ip[1] << 16;
	w->key[10] = arp->sender_ip[0] | (__u32)arp->sender_ip[1] << 16;
	w->key[15] = bpf_ntohs(arp->operation);
	return WEFT_PARSED;
}

/*
 * Fills the key and the offsets from the frame. w is all zero but for w->vport. Returns WEFT_PULL when a header is in the
 * frame but not in its linear part.
 */
__noinline int weft_parse(struct __sk_buff *skb, struct weft_walk *w)
{
	if (!w)
		return WEFT_PARSED;
	void *data = (void *)(long)skb->data, *data_end = (void *)(long)skb->data_end;

	w->key[0] = w->vport & 0xffff;
	if (data + 14 > data_end) {
		if (skb->len >= 14)
			return WEFT_PULL;
		weft_set_state(w, WEFT_PARSE_SHORT);
		return WEFT_PARSED;
	}
	__u32 *mac = data;
	__u16 type = *(__u16 *)(data + 12);
	__u32 off = 14, outer = 0, inner = 0, tags = 0, data_tags = 0;

	w->key[1] = mac[0];
	w->key[2] = mac[1];
	w->key[3] = mac[2];
	if (skb->vlan_present) {
		outer = skb->vlan_tci & 0xfff;
		tags = 1;
	}
	if (weft_is_vlan(type)) {
		__u16 *tag = data + 14;
		if ((void *)(tag + 2) > data_end)
			goto cut;
		tags++;
		data_tags = 1;
		if (tags == 1)
			outer = bpf_ntohs(tag[0]) & 0xfff;
		else
			inner = bpf_ntohs(tag[0]) & 0xfff;
		type = tag[1];
		off = 18;
		if (tags < 2 && weft_is_vlan(type)) {
			if ((void *)(tag + 4) > data_end)
				goto cut;
			tags = 2;
			data_tags = 2;
			inner = bpf_ntohs(tag[2]) & 0xfff;
			type = tag[3];
			off = 22;
		}
	}
	if (bpf_ntohs(type) < 0x600)
		type = 0;
	w->key[0] |= tags << WEFT_W0_VLAN_SHIFT;
	w->key[4] = type | outer << 16;
	w->key[5] = inner;
	w->l3 = off;
	w->tags = tags;
	w->data_tags = data_tags;
	if (type == ETHERTYPE_IP4) {
		w->key[0] |= WEFT_FRAME_IP4 << WEFT_W0_FRAME_SHIFT;
		return weft_parse_ip4(skb, w, off);
	}
	if (type == ETHERTYPE_IP6) {
		w->key[0] |= WEFT_FRAME_IP6 << WEFT_W0_FRAME_SHIFT;
		return weft_parse_ip6(skb, w, off);
	}
	if (type == ETHERTYPE_ARP) {
		w->key[0] |= WEFT_FRAME_ARP << WEFT_W0_FRAME_SHIFT;
		return weft_parse_arp(skb, w, off);
	}
	return WEFT_PARSED;
cut:
	if (off + 4 <= skb->len)
		return WEFT_PULL;
	weft_set_state(w, WEFT_PARSE_SHORT);
	w->key[0] |= tags << WEFT_W0_VLAN_SHIFT;
	w->key[4] = outer << 16;
	return WEFT_PARSED;
}

/* The shard of a parsed frame: the same for both directions. */
static __always_inline __u32 weft_fmix(__u32 h)
{
	h ^= h >> 16;
	h *= 0x85ebca6b;
	h ^= h >> 13;
	h *= 0xc2b2ae35;
	return h ^ (h >> 16);
}

static __always_inline __u32 weft_shard(const struct weft_walk *w, __u32 secret)
{
	__u32 x = 0;

	if (weft_is_ip(w)) {
		__u32 protocol = w->key[14] & 0xff, l4 = w->key[15];

#pragma unroll
		for (int i = 6; i <= 13; i++)
			x ^= w->key[i];
		x ^= protocol;
		if (protocol == PROTO_ICMP || protocol == PROTO_ICMP6)
			x ^= l4 >> 16;
		else
			x ^= (l4 & 0xffff) ^ (l4 >> 16);
	} else {
#pragma unroll
		for (int i = 1; i <= 4; i++)
			x ^= w->key[i];
	}
	return weft_fmix(x ^ secret) >> 28;
}

#endif
