/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_EXIT_H
#define VD_LIB_EXIT_H

#include "handover.h"
#include "next_hop.h"
#include "route.h"

/*
 * The way out of a VPC: through an exit, or with an elastic IP, or back where the connection came in. On the host that is the gateway
 * it goes on to the network's next hop; on others into the tunnel, with a destination MAC that says which exit is meant.
 */

static __always_inline void vd_exit_mac_set(__u8 *mac, __u32 exit)
{
	vd_mac_id_set(mac, VD_EXIT_MAC_0, VD_EXIT_MAC_1, exit);
}

static __always_inline bool vd_exit_mac_is(const __u8 *mac)
{
	return mac[0] == VD_EXIT_MAC_0 && mac[1] == VD_EXIT_MAC_1;
}

static __always_inline bool vd_addr_is_zero(const union vd_addr *address)
{
	return !(address->word[0] | address->word[1] | address->word[2] | address->word[3]);
}

/* The host that the packet comes from takes the hop. */
static __always_inline void vd_exit_hop(struct vd_packet *packet)
{
	if (packet->ingress_type != VD_INGRESS_TUNNEL && !vd_from_service(packet))
		packet->flow.flags |= VD_FLOW_FLAG_TTL;
}

static __always_inline void vd_exit_tunnel(struct vd_packet *packet, __u32 exit)
{
	struct vd_flow *flow = &packet->flow;

	vd_route_as_router(packet);
	vd_exit_mac_set(flow->destination_mac, exit);
	flow->mtu = packet->domain_value.mtu;
	flow->output = VD_OUTPUT_TUNNEL;
	vd_exit_hop(packet);
	packet->way.network = 0; /* nothing is translated here */
}

/* From a tunnel it goes into none again: two hosts may for a moment think that the other one is the gateway. */
static __always_inline int vd_exit_to_host(struct vd_packet *packet, __u32 host, __u32 exit)
{
	if (!host || packet->ingress_type == VD_INGRESS_TUNNEL)
		return VD_DROP_REASON_NO_EXIT;
	vd_exit_tunnel(packet, exit);
	return vd_route_to_host(packet, host);
}

/* The address on the network that the packet goes to next: the exit's, or what the network's own routes say. */
static __always_inline bool vd_exit_next_hop(struct vd_packet *packet)
{
	struct vd_way *way = &packet->way;
	struct vd_route_value *route;

	if (way->next_hop_family == packet->family)
		return true;
	route = vd_route_find(packet->family, way->network, 0, &packet->tuple.destination);
	if (!route || (route->type != VD_ROUTE_TYPE_LOCAL && route->type != VD_ROUTE_TYPE_NEXT_HOP))
		return false;
	if (route->type == VD_ROUTE_TYPE_LOCAL)
		way->next_hop = packet->tuple.destination;
	else
		way->next_hop = route->next_hop;
	return true;
}

/* This host is the gateway. How the packet goes on is the next stage's. */
static __always_inline int vd_exit_here(struct vd_packet *packet)
{
	packet->way.is_out = true;
	return 0;
}

/*
 * Whether the packet goes back where its connection (the one that an error speaks of) came in, whatever the route says. True: reason
 * is 0 or why that is impossible.
 */
static __noinline int vd_exit_recall(struct vd_packet *packet)
{
	struct vd_connection *connection;
	struct vd_way *way = &packet->way;
	bool is_high = false, is_from_inner;

	connection = vd_handover_find(packet, &is_high);
	packet->is_stranger = !connection && !vd_tracing;
	if (!connection || (!connection->network && !connection->exit_vtep))
		return 0;
	is_high ^= packet->is_icmp_error; /* an error's sender is the receiver of what it speaks of */
	is_from_inner = is_high == !!connection->inner_is_high;
	if (!is_from_inner)
		return 0;
	/* What came in as it was goes back so by an explicit route only, and to its next hop: whose router that is, the route knows. */
	if (connection->network && connection->translation == VD_TRANSLATION_NONE)
		return 0;
	if (!connection->network) {
		if (packet->ingress_type == VD_INGRESS_TUNNEL)
			return 0;
		vd_exit_tunnel(packet, 0);
		packet->flow.vtep = connection->vip;
		packet->flow.vtep_family = connection->vip.word[1] | connection->vip.word[2] | connection->vip.word[3] ? 6 : 4;
		return 1;
	}
	if (connection->initiator_is_high == connection->inner_is_high && !packet->is_icmp_error)
		return 0;
	way->network = connection->network;
	way->vip = connection->vip;
	way->vip_port = connection->vip_port;
	way->translation = connection->translation;
	way->by_connection = true;
	return 1;
}

static __always_inline int vd_exit_back(struct vd_packet *packet)
{
	int reason = packet->way.by_connection ? vd_exit_here(packet) : 0;

	vd_trace_step(VD_STAGE_EXIT, reason, 0, packet->way.network, packet->flow.vtep.word[0], 1);
	return reason;
}

/* The router's own namespace speaks from its virtual IP as it is. */
static __always_inline bool vd_exit_is_own(const struct vd_packet *packet)
{
	return vd_from_service(packet) && vd_addr_equal(&packet->tuple.source, &packet->way.vip);
}

/* The elastic IP of the packet's source, if it has one there: network 0, the one for default routes. Fills packet->way. */
static __always_inline bool vd_exit_elastic(struct vd_packet *packet, __u32 network, __u32 *ret_host)
{
	struct vd_elastic_key key = {.domain = packet->domain, .network = network, .inner = packet->tuple.source};
	struct vd_elastic_value *elastic = bpf_map_lookup_elem(&vd_elastic, &key);
	struct vd_way *way = &packet->way;

	if (!elastic)
		return false;
	way->network = elastic->network;
	way->vip = elastic->vip;
	way->translation = VD_TRANSLATION_ELASTIC;
	*ret_host = elastic->host;
	return true;
}

/* Whether the packet's source has an elastic IP: that comes before every default route. */
static __always_inline bool vd_exit_has_elastic(const struct vd_packet *packet)
{
	struct vd_elastic_key key = {.domain = packet->domain, .inner = packet->tuple.source};

	return bpf_map_lookup_elem(&vd_elastic, &key);
}

/* The router's way: with its own virtual IP, or for explicit routes to another router's address as the packet is. */
static __always_inline int vd_exit_router(struct vd_packet *packet, const struct vd_exit_value *value, __u32 exit)
{
	struct vd_way *way = &packet->way;

	way->network = value->network;
	if (!(value->flags & VD_EXIT_FLAG_TRANSLATE))
		return value->flags & VD_EXIT_FLAG_HERE ? vd_exit_here(packet) : vd_exit_to_host(packet, value->host, exit);
	if (packet->ingress_type == VD_INGRESS_PORT && !vd_from_service(packet) && !(packet->port.flags & VD_PORT_FLAG_SNAT))
		return VD_DROP_REASON_NO_SNAT;
	if (!(value->flags & VD_EXIT_FLAG_HERE))
		return vd_exit_to_host(packet, value->host, exit);
	if (packet->family == 4)
		way->vip.word[0] = value->vip4;
	else
		way->vip = value->vip6;
	if (vd_addr_is_zero(&way->vip))
		return VD_DROP_REASON_NO_VIP;
	way->translation = vd_exit_is_own(packet) ? VD_TRANSLATION_ROUTER : VD_TRANSLATION_SNAT;
	return vd_exit_here(packet);
}

/* The stage: a route leads out by this exit. is_default: any elastic IP of the source comes first. */
static __noinline int vd_exit_stage(struct vd_packet *packet, __u32 exit, bool is_default)
{
	struct vd_exit_key key = {.domain = packet->domain, .exit = exit};
	struct vd_exit_value *value = bpf_map_lookup_elem(&vd_exit, &key);
	struct vd_way *way = &packet->way;
	__u32 host = 0;
	int reason = VD_DROP_REASON_NO_EXIT;
	bool has_elastic = false;

	/* An elastic IP's exit is named by its network, which the VPC may have no exit of its own to. */
	if (is_default || !value || (value->flags & VD_EXIT_FLAG_TRANSLATE))
		has_elastic = vd_exit_elastic(packet, is_default ? 0 : value ? value->network : exit, &host);
	if (value && value->next_hop_family && (!has_elastic || way->network == value->network)) {
		way->next_hop = value->next_hop;
		way->next_hop_family = value->next_hop_family;
	}
	if (has_elastic && host)
		reason = vd_exit_to_host(packet, host, way->network);
	else if (has_elastic)
		reason = vd_exit_here(packet);
	else if (value)
		reason = vd_exit_router(packet, value, exit);
	vd_trace_step(VD_STAGE_EXIT, reason, exit,
		      has_elastic ? way->network
		      : value     ? value->network
				  : 0,
		      has_elastic ? host
		      : value     ? value->host
				  : 0,
		      0);
	return reason;
}

/* The stage, for packets from a tunnel with an exit's MAC. */
static __always_inline int vd_exit_from_tunnel(struct vd_packet *packet)
{
	__u32 exit = vd_mac_id(packet->destination_mac);
	struct vd_route_value *route;

	if ((!exit || packet->is_icmp_error) && vd_exit_recall(packet))
		return vd_exit_back(packet);
	if (exit)
		return vd_exit_stage(packet, exit, false);
	route = vd_route_find(packet->family, packet->domain, 0, &packet->tuple.destination);
	if (!route || route->type != VD_ROUTE_TYPE_EXIT)
		return VD_DROP_REASON_NO_EXIT;
	return vd_exit_stage(packet, route->exit, route->is_default);
}

/*
 * On to the next hop. What the packet is to look like is in packet->way, and done by the connection stage.
 */
static __always_inline int vd_exit_leave(struct vd_packet *packet)
{
	struct vd_way *way = &packet->way;
	__u32 network_id = way->network;
	struct vd_network_value *network = bpf_map_lookup_elem(&vd_network, &network_id);

	if (!network)
		return VD_DROP_REASON_NO_UPLINK;
	way->segment = vd_next_hop_segment(network);
	if (!way->segment)
		return VD_DROP_REASON_NO_UPLINK;
	if (!vd_addr_is_zero(&way->vip))
		vd_depend(packet, VD_DEPENDENCY_TRANSLATION, vd_slot_vip(way->segment, &way->vip));
	if (!vd_exit_next_hop(packet))
		return VD_DROP_REASON_NO_ROUTE;
	vd_exit_hop(packet);
	return vd_next_hop_stage(packet, network_id, &way->next_hop);
}

/* The stage, after the route's and not within: it stands on enough of the stack by itself. */
VD_STAGE int vd_exit_leave_stage(struct __sk_buff *skb)
{
	struct vd_packet *packet = vd_packet_here();

	if (!packet)
		return VD_DROP_REASON_INTERNAL;
	return packet->way.is_out ? vd_exit_leave(packet) : 0;
}

#endif
