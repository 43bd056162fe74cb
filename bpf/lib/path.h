/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_PATH_H
#define VD_LIB_PATH_H

#include "exit.h"
#include "peering.h"
#include "policy_route.h"

/* Where a packet goes, in the domain that it belongs to. */

/* What a route that was found means. */
static __always_inline int vd_path_judge(const struct vd_packet *packet, const struct vd_route_value *route)
{
	switch ((enum vd_route_type)route->type) {
	case VD_ROUTE_TYPE_LOCAL:
	case VD_ROUTE_TYPE_NEXT_HOP:
		return 0;
	case VD_ROUTE_TYPE_BLACKHOLE:
		return VD_DROP_REASON_BLACKHOLE;
	case VD_ROUTE_TYPE_UNUSABLE:
		return VD_DROP_REASON_NEXT_HOP_UNUSABLE;
	case VD_ROUTE_TYPE_EXIT: /* what came in does not go out again, nor on to a peer */
	case VD_ROUTE_TYPE_PEER:
		return packet->way.is_in ? VD_DROP_REASON_NO_ROUTE : 0;
	case VD_ROUTE_TYPE_TUNNEL: /* container domains have a stage of their own */
	case VD_ROUTE_TYPE_STACK:
		break;
	}
	return VD_DROP_REASON_NO_ROUTE;
}

/* The route to the packet's destination, by the table or by what decides before it. False: none. */
static __always_inline bool vd_path_find(struct vd_packet *packet, bool is_metadata, struct vd_route_value *ret)
{
	__u32 table = packet->port.table;
	struct vd_route_value *route;

	if (!is_metadata && !packet->way.is_in && !packet->is_recalled && vd_policy_route_stage(packet, table, &table, ret) == 2)
		return true;
	vd_depend(packet, VD_DEPENDENCY_TABLE, vd_slot_table(packet->domain, table));
	route = vd_route_find(packet->family, packet->domain, table, &packet->tuple.destination);
	if (!route || (is_metadata && route->type != VD_ROUTE_TYPE_LOCAL))
		return false;
	*ret = *route;
	return true;
}

/* Where the route leads. */
static __always_inline int vd_path_follow(struct vd_packet *packet, const struct vd_route_value *route)
{
	if (route->type == VD_ROUTE_TYPE_LOCAL)
		return vd_route_endpoint(packet, &packet->tuple.destination, false);
	if (route->type == VD_ROUTE_TYPE_NEXT_HOP && !(route->is_default && vd_exit_has_elastic(packet)))
		return vd_route_endpoint(packet, &route->next_hop, true);
	if (route->type == VD_ROUTE_TYPE_PEER)
		return vd_peering_follow(packet, route->target);
	return vd_exit_stage(packet, route->exit, route->is_default);
}

/*
 * The stage: what the guest thinks of routes does not matter (R-RTR-13), the table of the port's subnet decides. Delivery to a custom
 * route's next hop is no hop (R-RTR-7). What answers a connection from outside goes back the way that came, unless it stays inside.
 */
static __always_inline int vd_path_stage(struct vd_packet *packet)
{
	bool is_metadata = packet->family == 4 && vd_addr_is_metadata4(&packet->tuple.destination), has_route = false;
	struct vd_route_value route = {};
	int reason = VD_DROP_REASON_NO_ROUTE;

	if (vd_route_on_link(packet, &reason))
		return reason;
	/* Whatever the tables say. */
	if (vd_addr_is_service(packet->family, &packet->tuple.destination))
		return vd_route_endpoint(packet, &packet->tuple.destination, false);
	if (!vd_addr_is_unroutable(packet->family, &packet->tuple.destination) || is_metadata)
		has_route = vd_path_find(packet, is_metadata, &route);
	if ((!has_route || (route.type != VD_ROUTE_TYPE_LOCAL && route.type != VD_ROUTE_TYPE_PEER)) && !packet->way.is_in &&
	    vd_exit_recall(packet))
		return vd_exit_back(packet);
	if (has_route) {
		packet->route_id = route.id;
		reason = vd_path_judge(packet, &route);
	}
	vd_trace_step(VD_STAGE_ROUTE, reason, packet->route_id, route.type, packet->port.table, route.target);
	return reason ? reason : vd_path_follow(packet, &route);
}

VD_STAGE int vd_route_stage(struct __sk_buff *skb)
{
	struct vd_packet *packet = vd_packet_here();

	return packet ? vd_path_stage(packet) : VD_DROP_REASON_INTERNAL;
}

/* The stage, for packets from a tunnel: the source's host has routed, the destination MAC names the port, or the way out. */
static __always_inline int vd_path_from_tunnel(struct vd_packet *packet)
{
	bool is_gateway = vd_mac_equal(packet->destination_mac, vd_gateway_mac);
	int reason;

	if (vd_exit_mac_is(packet->destination_mac))
		return vd_exit_from_tunnel(packet);
	packet->is_from_exit = vd_exit_mac_is(packet->source_mac);
	reason = is_gateway ? vd_route_to_service(packet) : vd_route_to_mac(packet);
	if (!reason && vd_mac_is_peer(packet->source_mac))
		reason = vd_peering_from_tunnel(packet, packet->delivery_table);
	if (packet->is_from_exit || packet->peer)
		vd_mac_copy(packet->flow.source_mac, vd_gateway_mac);
	vd_trace_step(VD_STAGE_ENDPOINT, reason, packet->flow.destination_port_id,
		      is_gateway ? VD_ENDPOINT_PLACE_GATEWAY : VD_ENDPOINT_PLACE_HERE, packet->delivery_subnet, 0);
	return reason;
}

VD_STAGE int vd_route_from_tunnel(struct __sk_buff *skb)
{
	struct vd_packet *packet = vd_packet_here();

	return packet ? vd_path_from_tunnel(packet) : VD_DROP_REASON_INTERNAL;
}

#endif
