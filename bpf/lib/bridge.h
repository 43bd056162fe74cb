/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_BRIDGE_H
#define VD_LIB_BRIDGE_H

#include "exit.h"
#include "next_hop.h"
#include "route.h"

/*
 * Provider segments: instances of flat and public networks, and of VLAN subnets of a VPC, share a wire with hosts that are not ours.
 * The destination MAC decides. What no one here has goes to the wire; what comes from there goes to the port that has the MAC. On a
 * network there is no router of ours: we answer for its gateway and send on, by its own gateway, what we get for it.
 */

/* Notes on what segment the packet's port is. */
static __always_inline void vd_bridge_read(struct vd_packet *packet)
{
	__u32 subnet_id = packet->port.subnet;
	struct vd_subnet_value *subnet;

	if (packet->is_recalled)
		return;
	packet->is_ordinary = !subnet_id;
	if (!subnet_id)
		return;
	subnet = bpf_map_lookup_elem(&vd_subnet, &subnet_id);
	if (!subnet)
		return;
	if (subnet->flags & VD_SUBNET_FLAG_BRIDGED)
		packet->bridge = *subnet;
	else
		packet->is_ordinary = true;
}

/* Whether MACs decide about a port's packet: not when it is for the VPC's router. */
static __always_inline bool vd_bridge_decides(const struct vd_packet *packet)
{
	if (packet->bridge.flags & VD_SUBNET_FLAG_NETWORK)
		return true;
	return packet->bridge.flags && !vd_mac_equal(packet->destination_mac, vd_gateway_mac);
}

static __always_inline bool vd_bridge_is_gateway(const struct vd_packet *packet, __u8 family, const union vd_addr *address)
{
	if (!(packet->bridge.flags & VD_SUBNET_FLAG_NETWORK))
		return false;
	if (family == 4)
		return packet->bridge.gateway4 && address->word[0] == packet->bridge.gateway4;
	return packet->bridge.gateway6.word[0] && vd_addr_equal(address, &packet->bridge.gateway6);
}

/* The MAC that answers for an address of ours on the network, here or on another host. False: it is none. */
static __always_inline bool vd_bridge_vip_mac(__u32 network_id, const union vd_addr *address, __u8 *ret_mac)
{
	struct vd_vip_key key = {.network = network_id, .address = *address};
	struct vd_vip_value *vip = bpf_map_lookup_elem(&vd_vip, &key);
	struct vd_network_value *network;

	if (!vip)
		return false;
	if (!(vip->flags & VD_VIP_FLAG_HERE)) {
		vd_mac_copy(ret_mac, vip->mac);
		return true;
	}
	network = bpf_map_lookup_elem(&vd_network, &network_id);
	if (!network)
		return false;
	vd_mac_copy(ret_mac, network->mac);
	return true;
}

static __always_inline bool vd_bridge_vip_is_here(__u32 network, const union vd_addr *address)
{
	struct vd_vip_key key = {.network = network, .address = *address};
	struct vd_vip_value *vip = bpf_map_lookup_elem(&vd_vip, &key);

	return vip && (vip->flags & VD_VIP_FLAG_HERE);
}

/* As it is, with the segment's tag. */
static __always_inline int vd_bridge_to_wire(struct vd_packet *packet)
{
	struct vd_flow *flow = &packet->flow;

	if (!packet->bridge.uplink_ifindex)
		return VD_DROP_REASON_NO_UPLINK;
	flow->output = VD_OUTPUT_UPLINK;
	flow->output_ifindex = packet->bridge.uplink_ifindex;
	flow->vlan = packet->bridge.vlan;
	flow->mtu = ~0U;
	vd_mac_copy(flow->source_mac, packet->source_mac);
	vd_mac_copy(flow->destination_mac, packet->destination_mac);
	return 0;
}

/* As it is, to the port here that has this MAC in the subnet. UNREACHABLE_PORT: none has. */
static __always_inline int vd_bridge_to_port(struct vd_packet *packet, __u32 subnet, const __u8 *mac, enum vd_dependency dependency)
{
	struct vd_mac_key key = {.domain = packet->domain};
	struct vd_flow *flow = &packet->flow;
	struct vd_port_value *port;
	struct vd_mac_value *found;
	__u32 ifindex;

	vd_mac_copy(key.mac, mac);
	found = bpf_map_lookup_elem(&vd_mac, &key);
	if (!found)
		return VD_DROP_REASON_UNREACHABLE_PORT;
	flow->destination_port_id = found->port_id;
	vd_depend(packet, dependency, vd_slot_port(found->port_id));
	/* Again, now that the generation is read. */
	found = bpf_map_lookup_elem(&vd_mac, &key);
	if (!found)
		return VD_DROP_REASON_UNREACHABLE_PORT;
	ifindex = found->ifindex;
	port = bpf_map_lookup_elem(&vd_port, &ifindex);
	if (!port || port->id != flow->destination_port_id || port->subnet != subnet)
		return VD_DROP_REASON_UNREACHABLE_PORT;
	vd_mac_copy(flow->source_mac, packet->source_mac);
	vd_mac_copy(flow->destination_mac, packet->destination_mac);
	flow->output = port->flags & VD_PORT_FLAG_TAP ? VD_OUTPUT_DEVICE : VD_OUTPUT_PEER;
	flow->output_ifindex = ifindex;
	flow->mtu = ~0U;
	packet->delivery_subnet = port->subnet;
	packet->delivery_policy = port->policy;
	if (port->flags & VD_PORT_FLAG_CAPTURE)
		flow->flags |= VD_FLOW_FLAG_CAPTURE_DESTINATION;
	if (port->flags & VD_PORT_FLAG_RATE_IN)
		flow->flags |= VD_FLOW_FLAG_RATE_IN;
	return ifindex == packet->ingress ? VD_DROP_REASON_LOOP : 0;
}

/*
 * What an instance on a network sends to its gateway: to the router's services here (DHCP's address, metadata); with its elastic IP, if
 * it has one, by that one's network; else on, as it is, to whom the network's own routes name. That is no hop: we are not its router.
 */
static __always_inline int vd_bridge_to_gateway(struct vd_packet *packet)
{
	const union vd_addr *destination = &packet->tuple.destination;
	struct vd_endpoint_value *endpoint = vd_endpoint_find(packet->family, packet->domain, destination);
	struct vd_route_value *route;
	union vd_addr next_hop;
	int reason;

	if (endpoint && endpoint->place == VD_ENDPOINT_PLACE_GATEWAY && !vd_bridge_is_gateway(packet, packet->family, destination))
		return vd_route_to_service(packet);
	if (vd_addr_is_unroutable(packet->family, destination))
		return VD_DROP_REASON_NO_ROUTE;
	vd_depend(packet, VD_DEPENDENCY_TABLE, vd_slot_table(packet->domain, 0));
	route = vd_route_find(packet->family, packet->domain, 0, destination);
	if ((!route || route->is_default) && vd_exit_has_elastic(packet))
		return vd_exit_stage(packet, 0, true);
	if (!route || (route->type != VD_ROUTE_TYPE_LOCAL && route->type != VD_ROUTE_TYPE_NEXT_HOP))
		return VD_DROP_REASON_NO_ROUTE;
	packet->route_id = route->id;
	next_hop = route->type == VD_ROUTE_TYPE_LOCAL ? *destination : route->next_hop;
	reason = vd_next_hop_stage(packet, packet->domain, &next_hop);
	vd_mac_copy(packet->flow.source_mac, packet->source_mac);
	return reason;
}

static __always_inline int vd_bridge_judge(struct vd_packet *packet)
{
	bool is_network = packet->bridge.flags & VD_SUBNET_FLAG_NETWORK;
	const union vd_addr *destination = &packet->tuple.destination;
	int reason;

	if (packet->destination_mac[0] & 1)
		return vd_bridge_to_wire(packet);
	if (is_network && vd_exit_recall(packet)) /* it answers what came by an elastic IP, from the same segment too */
		return vd_exit_back(packet);
	if (is_network && vd_mac_equal(packet->destination_mac, vd_gateway_mac))
		return vd_bridge_to_gateway(packet);
	vd_depend(packet, VD_DEPENDENCY_DESTINATION, vd_slot_endpoint(packet->domain, destination));
	reason = vd_bridge_to_port(packet, packet->port.subnet, packet->destination_mac, VD_DEPENDENCY_TABLE);
	if (reason != VD_DROP_REASON_UNREACHABLE_PORT)
		return reason;
	packet->flow.destination_port_id = 0;
	if (!is_network)
		return vd_bridge_to_wire(packet);
	vd_depend(packet, VD_DEPENDENCY_TRANSLATION, vd_slot_vip(packet->domain, destination));
	if (!vd_bridge_vip_is_here(packet->domain, destination))
		return vd_bridge_to_wire(packet);
	reason = vd_bridge_to_wire(packet);
	packet->flow.output = VD_OUTPUT_TURN;
	return reason;
}

/*
 * The stage, for packets from a port on a provider segment. Its TABLE is no route table's place among the flow's dependencies but the
 * receiving port's, unless the packet goes to the network's gateway.
 */
static __noinline int vd_bridge_stage(struct vd_packet *packet)
{
	int reason = vd_bridge_judge(packet);

	vd_trace_step(VD_STAGE_ENDPOINT, reason, packet->flow.destination_port_id,
		      packet->flow.destination_port_id ? VD_ENDPOINT_PLACE_HERE : 0, packet->port.subnet, 0);
	return reason;
}

/* The stage, for frames from the wire: someone here has the MAC, and the source is not one of ours here, who would not come from there. */
static __noinline int vd_bridge_from_wire(struct vd_packet *packet)
{
	const union vd_addr *source = &packet->tuple.source;
	struct vd_endpoint_value *endpoint;
	int reason = 0;

	vd_depend(packet, VD_DEPENDENCY_SOURCE, vd_slot_endpoint(packet->domain, source));
	if (!packet->is_turned) {
		endpoint = vd_endpoint_find(packet->family, packet->domain, source);
		if (endpoint && endpoint->place == VD_ENDPOINT_PLACE_HERE)
			reason = VD_DROP_REASON_SOURCE_ADDRESS;
	}
	if (!reason)
		reason = vd_bridge_to_port(packet, packet->segment.subnet, packet->destination_mac, VD_DEPENDENCY_PORT);
	vd_trace_step(VD_STAGE_ENDPOINT, reason, packet->flow.destination_port_id, VD_ENDPOINT_PLACE_HERE, packet->segment.subnet,
		      0);
	return reason;
}

#endif
