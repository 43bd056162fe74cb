/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_PEERING_H
#define VD_LIB_PEERING_H

#include "alias.h"
#include "mangle.h"
#include "route.h"

/*
 * Two VPCs that are peered. The sender's VPC routes to its peer, whose main table goes on from there: to one of its own addresses or
 * to the next hop of an explicit route, and to no third VPC. Between hosts the packet travels as the receiver's VPC's, with the
 * sender's in its source MAC. Who is allowed what is asked where each end is known, and both directions belong to one connection,
 * that of the VPC with the lower id.
 *
 * Where their addresses overlap, each sees the other's under prefixes of its own (alias.h). The sender's host writes both ends as the
 * receiver sees them; policies are asked about what their own port sees, and a connection is known by what the lower VPC sees.
 */

static __always_inline void vd_peering_begin(struct vd_packet *packet, __u32 peer)
{
	packet->peer = peer;
	if (peer < packet->domain)
		packet->flow.domain = peer;
}

static __always_inline int vd_peering_judge(const struct vd_route_value *route)
{
	switch ((enum vd_route_type)route->type) {
	case VD_ROUTE_TYPE_LOCAL:
	case VD_ROUTE_TYPE_NEXT_HOP:
		return 0;
	case VD_ROUTE_TYPE_BLACKHOLE:
		return VD_DROP_REASON_BLACKHOLE;
	case VD_ROUTE_TYPE_UNUSABLE:
		return VD_DROP_REASON_NEXT_HOP_UNUSABLE;
	case VD_ROUTE_TYPE_EXIT: /* the peer's ways out are its own, and so are its other peers */
	case VD_ROUTE_TYPE_PEER:
	case VD_ROUTE_TYPE_TUNNEL:
	case VD_ROUTE_TYPE_STACK:
		break;
	}
	return VD_DROP_REASON_NO_ROUTE;
}

/* Both ends, and those of what an error speaks of, as the peer sees them. 0, or the reason. */
static __always_inline int vd_peering_see(struct vd_packet *packet, __u32 peer)
{
	bool is_out = packet->ingress_type != VD_INGRESS_TUNNEL;
	const union vd_addr *source = &packet->seen.source, *destination = &packet->seen.destination;
	int reason = vd_alias_see(packet, peer, &packet->tuple, &packet->seen, is_out);

	if (!reason && packet->is_icmp_error)
		reason = vd_alias_see(packet, peer, &packet->embedded, &packet->seen_embedded, !is_out);
	if (reason || !vd_addr_equal(source, &packet->tuple.source))
		vd_trace_step(VD_STAGE_PEER_SOURCE, reason, source->word[0], source->word[1], source->word[2], source->word[3]);
	if (!reason && !vd_addr_equal(destination, &packet->tuple.destination))
		vd_trace_step(VD_STAGE_PEER_DESTINATION, 0, destination->word[0], destination->word[1], destination->word[2],
			      destination->word[3]);
	return reason;
}

static __always_inline bool vd_peering_sees_same(const struct vd_tuple *tuple, const struct vd_tuple *seen)
{
	return vd_addr_equal(&seen->source, &tuple->source) && vd_addr_equal(&seen->destination, &tuple->destination);
}

/* Tells the flow, where the two do not see the same. writes: the packet leaves as the peer sees it. 0, or the reason. */
static __always_inline int vd_peering_translate(struct vd_packet *packet, bool writes)
{
	const struct vd_tuple *tuple = &packet->tuple, *seen = &packet->seen;
	struct vd_flow *flow = &packet->flow;

	/* An error from where nothing is translated may speak of a packet to where something is. */
	if (vd_peering_sees_same(tuple, seen) &&
	    (!packet->is_icmp_error || vd_peering_sees_same(&packet->embedded, &packet->seen_embedded)))
		return 0;
	if (writes && !vd_mangle_can(packet->family, tuple->protocol))
		return VD_DROP_REASON_UNTRANSLATABLE;
	flow->translated_address = seen->source;
	flow->translated_destination = seen->destination;
	flow->translated_port = tuple->source_port;
	flow->translated_difference = vd_sum_fold((__u64)vd_sum_difference(&tuple->source, &seen->source) +
						  vd_sum_difference(&tuple->destination, &seen->destination));
	if (writes)
		flow->flags |= VD_FLOW_TRANSLATES;
	if (flow->domain != packet->domain)
		flow->flags |= VD_FLOW_FLAG_CONNECTION_TRANSLATED;
	return 0;
}

/* What the peer's main table says, in *ret. What changes of its domain bumps that table, too (abi/generation.h). */
static __always_inline int vd_peering_find(struct vd_packet *packet, __u32 peer, struct vd_route_value *ret)
{
	struct vd_domain_value *domain;
	struct vd_route_value *route;
	int reason;

	vd_depend(packet, VD_DEPENDENCY_TRANSLATION, vd_slot_table(peer, 0));
	domain = bpf_map_lookup_elem(&vd_domain, &peer);
	if (!domain)
		return VD_DROP_REASON_NO_ROUTE;
	packet->delivery = *domain;
	reason = vd_peering_see(packet, peer);
	if (reason)
		return reason;
	route = vd_route_find(packet->family, peer, 0, &packet->seen.destination);
	if (!route)
		return VD_DROP_REASON_NO_ROUTE;
	*ret = *route;
	return vd_peering_judge(route);
}

/* Whether a table of a domain leads to peer for this address. */
static __always_inline bool vd_peering_leads(__u8 family, __u32 domain, __u32 table, const union vd_addr *address, __u32 peer)
{
	struct vd_route_value *route = vd_route_find(family, domain, table, address);

	return route && route->type == VD_ROUTE_TYPE_PEER && route->target == peer;
}

/*
 * The receiver's table has to lead back to the sender's VPC: whoever may send from any address must not speak as somebody the receiver
 * knows by another way, its own addresses first. As from a tunnel (below), where the receiver's host asks. What changes in any table of a
 * domain bumps that of the main one, too (abi/generation.h). 0, or the reason.
 */
static __always_inline int vd_peering_back(struct vd_packet *packet, __u32 peer)
{
	const union vd_addr *source = packet->is_icmp_error ? &packet->seen_embedded.destination : &packet->seen.source;

	/* Who asks for all that is in the way asks the way back by itself. */
	if (packet->flow.output == VD_OUTPUT_TUNNEL || vd_trace_goes_on())
		return 0;
	if (vd_peering_leads(packet->family, peer, packet->delivery_table, source, packet->domain))
		return 0;
	vd_trace_step(VD_STAGE_PEER_SOURCE, VD_DROP_REASON_NO_ROUTE, source->word[0], source->word[1], source->word[2],
		      source->word[3]);
	return VD_DROP_REASON_NO_ROUTE;
}

/* Where a route to a peer leads. One hop, whichever way it goes on. */
static __noinline int vd_peering_follow(struct vd_packet *packet, __u32 peer)
{
	struct vd_route_value route = {};
	int reason = vd_peering_find(packet, peer, &route);

	vd_trace_step(VD_STAGE_PEERING, reason, packet->domain, peer, route.id, route.type);
	if (reason)
		return reason;
	vd_peering_begin(packet, peer);
	if (!vd_from_service(packet))
		packet->flow.flags |= VD_FLOW_FLAG_TTL;
	if (route.type == VD_ROUTE_TYPE_LOCAL)
		reason = vd_route_endpoint(packet, &packet->seen.destination, false);
	else
		reason = vd_route_endpoint(packet, &route.next_hop, true);
	if (!reason)
		reason = vd_peering_back(packet, peer);
	return reason ? reason : vd_peering_translate(packet, true);
}

/*
 * From a tunnel: the VPC that the sender's host names has to be one that the receiver's table leads to for this source, and a source
 * that is somebody's address there must be where the packet comes from. Errors come from whoever stands on the way.
 */
static __noinline int vd_peering_from_tunnel(struct vd_packet *packet, __u32 table)
{
	const union vd_addr *source = packet->is_icmp_error ? &packet->embedded.destination : &packet->tuple.source;
	__u32 peer = vd_mac_id(packet->source_mac), host_id;
	struct vd_endpoint_value *endpoint;
	struct vd_host_value *host;
	int reason;

	vd_depend(packet, VD_DEPENDENCY_TABLE, vd_slot_table(packet->domain, table));
	if (!vd_peering_leads(packet->family, packet->domain, table, source, peer))
		return VD_DROP_REASON_NO_ROUTE;
	vd_depend(packet, VD_DEPENDENCY_TRANSLATION, vd_slot_table(peer, 0));
	reason = vd_peering_see(packet, peer);
	if (reason)
		return reason;
	vd_peering_begin(packet, peer);
	vd_peering_translate(packet, false);
	/* No sender's policy is asked here. */
	vd_depend(packet, VD_DEPENDENCY_POLICY_SOURCE, vd_slot_endpoint(peer, &packet->seen.source));
	endpoint = vd_endpoint_find(packet->family, peer, &packet->seen.source);
	if (!endpoint || endpoint->place == VD_ENDPOINT_PLACE_GATEWAY)
		return 0;
	host_id = endpoint->host;
	host = endpoint->place == VD_ENDPOINT_PLACE_HOST ? bpf_map_lookup_elem(&vd_host, &host_id) : NULL;
	return host && vd_vtep_fold(&host->vtep) == packet->vtep_fold ? 0 : VD_DROP_REASON_SOURCE_HOST;
}

/*
 * An error that stays in its VPC may speak of a packet to the peer (its router's: time exceeded, too big). Where that one was to go,
 * the table of who gets the error says.
 */
static __noinline int vd_peering_of_error(struct vd_packet *packet)
{
	struct vd_route_value *route =
		vd_route_find(packet->family, packet->domain, packet->delivery_table, &packet->embedded.destination);

	if (route && route->type == VD_ROUTE_TYPE_PEER && route->target < packet->domain &&
	    !vd_alias_see(packet, route->target, &packet->embedded, &packet->seen_embedded, true))
		packet->flow.domain = route->target;
	return 0;
}

#endif
