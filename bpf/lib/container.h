/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_CONTAINER_H
#define VD_LIB_CONTAINER_H

#include "route.h"

/*
 * A container network: each node holds blocks of its addresses. What is in a block of this node goes to the container that has the
 * address, or to the node's kernel, which may have it on a bridge of its own; what is in another node's goes to the kernel, whose
 * routes lead there, or by tunnel; everything else is the kernel's. The hops of a packet are those that it would have with a bridge:
 * the node's kernel takes one, and so does the tunnel in its place.
 */

/* No container has the address. It is not sent back where it was looked for first. */
static __always_inline int vd_container_to_kernel(struct vd_packet *packet, int reason)
{
	return vd_from_service(packet) ? reason : vd_route_to_service(packet);
}

static __always_inline int vd_container_local(struct vd_packet *packet)
{
	const union vd_addr *destination = &packet->tuple.destination;
	struct vd_endpoint_value *endpoint;
	int reason;

	vd_depend(packet, VD_DEPENDENCY_DESTINATION, vd_slot_endpoint(packet->domain, destination));
	endpoint = vd_endpoint_find(packet->family, packet->domain, destination);
	if (endpoint)
		reason = vd_route_to_endpoint(packet, endpoint, false);
	else
		reason = vd_container_to_kernel(packet, VD_DROP_REASON_NO_ENDPOINT);
	if (packet->ingress_type == VD_INGRESS_TUNNEL)
		packet->flow.mtu = ~0U;
	vd_trace_step(VD_STAGE_ENDPOINT, reason, endpoint ? endpoint->port_id : 0,
		      endpoint ? endpoint->place
		      : reason ? 0
			       : VD_ENDPOINT_PLACE_KERNEL,
		      0, endpoint ? endpoint->host : 0);
	return reason;
}

static __always_inline int vd_container_to_node(struct vd_packet *packet, __u32 node)
{
	struct vd_flow *flow = &packet->flow;

	if (!vd_from_service(packet))
		flow->flags |= VD_FLOW_FLAG_TTL;
	flow->mtu = packet->domain_value.mtu;
	vd_route_as_router(packet);
	vd_mac_copy(flow->destination_mac, vd_gateway_mac);
	return vd_route_to_host(packet, node);
}

/* The route to an address; the domain has one table. False: none. */
static __always_inline bool vd_container_route(const struct vd_packet *packet, const union vd_addr *address,
					       struct vd_route_value *ret)
{
	struct vd_route_value *route = vd_route_find(packet->family, packet->domain, 0, address);

	if (route)
		*ret = *route;
	return route;
}

static __always_inline int vd_container_judge(const struct vd_packet *packet, const struct vd_route_value *route)
{
	switch ((enum vd_route_type)route->type) {
	case VD_ROUTE_TYPE_LOCAL:
		return 0;
	case VD_ROUTE_TYPE_TUNNEL: /* from one tunnel into the other: two nodes do not agree whose it is */
		return packet->ingress_type == VD_INGRESS_TUNNEL ? VD_DROP_REASON_NO_ENDPOINT : 0;
	case VD_ROUTE_TYPE_STACK: /* other nodes' packets are for our blocks alone: we are no router of theirs */
		if (packet->ingress_type == VD_INGRESS_TUNNEL)
			return VD_DROP_REASON_NO_ENDPOINT;
		return vd_from_service(packet) ? VD_DROP_REASON_LOOP : 0;
	case VD_ROUTE_TYPE_UNUSABLE:
		return VD_DROP_REASON_NEXT_HOP_UNUSABLE;
	case VD_ROUTE_TYPE_BLACKHOLE:
		return VD_DROP_REASON_BLACKHOLE;
	case VD_ROUTE_TYPE_NEXT_HOP: /* no container network has these */
	case VD_ROUTE_TYPE_EXIT:
	case VD_ROUTE_TYPE_PEER:
		break;
	}
	return VD_DROP_REASON_NO_ROUTE;
}

/*
 * A node is believed about the addresses of its own blocks. An error may come from whoever stands on the way to such an address: its
 * kernel has others too.
 */
static __always_inline int vd_container_source(const struct vd_packet *packet)
{
	const union vd_addr *source = packet->is_icmp_error ? &packet->embedded.destination : &packet->tuple.source;
	struct vd_route_value route = {};
	struct vd_host_value *host;

	if (!vd_container_route(packet, source, &route) ||
	    (route.type != VD_ROUTE_TYPE_TUNNEL && route.type != VD_ROUTE_TYPE_STACK))
		return VD_DROP_REASON_SOURCE_HOST;
	host = bpf_map_lookup_elem(&vd_host, &route.target);
	return host && vd_vtep_fold(&host->vtep) == packet->vtep_fold ? 0 : VD_DROP_REASON_SOURCE_HOST;
}

static __always_inline int vd_container_go(struct vd_packet *packet)
{
	bool is_tunnel = packet->ingress_type == VD_INGRESS_TUNNEL, has_route;
	struct vd_route_value route = {};
	int reason = VD_DROP_REASON_NO_ROUTE;

	if (!is_tunnel && vd_route_on_link(packet, &reason))
		return reason;
	/* Of the source's route, too. */
	vd_depend(packet, VD_DEPENDENCY_TABLE, vd_slot_table(packet->domain, 0));
	if (is_tunnel) {
		reason = vd_container_source(packet);
		vd_trace_step(VD_STAGE_SOURCE_CHECK, reason, 0, 1, 0, 0);
		if (reason)
			return reason;
	}
	has_route = vd_container_route(packet, &packet->tuple.destination, &route);
	reason = has_route ? vd_container_judge(packet, &route) : VD_DROP_REASON_NO_ROUTE;
	packet->route_id = route.id;
	vd_trace_step(VD_STAGE_ROUTE, reason, route.id, route.type, 0, route.type == VD_ROUTE_TYPE_LOCAL ? 1 : route.target);
	if (reason)
		return reason;
	if (route.type == VD_ROUTE_TYPE_LOCAL)
		return vd_container_local(packet);
	if (route.type == VD_ROUTE_TYPE_TUNNEL)
		return vd_container_to_node(packet, route.target);
	return vd_container_to_kernel(packet, VD_DROP_REASON_LOOP);
}

/* The stage. */
VD_STAGE int vd_container_stage(struct __sk_buff *skb)
{
	struct vd_packet *packet = vd_packet_here();

	return packet ? vd_container_go(packet) : VD_DROP_REASON_INTERNAL;
}

#endif
