/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_CACHE_H
#define VD_LIB_CACHE_H

#include "packet.h"

/*
 * The flow cache: flows in slots, in the order in which they came, and an index of buckets that says for a key's hash which slots to look
 * at. Both of whole cache lines. A hit reads one line of the index, which is small (6 bytes a flow; 16 to 32 in the kernel's hash maps,
 * whose buckets of a million flows no CPU's cache holds), and the flow; what came together is mostly used together, and stands together.
 *
 * A new flow takes the next slot that nobody used for VD_FLOW_IDLE, or of VD_FLOW_CHOICES the one that was used least recently: who stood
 * there is decided once more if he comes again.
 *
 * Any CPU reads and any CPU writes. A slot has a sequence as in the kernel's seqcount: odd while somebody writes, another one
 * afterwards. Who found a flow asks once more, when everything is read and before the packet leaves, whether it still stands. An entry of
 * the index is no more than a hint, for the key stands in the slot; it comes and goes while its slot is being written.
 */

#define VD_CACHE_WORDS(family) ((family == 4 ? sizeof(struct vd_flow4_key) : sizeof(struct vd_flow6_key)) / sizeof(__u32))

#define VD_FLOW_IDLE (60 * VD_SECOND)
#define VD_FLOW_CHOICES 8

/* Where the index speaks of a key: in which bucket, and the bits of its hash that stand in an entry beside the slot's number. */
struct vd_cache_place {
	__u32 bucket, tag;
};

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

static __always_inline const volatile struct vd_flow_size *vd_cache_size(__u8 family)
{
	return family == 4 ? &vd_flow4_size : &vd_flow6_size;
}

static __always_inline struct vd_flow_slot *vd_cache_slot(__u8 family, __u32 number)
{
	return family == 4 ? bpf_map_lookup_elem(&vd_flow4, &number) : bpf_map_lookup_elem(&vd_flow6, &number);
}

static __always_inline struct vd_flow_bucket *vd_cache_bucket(__u8 family, __u32 number)
{
	return family == 4 ? bpf_map_lookup_elem(&vd_flow4_index, &number) : bpf_map_lookup_elem(&vd_flow6_index, &number);
}

static __always_inline struct vd_flow_head *vd_cache_head(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&vd_flow_head, &zero);
}

/*
 * Multilinear hashing, strongly universal in its upper half for secret seeds (Lemire and Kaser, "Strongly universal string hashing is
 * fast", 2014): nobody can choose flows that displace somebody else's.
 */
static __always_inline struct vd_cache_place vd_cache_place(__u8 family, const __u32 *key)
{
	const volatile struct vd_flow_size *size = vd_cache_size(family);
	const struct vd_flow_head *head = vd_cache_head();
	__u64 hash = 0;
	__u32 i;

	if (head) {
		hash = head->seed[VD_FLOW_KEY_WORDS];
#pragma unroll
		for (i = 0; i < VD_CACHE_WORDS(family); i++)
			hash += head->seed[i] * key[i];
		hash >>= 32;
	}
	/* The bucket is of the hash's upper bits, the tag of its lower ones. */
	return (struct vd_cache_place){.bucket = hash * size->buckets >> 32, .tag = (__u32)(hash << 16) & ~size->mask};
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

static __always_inline struct vd_flow_slot *vd_cache_find_at(__u8 family, const void *key, struct vd_cache_place place,
							     __u32 *ret_sequence)
{
	const struct vd_flow_bucket *bucket = vd_cache_bucket(family, place.bucket);
	__u32 mask = vd_cache_size(family)->mask, i;

	if (!bucket)
		return NULL;
#pragma clang loop unroll(disable)
	for (i = 0; i < VD_FLOW_BUCKET_ENTRIES; i++) {
		__u32 entry = *(const volatile __u32 *)&bucket->entry[i];
		struct vd_flow_slot *slot;

		if (!entry || (entry & ~mask) != place.tag)
			continue;
		slot = vd_cache_slot(family, (entry & mask) - 1);
		if (!slot)
			continue;
		*ret_sequence = vd_cache_sequence(slot);
		asm volatile("" : "+r"(key)); /* else all of it is read before the loop, and there are no registers for it */
		if (vd_cache_key_equal(family, slot->key, key) && !(*ret_sequence & 1))
			return slot;
	}
	return NULL;
}

/* The slot of the key, a struct vd_flow4_key or vd_flow6_key, and its sequence. NULL: none. */
static __always_inline struct vd_flow_slot *vd_cache_find(__u8 family, const void *key, __u32 *ret_sequence)
{
	return vd_cache_find_at(family, key, vd_cache_place(family, key), ret_sequence);
}

/* A slot for a new flow, its number and its sequence. */
static __always_inline struct vd_flow_slot *vd_cache_choose(__u8 family, __u64 now, __u32 *ret_number, __u32 *ret_sequence)
{
	struct vd_flow_head *head = vd_cache_head();
	struct vd_flow_slot *chosen = NULL;
	__u64 oldest = ~0ULL;
	__u32 i;

	if (!head)
		return NULL;
#pragma clang loop unroll(disable)
	for (i = 0; i < VD_FLOW_CHOICES; i++) {
		__u32 number = __sync_fetch_and_add(family == 4 ? &head->next4 : &head->next6, 1) % vd_cache_size(family)->slots;
		struct vd_flow_slot *slot = vd_cache_slot(family, number);
		__u32 sequence;

		if (!slot)
			return NULL;
		sequence = vd_cache_sequence(slot);
		if ((sequence & 1) || (sequence && slot->flow.last_seen >= oldest))
			continue;
		chosen = slot;
		*ret_number = number;
		*ret_sequence = sequence;
		oldest = slot->flow.last_seen;
		if (!sequence || now - oldest > VD_FLOW_IDLE)
			break;
	}
	return chosen;
}

static __always_inline void vd_cache_index_remove(__u8 family, __u32 number, __u32 slot_number)
{
	struct vd_flow_bucket *bucket = vd_cache_bucket(family, number);
	__u32 mask = vd_cache_size(family)->mask, i;

	if (!bucket)
		return;
#pragma clang loop unroll(disable)
	for (i = 0; i < VD_FLOW_BUCKET_ENTRIES; i++) {
		__u32 entry = *(volatile __u32 *)&bucket->entry[i];

		if ((entry & mask) == slot_number + 1) {
			__sync_val_compare_and_swap(&bucket->entry[i], entry, 0);
			return;
		}
	}
}

/* In the first place that is free; in a full bucket over somebody, whose slot nobody finds any more. */
static __always_inline void vd_cache_index_add(__u8 family, struct vd_cache_place place, __u32 slot_number)
{
	struct vd_flow_bucket *bucket = vd_cache_bucket(family, place.bucket);
	__u32 entry = place.tag | (slot_number + 1), i;

	if (!bucket)
		return;
#pragma clang loop unroll(disable)
	for (i = 0; i < VD_FLOW_BUCKET_ENTRIES; i++)
		if (!*(volatile __u32 *)&bucket->entry[i] && !__sync_val_compare_and_swap(&bucket->entry[i], 0, entry))
			return;
	bucket->entry[slot_number % VD_FLOW_BUCKET_ENTRIES] = entry;
}

/*
 * Has the flow, seen just now, stand there for the key. Does without where another CPU writes to the same slot, or to one that looks like
 * the key's. Two CPUs that search at the same time may both write a flow of the same key: the second is not found while the first stands,
 * and afterwards is what any flow is, valid as its generations say.
 */
static __always_inline void vd_cache_put(__u8 family, const void *key, const struct vd_flow *flow)
{
	struct vd_cache_place place = vd_cache_place(family, key);
	__u32 sequence = 0, number = 0;
	struct vd_flow_slot *slot = vd_cache_find_at(family, key, place, &sequence);
	bool is_new = !slot;

	if (is_new && (sequence & 1))
		return;
	if (is_new)
		slot = vd_cache_choose(family, flow->last_seen, &number, &sequence);
	if (!slot || __sync_val_compare_and_swap(&slot->sequence, sequence, sequence + 1) != sequence)
		return;
	if (is_new) {
		if (sequence)
			vd_cache_index_remove(family, slot->bucket, number);
		__builtin_memcpy(slot->key, key, VD_CACHE_WORDS(family) * sizeof(__u32));
		slot->bucket = place.bucket;
		vd_cache_index_add(family, place, number);
	}
	slot->flow = *flow;
	/* Not 0 ever again: that says that nothing was here. */
	__sync_lock_test_and_set(&slot->sequence, sequence + 2 ? sequence + 2 : 2);
}

#endif
