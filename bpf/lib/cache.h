/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_CACHE_H
#define VD_LIB_CACHE_H

#include "maps.h"

/*
 * The flow cache: slots of whole cache lines in an array, a flow in one of the VD_FLOW_WINDOW from its home on. The kernel's hash maps
 * find an element by two reads that wait for each other, the bucket's and the element's, and with a million flows neither is in a CPU's
 * cache; here the key alone says where to look. What is lost on the way is decided once more.
 *
 * Any CPU reads and any CPU writes, with a sequence for each slot as in the kernel's seqcount: odd while somebody writes, another one
 * afterwards. Who found a flow asks once more, when everything is read and before the packet leaves, whether it still stands.
 */

#define VD_CACHE_WORDS(family) ((family == 4 ? sizeof(struct vd_flow4_key) : sizeof(struct vd_flow6_key)) / sizeof(__u32))

/* How long nobody asked for a flow before its slot is as good as free, ns. */
#define VD_FLOW_IDLE (60 * 1000000000ULL)

/* Loads stand in the order of the program on x86; elsewhere an atomic operation is the barrier that BPF has. */
static __always_inline void vd_read_barrier(void)
{
#ifdef VD_LOADS_IN_ORDER
	asm volatile("" ::: "memory");
#else
	__u64 word = 0;

	__sync_fetch_and_add(&word, 1);
	asm volatile("" : : "r"(&word) : "memory");
#endif
}

/*
 * The first slot that a key may stand in. Multilinear hashing, strongly universal for secret seeds (Lemire and Kaser, "Strongly universal
 * string hashing is fast", 2014): nobody can choose flows that displace somebody else's.
 */
static __always_inline __u32 vd_cache_home(__u8 family, const __u32 *key)
{
	__u32 zero = 0, i, entries = family == 4 ? vd_flow4_entries : vd_flow6_entries;
	const struct vd_flow_seed *seed = bpf_map_lookup_elem(&vd_flow_seed, &zero);
	__u64 hash;

	if (!seed)
		return 0;
	hash = seed->value[VD_FLOW_KEY_WORDS];
#pragma unroll
	for (i = 0; i < VD_CACHE_WORDS(family); i++)
		hash += seed->value[i] * key[i];
	return (hash >> 32) * (entries - VD_FLOW_WINDOW + 1) >> 32;
}

static __always_inline struct vd_flow_slot *vd_cache_slot(__u8 family, __u32 index)
{
	return family == 4 ? bpf_map_lookup_elem(&vd_flow4, &index) : bpf_map_lookup_elem(&vd_flow6, &index);
}

static __always_inline bool vd_cache_key_equal(__u8 family, const __u32 *a, const __u32 *b)
{
	__u32 difference = 0, i;

#pragma unroll
	for (i = 0; i < VD_CACHE_WORDS(family); i++)
		difference |= a[i] ^ b[i];
	return !difference;
}

static __always_inline __u32 vd_cache_sequence(const struct vd_flow_slot *slot)
{
	__u32 sequence = *(const volatile __u32 *)&slot->sequence;

	vd_read_barrier();
	return sequence;
}

/* Whether all that was read of a slot since its sequence was is of one flow. */
static __always_inline bool vd_cache_stands(const struct vd_flow_slot *slot, __u32 sequence)
{
	vd_read_barrier();
	return *(const volatile __u32 *)&slot->sequence == sequence;
}

/* The slot of the key, a struct vd_flow4_key or vd_flow6_key, and its sequence. NULL: none. */
static __always_inline struct vd_flow_slot *vd_cache_find(__u8 family, const void *key, __u32 *ret_sequence)
{
	__u32 home = vd_cache_home(family, key), i;

#pragma unroll
	for (i = 0; i < VD_FLOW_WINDOW; i++) {
		struct vd_flow_slot *slot = vd_cache_slot(family, home + i);
		__u32 sequence;

		if (!slot)
			return NULL;
		sequence = vd_cache_sequence(slot);
		if (vd_cache_key_equal(family, slot->key, key) && !(sequence & 1)) {
			*ret_sequence = sequence;
			return slot;
		}
		if (!sequence) /* nor does anything stand behind it: a slot that was used stays so */
			return NULL;
	}
	return NULL;
}

/*
 * Where a flow of that key is to stand: its own slot, or one that never was used, or the first that is idle, or the one that was used
 * least recently. NULL: another CPU writes here, maybe that flow.
 */
static __always_inline struct vd_flow_slot *vd_cache_choose(__u8 family, const void *key, __u64 now, __u32 *ret_sequence)
{
	__u32 home = vd_cache_home(family, key), i;
	struct vd_flow_slot *chosen = NULL;
	__u64 oldest = ~0ULL;

#pragma unroll
	for (i = 0; i < VD_FLOW_WINDOW; i++) {
		struct vd_flow_slot *slot = vd_cache_slot(family, home + i);
		__u64 last_seen;
		__u32 sequence;

		if (!slot)
			return NULL;
		sequence = vd_cache_sequence(slot);
		if (sequence & 1)
			return NULL;
		last_seen = sequence ? slot->flow.last_seen : 0;
		if (sequence && vd_cache_key_equal(family, slot->key, key)) {
			*ret_sequence = sequence;
			return slot;
		}
		if (last_seen < oldest) {
			chosen = slot;
			*ret_sequence = sequence;
			oldest = now - last_seen > VD_FLOW_IDLE ? 0 : last_seen;
		}
		if (!sequence)
			break;
	}
	return chosen;
}

/*
 * Has the flow, seen just now, stand there for the key, or does without. Two CPUs that search at the same time may both write one of the
 * same key: the second is not found while the first stands, and afterwards is what any flow is, valid as its generations say.
 */
static __always_inline void vd_cache_put(__u8 family, const void *key, const struct vd_flow *flow)
{
	__u32 sequence = 0;
	struct vd_flow_slot *slot = vd_cache_choose(family, key, flow->last_seen, &sequence);

	if (!slot || __sync_val_compare_and_swap(&slot->sequence, sequence, sequence + 1) != sequence)
		return;
	__builtin_memcpy(slot->key, key, VD_CACHE_WORDS(family) * sizeof(__u32));
	slot->flow = *flow;
	/* Not 0 ever again: that says that nothing was here. */
	__sync_lock_test_and_set(&slot->sequence, sequence + 2 ? sequence + 2 : 2);
}

#endif
