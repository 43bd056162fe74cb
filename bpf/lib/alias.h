/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_ALIAS_H
#define VD_LIB_ALIAS_H

#include "packet.h"

/* Addresses of a VPC as a peer of it sees them: the bits behind a prefix stay. */

struct vd_alias_query {
	__u32 domain; /* whose the address is */
	__u32 peer;
	__u32 type; /* enum vd_alias_type */
	__u8 family;
};

static __always_inline struct vd_alias_value *vd_alias_find(const struct vd_alias_query *query, __u32 type,
							    const union vd_addr *address)
{
	if (query->family == 4) {
		struct vd_alias4_key key = {.prefix_length = 128,
					    .domain = query->domain,
					    .peer = query->peer,
					    .type = type,
					    .address = address->word[0]};

		return bpf_map_lookup_elem(&vd_alias4, &key);
	} else {
		struct vd_alias6_key key = {
			.prefix_length = 224, .domain = query->domain, .peer = query->peer, .type = type, .address = *address};

		return bpf_map_lookup_elem(&vd_alias6, &key);
	}
}

/*
 * The address on the other side, over what stands in ret. What no alias speaks of is the same on both, unless it is the alias of
 * another: on the one side nobody has that, and on the other it would be taken for him. 0, or the reason.
 */
static __noinline int vd_alias_cross(const struct vd_alias_query *query, const union vd_addr *address, union vd_addr *ret)
{
	struct vd_alias_value *alias = vd_alias_find(query, query->type, address);
	__u32 length, i;

	if (!alias)
		return vd_alias_find(query, query->type == VD_ALIAS_SEEN ? VD_ALIAS_OWN : VD_ALIAS_SEEN, address)
			       ? VD_DROP_REASON_FOREIGN_ALIAS
			       : 0;
	length = alias->length;
#pragma unroll
	for (i = 0; i < 4; i++) {
		__u32 bits = length < 32 ? length : 32;
		__be32 mask = bpf_htonl((__u32)(0xffffffff00000000ULL >> bits));

		ret->word[i] = alias->prefix.word[i] | (address->word[i] & ~mask);
		length -= bits;
	}
	return 0;
}

/*
 * A packet's, or an embedded packet's, addresses as the peer sees them, in seen. is_ours: it goes from the packet's VPC to the peer;
 * otherwise the other way. 0, or the reason.
 */
static __noinline int vd_alias_see(const struct vd_packet *packet, __u32 peer, const struct vd_tuple *tuple, struct vd_tuple *seen,
				   bool is_ours)
{
	struct vd_alias_query source = {.type = VD_ALIAS_SEEN, .family = packet->family}, destination = source;
	int reason;

	if (!is_ours)
		source.type = VD_ALIAS_OWN;
	else
		destination.type = VD_ALIAS_OWN;
	source.domain = destination.peer = is_ours ? packet->domain : peer;
	source.peer = destination.domain = is_ours ? peer : packet->domain;
	*seen = *tuple;
	reason = vd_alias_cross(&source, &tuple->source, &seen->source);
	return reason ? reason : vd_alias_cross(&destination, &tuple->destination, &seen->destination);
}

#endif
