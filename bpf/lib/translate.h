/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_TRANSLATE_H
#define VD_LIB_TRANSLATE_H

#include "dependency.h"
#include "mangle.h"
#include "nat.h"
#include "next_hop.h"

/*
 * How the inner end of a connection is seen outside. The binding stands in the connection, which is known by its inner tuple, both
 * ways; packet->way says what this packet's route (out) or its virtual IP (in) asks for.
 */

/* Whether this host may make translations that another one could make as well. */
static __always_inline bool vd_translate_may(void)
{
	__u32 zero = 0;
	__u64 *deadline = bpf_map_lookup_elem(&vd_deadline, &zero);

	return deadline && (*deadline == ~0ULL || bpf_ktime_get_ns() < *deadline);
}

static __always_inline const struct vd_tuple *vd_translate_tuple(const struct vd_packet *packet)
{
	return packet->is_icmp_error ? &packet->embedded : &packet->tuple;
}

/* ---- what stands behind a virtual IP ---- */

struct vd_forward_walk {
	struct vd_forward_key *key;
	__u32 left; /* lengths to go */
	__u16 port;
	__u16 to_port; /* the answer, host order */
	__u32 id;      /* 0: none */
	struct vd_forward_value value;
};

static long vd_forward_step(__u32 index, void *context)
{
	struct vd_forward_walk *walk = context;
	struct vd_forward_value *forward;

	if (index > 16)
		return 1;
	if (!(walk->left & (0x10000U >> index)))
		return 0;
	walk->key->length = 16 - index;
	walk->key->port = walk->port & (__u16)(0xffff0000U >> (16 - index));
	forward = bpf_map_lookup_elem(&vd_forward, walk->key);
	if (!forward)
		return 0;
	walk->id = forward->id;
	walk->to_port = forward->to_port + (walk->port - walk->key->port);
	walk->value = *forward;
	return 1;
}

static __always_inline bool vd_forward_allows(const struct vd_forward_value *forward, const union vd_addr *remote)
{
	__u32 length = forward->allowed_length, i;

#pragma unroll
	for (i = 0; i < 4; i++) {
		__u32 bits = length < 32 ? length : 32;

		if ((remote->word[i] ^ forward->allowed.word[i]) & bpf_htonl((__u32)(0xffffffff00000000ULL >> bits)))
			return false;
		length -= bits;
	}
	return true;
}

static __always_inline int vd_forward_find_packet(struct vd_packet *packet, __u32 lengths, __u32 domain, __u8 protocol)
{
	struct vd_forward_key *key = &packet->forward_key;
	struct vd_forward_walk walk = {.key = key, .left = lengths, .port = bpf_ntohs(packet->way.vip_port)};
	const struct vd_tuple *tuple = vd_translate_tuple(packet);
	/* A reply is asked about too, and goes to whom the forward has to allow; errors speak of packets that went the other way. */
	bool is_inner_source = packet->is_icmp_error ? packet->way.is_in : packet->way.is_out;

	__builtin_memset(key, 0, sizeof(*key));
	key->network = packet->way.segment;
	key->vip = packet->way.vip;
	key->protocol = protocol;
	bpf_loop(17, vd_forward_step, &walk, 0);
	if (!walk.id)
		return VD_DROP_REASON_VIP_UNSERVED;
	packet->claim.value.inner = walk.value.inner;
	packet->claim.value.inner_port = bpf_htons(walk.to_port);
	packet->claim.value.domain = domain;
	packet->route_id = walk.id;
	if (!vd_forward_allows(&walk.value, is_inner_source ? &tuple->destination : &tuple->source))
		return VD_DROP_REASON_FORWARD_SOURCE;
	return 0;
}

VD_STAGE int vd_forward_find_stage(__u32 lengths, __u32 domain, __u8 protocol)
{
	struct vd_packet *packet = vd_packet_here();

	return packet ? vd_forward_find_packet(packet, lengths, domain, protocol) : VD_DROP_REASON_INTERNAL;
}

/* The forward of a port of vip, which is packet->way.vip: its inner end in packet->claim.value. 0, or the reason. */
static __always_inline int vd_forward_find(const struct vd_vip_value *vip, __u8 protocol)
{
	__u32 lengths = protocol == IPPROTO_TCP ? vip->forward_lengths_tcp : protocol == IPPROTO_UDP ? vip->forward_lengths_udp : 0;

	return lengths ? vd_forward_find_stage(lengths, vip->domain, protocol) : VD_DROP_REASON_VIP_UNSERVED;
}

/* ---- bindings ---- */

/* The claim of a connection's binding, at hand in packet->claim. */
static __always_inline void vd_binding_claim(struct vd_packet *packet, const struct vd_connection *connection)
{
	const struct vd_tuple *tuple = vd_translate_tuple(packet);
	/* Errors speak of packets that went the other way. */
	bool is_inner_source = packet->is_icmp_error ? packet->way.is_in : packet->way.is_out;

	vd_nat_connection_set(&packet->claim, packet->family, packet->domain, connection, tuple, is_inner_source);
}

/* Whether what a connection is bound to still leads to its inner end. */
static __noinline int vd_binding_holds(struct vd_packet *packet, const struct vd_connection *connection)
{
	struct vd_vip_key key = {.network = packet->way.segment, .address = connection->vip};
	const struct vd_tuple *tuple = vd_translate_tuple(packet);
	bool is_inner_source = packet->is_icmp_error ? packet->way.is_in : packet->way.is_out;
	const union vd_addr *inner = is_inner_source ? &tuple->source : &tuple->destination;
	__be16 inner_port = is_inner_source ? tuple->source_port : tuple->destination_port;
	struct vd_vip_value *vip;
	int reason;

	if (connection->translation == VD_TRANSLATION_NONE)
		return 1;
	vip = bpf_map_lookup_elem(&vd_vip, &key);
	if (!vip || !(vip->flags & VD_VIP_FLAG_HERE) || vip->domain != packet->domain)
		return 0;
	if (connection->translation == VD_TRANSLATION_ELASTIC)
		return vip->type == VD_VIP_TYPE_ELASTIC && vd_addr_equal(&vip->inner, inner);
	if (vip->type != VD_VIP_TYPE_ROUTER)
		return 0;
	if (connection->translation != VD_TRANSLATION_FORWARD)
		return 1;
	reason = vd_forward_find(vip, tuple->protocol);
	return !reason && packet->claim.value.inner_port == inner_port && vd_addr_equal(&packet->claim.value.inner, inner);
}

/* The connection's new binding, also over one that is not true any more. */
static __always_inline void vd_binding_write(struct vd_packet *packet, struct vd_connection *connection, bool inner_is_high)
{
	const struct vd_way *way = &packet->way;

	if (vd_tracing)
		return;
	connection->network = way->segment;
	connection->vip = way->vip;
	connection->vip_port = way->vip_port;
	connection->translation = way->translation;
	connection->inner_is_high = inner_is_high;
}

/* Lets go of a binding; what the cache knows of its way back must not outlive it. */
static __noinline int vd_binding_drop(struct vd_packet *packet, const struct vd_connection *connection)
{
	struct vd_generations *generations = vd_generations_here();
	__u32 slot = vd_slot_vip(connection->network, &connection->vip);

	if (vd_tracing || !vd_nat_claims(connection->translation))
		return 0;
	vd_binding_claim(packet, connection);
	vd_nat_drop(&packet->claim);
	if (generations)
		__sync_fetch_and_add(&generations->value[slot & (VD_GENERATION_SLOTS - 1)], 1);
	return 0;
}

/* ---- the stage ---- */

static __always_inline int vd_translate_new_out(struct vd_packet *packet)
{
	struct vd_way *way = &packet->way;
	struct vd_claim *claim = &packet->claim;
	bool is_shared = way->translation != VD_TRANSLATION_ELASTIC || packet->ingress_type == VD_INGRESS_TUNNEL;
	int reason;

	if (way->translation == VD_TRANSLATION_NONE)
		return 0;
	if (is_shared && !vd_translate_may())
		return VD_DROP_REASON_GATEWAY_DEADLINE;
	way->vip_port = packet->tuple.source_port;
	if (!vd_nat_claims(way->translation))
		return 0;
	vd_nat_key_set(claim, packet->family, way->segment, &way->vip, &packet->tuple.destination, packet->tuple.destination_port,
		       packet->tuple.protocol);
	claim->value.domain = packet->domain;
	claim->value.inner = packet->tuple.source;
	claim->value.inner_port = packet->tuple.source_port;
	reason = vd_nat_claim(claim, way->translation == VD_TRANSLATION_ROUTER);
	way->vip_port = claim->key6.vip_port;
	return reason;
}

static __always_inline int vd_translate_out(struct vd_packet *packet, struct vd_connection *connection, bool is_high)
{
	struct vd_way *way = &packet->way;
	int reason;

	if (connection && way->by_connection)
		return vd_binding_holds(packet, connection) ? 0 : VD_DROP_REASON_VIP_MOVED;
	if (connection && connection->network == way->segment && connection->translation == way->translation &&
	    vd_addr_equal(&connection->vip, &way->vip)) {
		way->vip_port = connection->vip_port;
		return 0;
	}
	if (packet->is_icmp_error)
		return way->translation == VD_TRANSLATION_NONE ? 0 : VD_DROP_REASON_UNTRANSLATABLE;
	if (connection && connection->network)
		vd_binding_drop(packet, connection);
	reason = vd_translate_new_out(packet);
	if (!reason && connection)
		vd_binding_write(packet, connection, is_high);
	return reason;
}

static __always_inline int vd_translate_in_connection(struct vd_packet *packet, struct vd_connection *connection, bool is_high,
						      bool restarts)
{
	struct vd_way *way = &packet->way;
	bool is_same;

	if (!connection) {
		if (way->is_known)
			return VD_DROP_REASON_VIP_UNSERVED;
		if (way->translation == VD_TRANSLATION_ELASTIC && packet->flow.output != VD_OUTPUT_TUNNEL)
			return 0;
		return way->translation == VD_TRANSLATION_NONE || vd_translate_may() ? 0 : VD_DROP_REASON_GATEWAY_DEADLINE;
	}
	is_same = connection->network == way->segment && connection->translation == way->translation &&
		  connection->vip_port == way->vip_port && vd_addr_equal(&connection->vip, &way->vip);
	if (is_same)
		return 0;
	if (way->is_known || packet->is_icmp_error)
		return VD_DROP_REASON_VIP_UNSERVED;
	if (connection->network && !restarts && vd_binding_holds(packet, connection))
		return VD_DROP_REASON_NAT_CONFLICT;
	if (connection->network)
		vd_binding_drop(packet, connection);
	vd_binding_write(packet, connection, !is_high);
	return 0;
}

/* Tells the flow what to write. */
static __always_inline void vd_translate_flow(struct vd_packet *packet)
{
	const struct vd_way *way = &packet->way;
	struct vd_flow *flow = &packet->flow;
	const union vd_addr *from = way->is_out ? &packet->tuple.source : &packet->wire.destination;
	const union vd_addr *to = way->is_out ? &way->vip : &packet->tuple.destination;

	if (way->translation == VD_TRANSLATION_NONE || (way->translation == VD_TRANSLATION_ROUTER && vd_addr_equal(from, to)))
		return;
	flow->flags |= way->is_out ? VD_FLOW_FLAG_TRANSLATE_SOURCE : VD_FLOW_FLAG_TRANSLATE_DESTINATION;
	flow->translated_address = *to;
	flow->translated_port = way->is_out ? way->vip_port : packet->tuple.destination_port;
	flow->translated_difference = vd_sum_difference(from, to);
}

/*
 * The stage, part of the connection's: connection is the packet's or NULL, is_high says which end of it sends the packet (or what
 * the error speaks of). 0, or the reason.
 */
static __noinline int vd_translate_stage(struct vd_packet *packet, struct vd_connection *connection, bool is_high, bool restarts)
{
	struct vd_way *way = &packet->way;
	int reason;

	if (way->translation != VD_TRANSLATION_NONE && !vd_mangle_can(packet->family, packet->tuple.protocol))
		reason = VD_DROP_REASON_UNTRANSLATABLE;
	else if (way->is_out)
		reason = vd_translate_out(packet, connection, is_high);
	else
		reason = vd_translate_in_connection(packet, connection, is_high, restarts);
	if (!reason)
		vd_translate_flow(packet);
	vd_trace_step(VD_STAGE_TRANSLATION, reason, way->translation, way->vip.word[0], bpf_ntohs(way->vip_port), way->network);
	return reason;
}

/* The connection was not made after all. */
static __always_inline void vd_translate_undo(struct vd_packet *packet)
{
	if (packet->way.is_out && packet->claim.is_new)
		vd_nat_drop(&packet->claim);
}

#endif
