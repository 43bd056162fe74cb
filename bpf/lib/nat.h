/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_NAT_H
#define VD_LIB_NAT_H

#include "endpoint.h"
#include "trace.h"

/*
 * SNAT's claims: who stands behind a port of a virtual IP towards one remote end. Inserted only if absent, so that a claim has one
 * owner whatever other CPUs do; deleted with the connection that they belong to. packet->claim holds the key and value at hand.
 */

#define VD_NAT_PORTS (VD_NAT_PORT_LAST - VD_NAT_PORT_FIRST + 1)
#define VD_NAT_FULL_PAUSE (VD_SECOND / 10)

static __always_inline void vd_nat_key_set(struct vd_claim *claim, __u8 family, __u32 segment, const union vd_addr *vip,
					   const union vd_addr *remote, __be16 remote_port, __u8 protocol)
{
	__builtin_memset(&claim->key4, 0, sizeof(claim->key4));
	__builtin_memset(&claim->key6, 0, sizeof(claim->key6));
	claim->family = family;
	/* Both: the cursor's key has IPv6's form for IPv4 too. */
	claim->key6.network = segment;
	claim->key6.vip = *vip;
	claim->key6.remote = *remote;
	claim->key6.remote_port = remote_port;
	claim->key6.protocol = protocol;
	claim->key4.network = segment;
	claim->key4.vip = vip->word[0];
	claim->key4.remote = remote->word[0];
	claim->key4.remote_port = remote_port;
	claim->key4.protocol = protocol;
}

static __always_inline bool vd_nat_is_icmp(const struct vd_claim *claim)
{
	return claim->key6.protocol == (claim->family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

/* An ICMP identifier stands for both ports. */
static __always_inline void vd_nat_port_set(struct vd_claim *claim, __be16 port)
{
	claim->key4.vip_port = claim->key6.vip_port = port;
	if (vd_nat_is_icmp(claim))
		claim->key4.remote_port = claim->key6.remote_port = port;
}

/* The router's own connections claim their ports as well, so that nobody else's replies are taken for theirs. */
static __always_inline bool vd_nat_claims(__u8 translation)
{
	return translation == VD_TRANSLATION_SNAT || translation == VD_TRANSLATION_ROUTER;
}

/* The claim of a connection as it is bound. tuple: of a packet of its; is_inner_source: which way that goes. */
static __always_inline void vd_nat_connection_set(struct vd_claim *claim, __u8 family, __u32 domain,
						  const struct vd_connection *connection, const struct vd_tuple *tuple,
						  bool is_inner_source)
{
	vd_nat_key_set(claim, family, connection->network, &connection->vip, is_inner_source ? &tuple->destination : &tuple->source,
		       is_inner_source ? tuple->destination_port : tuple->source_port, tuple->protocol);
	claim->value.domain = domain;
	claim->value.inner = is_inner_source ? tuple->source : tuple->destination;
	claim->value.inner_port = is_inner_source ? tuple->source_port : tuple->destination_port;
	vd_nat_port_set(claim, connection->vip_port);
}

static __always_inline struct vd_nat_value *vd_nat_find(struct vd_claim *claim)
{
	if (claim->family == 4)
		return bpf_map_lookup_elem(&vd_nat4, &claim->key4);
	return bpf_map_lookup_elem(&vd_nat6, &claim->key6);
}

static __always_inline bool vd_nat_is_ours(const struct vd_claim *claim, const struct vd_nat_value *value)
{
	return value->domain == claim->value.domain && value->inner_port == claim->value.inner_port &&
	       vd_addr_equal(&value->inner, &claim->value.inner);
}

/* ---- the claims of the build before ours, while interfaces are swapped one by one ---- */

/* A claim with room behind it: the previous build's may be longer. */
struct vd_nat_previous {
	struct vd_nat_value value;
	__u8 room[64];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct vd_nat_previous);
	__uint(max_entries, 1);
} vd_scratch_nat SEC(".maps") __weak;

static __always_inline bool vd_nat_copy(struct vd_nat_value *to, const void *from)
{
	__u32 size = vd_previous_nat_size;

	return from && size && size <= sizeof(*to) && !bpf_probe_read_kernel(to, size, from);
}

/* Who the previous build says is behind the port, NULL: nobody. Inline: a search for a port stands seven calls deep, and eight may. */
static __always_inline struct vd_nat_value *vd_nat_recall(struct vd_claim *claim)
{
	struct vd_nat_previous *copy;
	__u32 zero = 0;
	void *previous;
	bool is_held;

	copy = bpf_map_lookup_elem(&vd_scratch_nat, &zero);
	if (!copy)
		return NULL;
	__builtin_memset(&copy->value, 0, sizeof(copy->value));
	if (claim->family == 4) {
		previous = bpf_map_lookup_elem(&vd_previous_nat4, &zero);
		is_held = previous && vd_nat_copy(&copy->value, bpf_map_lookup_elem(previous, &claim->key4));
	} else {
		previous = bpf_map_lookup_elem(&vd_previous_nat6, &zero);
		is_held = previous && vd_nat_copy(&copy->value, bpf_map_lookup_elem(previous, &claim->key6));
	}
	return is_held ? &copy->value : NULL;
}

/*
 * The previous build gives out ports as well: who wants one claims it in that table first, which both builds ask. It also lets the
 * answers in where that build still runs. False: it is somebody else's. No room there is no reason to refuse here.
 */
static __noinline bool vd_nat_take_previous(struct vd_claim *claim)
{
	struct vd_nat_previous *copy;
	struct vd_nat_value *held;
	long error = 0;
	__u32 zero = 0;
	void *previous;

	copy = bpf_map_lookup_elem(&vd_scratch_nat, &zero);
	if (!copy || !vd_previous_nat_size)
		return true;
	__builtin_memset(copy, 0, sizeof(*copy));
	copy->value = claim->value;
	if (claim->family == 4) {
		previous = bpf_map_lookup_elem(&vd_previous_nat4, &zero);
		if (previous)
			error = bpf_map_update_elem(previous, &claim->key4, copy, BPF_NOEXIST);
	} else {
		previous = bpf_map_lookup_elem(&vd_previous_nat6, &zero);
		if (previous)
			error = bpf_map_update_elem(previous, &claim->key6, copy, BPF_NOEXIST);
	}
	if (error != -EEXIST)
		return true;
	held = vd_nat_recall(claim);
	return held && vd_nat_is_ours(claim, held);
}

/* 0: it is ours now; 1: it was already; -EEXIST: it is somebody else's; another negative errno: no room. */
static __noinline int vd_nat_take(struct vd_claim *claim)
{
	struct vd_nat_value *held;
	long error = -EEXIST;

	if (vd_has_previous && !vd_tracing && !vd_nat_take_previous(claim))
		return -EEXIST;
	/* To insert is to look as well, and new flows find their port free nearly always. */
	if (!vd_tracing && claim->family == 4)
		error = bpf_map_update_elem(&vd_nat4, &claim->key4, &claim->value, BPF_NOEXIST);
	else if (!vd_tracing)
		error = bpf_map_update_elem(&vd_nat6, &claim->key6, &claim->value, BPF_NOEXIST);
	if (error != -EEXIST)
		return error;
	held = vd_nat_find(claim);
	if (!held)
		return vd_tracing ? 0 : -EEXIST;
	return vd_nat_is_ours(claim, held) ? 1 : -EEXIST;
}

/* Lets go of the claim at hand, if it is ours. */
static __noinline int vd_nat_drop(struct vd_claim *claim)
{
	struct vd_nat_value *held = vd_nat_find(claim);

	if (!held || !vd_nat_is_ours(claim, held))
		return 0;
	if (claim->family == 4)
		bpf_map_delete_elem(&vd_nat4, &claim->key4);
	else
		bpf_map_delete_elem(&vd_nat6, &claim->key6);
	return 0;
}

struct vd_nat_search {
	struct vd_claim *claim;
	__u32 start; /* from VD_NAT_PORT_FIRST */
	int result;
};

static __always_inline __be16 vd_nat_port(__u32 offset)
{
	return bpf_htons(VD_NAT_PORT_FIRST + offset % VD_NAT_PORTS);
}

static long vd_nat_search_step(__u32 index, void *context)
{
	struct vd_nat_search *search = context;

	vd_nat_port_set(search->claim, vd_nat_port(search->start + index));
	search->result = vd_nat_take(search->claim);
	if (search->result == -EEXIST)
		return 0;
	search->start = (search->start + index) % VD_NAT_PORTS;
	return 1;
}

/* Where to begin: the same inner end gets the same port towards everyone, where that is free (RFC 4787 REQ-1). */
static __always_inline __u32 vd_nat_first(const struct vd_claim *claim)
{
	__u32 hash = vd_mix(claim->value.domain, claim->key6.protocol);

	hash = vd_mix(hash, claim->value.inner.word[0]);
	hash = vd_mix(hash, claim->value.inner.word[1]);
	hash = vd_mix(hash, claim->value.inner.word[2]);
	hash = vd_mix(hash, claim->value.inner.word[3]);
	return vd_mix(hash, claim->value.inner_port) % VD_NAT_PORTS;
}

static __noinline int vd_nat_search_all(struct vd_claim *claim)
{
	struct vd_nat_search search = {.claim = claim, .result = -EEXIST};
	__u64 now = bpf_ktime_get_coarse_ns();
	struct vd_nat_cursor *cursor, fresh = {};

	vd_nat_port_set(claim, 0); /* the cursor's key */
	cursor = bpf_map_lookup_elem(&vd_nat_cursor, &claim->key6);
	if (!cursor) {
		fresh.next = bpf_get_prandom_u32() % VD_NAT_PORTS;
		bpf_map_update_elem(&vd_nat_cursor, &claim->key6, &fresh, BPF_NOEXIST);
		cursor = bpf_map_lookup_elem(&vd_nat_cursor, &claim->key6);
	}
	if (!cursor)
		return VD_DROP_REASON_NAT_TABLE_FULL;
	if (now < cursor->full_until)
		return VD_DROP_REASON_SNAT_PORTS;
	search.start = cursor->next % VD_NAT_PORTS;
	bpf_loop(VD_NAT_PORTS, vd_nat_search_step, &search, 0);
	if (search.result == -EEXIST) {
		cursor->full_until = now + VD_NAT_FULL_PAUSE;
		return VD_DROP_REASON_SNAT_PORTS;
	}
	cursor->next = search.start + 1;
	claim->is_new = !search.result;
	return search.result < 0 ? VD_DROP_REASON_NAT_TABLE_FULL : 0;
}

/*
 * Claims a port for the inner end in claim->value: any, or its own. 0, with the port in claim->key4 and key6, or the reason to drop. What has no ports
 * (ESP, GRE, an ICMP without identifier) can be claimed by one inner end a remote one.
 */
static __noinline int vd_nat_claim(struct vd_claim *claim, bool is_own)
{
	__be16 port = claim->value.inner_port;
	int result;

	vd_nat_port_set(claim, port && !is_own ? vd_nat_port(vd_nat_first(claim)) : port);
	result = vd_nat_take(claim);
	claim->is_new = !result;
	if (result >= 0)
		return 0;
	if (result != -EEXIST)
		return VD_DROP_REASON_NAT_TABLE_FULL;
	return port && !is_own ? vd_nat_search_all(claim) : VD_DROP_REASON_SNAT_PORTS;
}

#endif
