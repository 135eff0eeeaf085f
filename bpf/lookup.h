/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/*
 * The flow table as readers see it. Classes are prefixes of the key, so one pass over the words gives all hashes; tags of a
 * bucket are one cache line with the generations; a key is compared only when its tag matches. An action is copied under the
 * slot's generation and never executed from the map.
 */
#ifndef WEFT_LOOKUP_H
#define WEFT_LOOKUP_H

#include "maps.h"
#include "parse.h"
#include "walk.h"

/* The hash lanes after the words of each class; `done` classes are filled in. */
struct weft_lanes {
	__u32 a[8];
	__u32 b[8];
	__u32 done;
};

static __always_inline __u32 weft_rotl(__u32 x, int by)
{
	return (x << by) | (x >> (32 - by));
}

/* Goes on from class - 1 over the words [from, to) that `class` has more. */
static __always_inline void weft_hash_words(const struct weft_walk *w, const struct weft_control *c,
					    struct weft_lanes *lanes, int class, int from, int to)
{
	__u32 a = class ? lanes->a[class - 1] : c->secrets[0], b = class ? lanes->b[class - 1] : c->secrets[1];
	__u32 m = c->secrets[2], n = c->secrets[3];

#pragma unroll
	for (int i = from; i < to; i++) {
		a = (a ^ w->key[i]) * m;
		a ^= a >> 15;
		b = weft_rotl((b + w->key[i]) * n, 13);
	}
	lanes->a[class] = a;
	lanes->b[class] = b;
}

/* Fills in the lanes up to `class`: the words beyond it are hashed only when a larger class is looked for. */
static __always_inline void weft_hash(const struct weft_walk *w, const struct weft_control *c, struct weft_lanes *lanes,
				      __u32 class)
{
	if (lanes->done <= WEFT_CLASS_L2) {
		weft_hash_words(w, c, lanes, WEFT_CLASS_PORT, 0, 1);
		weft_hash_words(w, c, lanes, WEFT_CLASS_L2, 1, 6);
		lanes->done = WEFT_CLASS_L2 + 1;
	}
	if (class > WEFT_CLASS_L2 && lanes->done <= WEFT_CLASS_FULL) {
		weft_hash_words(w, c, lanes, WEFT_CLASS_L3_DST, 6, 10);
		weft_hash_words(w, c, lanes, WEFT_CLASS_L3_PAIR, 10, 14);
		weft_hash_words(w, c, lanes, WEFT_CLASS_PROTO, 14, 15);
		weft_hash_words(w, c, lanes, WEFT_CLASS_FULL, 15, 16);
		lanes->done = WEFT_CLASS_FULL + 1;
	}
}

/* Whether the slot's key is the frame's key in the words of `class`. */
static __always_inline int weft_is_same(const __u32 *slot, const __u32 *key, __u32 class)
{
	const __u64 *s = (const void *)slot, *k = (const void *)key;

	if (slot[0] != (key[0] | class << WEFT_W0_CLASS_SHIFT))
		return 0;
	if (class == WEFT_CLASS_PORT)
		return 1;
	if ((slot[1] ^ key[1]) | (s[1] ^ k[1]) | (s[2] ^ k[2]))
		return 0;
	if (class == WEFT_CLASS_L2)
		return 1;
	if ((s[3] ^ k[3]) | (s[4] ^ k[4]))
		return 0;
	if (class == WEFT_CLASS_L3_DST)
		return 1;
	if ((s[5] ^ k[5]) | (s[6] ^ k[6]))
		return 0;
	if (class == WEFT_CLASS_L3_PAIR)
		return 1;
	if (slot[14] != key[14])
		return 0;
	return class == WEFT_CLASS_PROTO || slot[15] == key[15];
}

/* Takes the action of a slot whose tag matched into w->action. Returns 1 when it is the flow, and whole. */
__noinline int weft_take(struct weft_walk *w, __u32 index, __u32 way, __u32 class)
{
	if (!w)
		return 0;
	struct weft_bucket *bucket = bpf_map_lookup_elem(&buckets, &index);
	if (!bucket || way >= WEFT_BUCKET_WAYS)
		return 0;
	struct weft_slot *slot = &bucket->slots[way];
	__u32 generation = WEFT_LOAD(bucket->generations[way]);
	weft_barrier();
	if (!weft_is_same(slot->key, w->key, class))
		return 0;
	if (generation == 0 || (generation & 1)) {
		w->is_retry = 1;
		return 0;
	}
	__u64 *to = (void *)w->action;
	const __u64 *from = (const void *)slot->action;
#pragma unroll
	for (int i = 0; i < WEFT_ACTION_WORDS / 2; i++)
		to[i] = from[i];
	weft_barrier();
	if (WEFT_LOAD(bucket->generations[way]) != generation) {
		w->is_retry = 1;
		return 0;
	}
	w->bucket = index;
	w->way = way;
	return 1;
}

/* Counts one packet of `bytes` for the flow that was taken. */
static __always_inline void weft_count(const struct weft_walk *w, struct weft_bucket *bucket, __u32 way, __u32 bytes)
{
	__u32 index = w->bucket, now = weft_now_ms();
	struct weft_counters *count = bpf_map_lookup_elem(&counters, &index);

	way &= WEFT_BUCKET_WAYS - 1;
	if (WEFT_LOAD(bucket->used[way]) != now)
		bucket->used[way] = now;
	if (!count)
		return;
	__sync_fetch_and_add(&count->packets[way], 1);
	__sync_fetch_and_add(&count->bytes[way], bytes);
}

/* Looks through one bucket. Returns 1 when the action was taken. */
static __always_inline int weft_search(struct weft_walk *w, __u32 index, __u32 tag, __u32 class, __u32 bytes)
{
	struct weft_bucket *bucket = bpf_map_lookup_elem(&buckets, &index);

	if (!bucket)
		return 0;
#pragma unroll
	for (__u32 way = 0; way < WEFT_BUCKET_WAYS; way++) {
		if (bucket->tags[way] != tag)
			continue;
		if (weft_take(w, index, way, class)) {
			weft_count(w, bucket, way, bytes);
			return 1;
		}
	}
	return 0;
}

/* Whether one of the nibbles of `order` is `nibble`, which is not 0. */
static __always_inline int weft_has_nibble(__u32 order, __u32 nibble)
{
	__u32 x = order ^ nibble * 0x11111111;

	return ((x - 0x11111111) & ~x & 0x88888888) != 0;
}

/*
 * Finds the flow of the parsed frame: 1 and its action in w->action, counted; else 0. Sets w->shard. The class in which the vport's
 * last frame was found is looked through first: what the filters of a port read is much the same for all its frames, and two buckets
 * that do not have the flow are two lines of memory that nobody else wants. Whatever the order, a frame has one flow: the walk that
 * made it reads the same fields of the same frame.
 */
__noinline int weft_lookup(struct weft_walk *w, __u32 bytes)
{
	__u32 zero = 0;
	struct weft_control *c = bpf_map_lookup_elem(&control, &zero);
	struct weft_lanes lanes = {};

	if (!w || !c)
		return 0;
	__u32 shard = weft_shard(w, c->secrets[0]) & (WEFT_SHARD_COUNT - 1);
	__u32 order = c->order[shard], size = c->buckets;

	w->shard = shard;
	if (order == 0)
		order = 0x123456;
	if (order == WEFT_ORDER_NONE)
		return 0;
	__u32 vport = w->vport, hint = 0;
	struct weft_vport *port = bpf_map_lookup_elem(&vports, &vport);

	if (port)
		hint = WEFT_LOAD(port->hint) & 7;
	if (hint && weft_has_nibble(order, hint))
		order = order << 4 | hint;
	else
		hint = 0;
	for (int i = 0; i <= WEFT_CLASS_COUNT; i++) {
		__u32 class = (order & 15) - 1;

		if (class >= WEFT_CLASS_COUNT)
			break;
		order >>= 4;
		if (i > 0 && class + 1 == hint)
			continue;
		weft_hash(w, c, &lanes, class);
		/* A mask right before the access: 6.1 forgets what it knew of a value that was spilled meanwhile. */
		__u32 at = class;
		weft_opaque(at);
		at &= 7;
		__u32 h1 = weft_fmix(lanes.a[at] ^ (class * 0x9e3779b1)), h2 = weft_fmix(lanes.a[at] + lanes.b[at]);
		__u32 tag = h1 ^ weft_rotl(h2, 16), base = shard * size;
		if (tag == 0)
			tag = 1;
		if (weft_search(w, base + (__u32)(((__u64)h1 * size) >> 32), tag, class, bytes) ||
		    weft_search(w, base + (__u32)(((__u64)h2 * size) >> 32), tag, class, bytes)) {
			if (port && class + 1 != hint)
				port->hint = class + 1;
			return 1;
		}
	}
	return 0;
}

#endif
