/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_ROUTE_H
#define VD_LIB_ROUTE_H

#include "endpoint.h"
#include "trace.h"

static __always_inline struct vd_route_value *vd_route_find(__u8 family, __u32 domain, __u32 table,
							    const union vd_addr *destination)
{
	if (family == 4) {
		struct vd_route4_key key = {.prefix_length = 96, .domain = domain, .table = table, .address = destination->word[0]};

		return bpf_map_lookup_elem(&vd_route4, &key);
	} else {
		struct vd_route6_key key = {.prefix_length = 192, .domain = domain, .table = table, .address = *destination};

		return bpf_map_lookup_elem(&vd_route6, &key);
	}
}

/* The packet leaves as the router's: its MACs, the VNI of the VPC that it goes to. */
static __always_inline void vd_route_as_router(struct vd_packet *packet)
{
	vd_mac_copy(packet->flow.source_mac, vd_gateway_mac);
	packet->flow.vni = packet->delivery.vni;
}

/*
 * To the domain's service port: a gateway address, or a packet that its kernel shall answer. From the packet's place, since the
 * router's namespace stands on every host.
 */
static __always_inline int vd_route_to_service_of(struct vd_packet *packet, const struct vd_domain_value *domain)
{
	struct vd_flow *flow = &packet->flow;

	if (!domain->service_ifindex)
		return VD_DROP_REASON_UNREACHABLE_PORT;
	if (vd_from_service(packet) && domain->service_ifindex == packet->ingress)
		return VD_DROP_REASON_LOOP;
	vd_mac_copy(flow->source_mac, packet->source_mac);
	vd_mac_copy(flow->destination_mac, vd_gateway_mac);
	flow->output = domain->flags & VD_DOMAIN_FLAG_CONTAINER ? VD_OUTPUT_DEVICE : VD_OUTPUT_PEER;
	flow->output_ifindex = domain->service_ifindex;
	flow->destination_port_id = domain->service_port_id;
	if (flow->flags & VD_FLOW_FLAG_TRANSLATE_SOURCE) /* with both, it was to go to a peer */
		flow->flags &= ~VD_FLOW_FLAG_TRANSLATE_DESTINATION;
	flow->flags &= VD_FLOW_FLAG_TRANSLATE_DESTINATION | VD_FLOW_FLAG_CAPTURE | VD_FLOW_FLAG_RATE_OUT;
	flow->mtu = ~0U;
	packet->to_service = true;
	return 0;
}

static __always_inline int vd_route_to_service(struct vd_packet *packet)
{
	return vd_route_to_service_of(packet, &packet->domain_value);
}

static __always_inline int vd_route_to_host(struct vd_packet *packet, __u32 host_id)
{
	struct vd_host_value *host = bpf_map_lookup_elem(&vd_host, &host_id);

	if (!host)
		return VD_DROP_REASON_NO_TUNNEL;
	if (packet->peer)
		vd_mac_id_set(packet->flow.source_mac, VD_PEER_MAC_0, VD_PEER_MAC_1, packet->domain);
	packet->flow.output = VD_OUTPUT_TUNNEL;
	packet->flow.vtep = host->vtep;
	packet->flow.vtep_family = host->family;
	return 0;
}

/* The policy of the port here that the packet goes to. Who cannot say which one it has gets nothing. */
static __always_inline int vd_route_policy(struct vd_packet *packet, __u32 ifindex, __u32 port_id)
{
	struct vd_port_value *port = bpf_map_lookup_elem(&vd_port, &ifindex);

	if (!port || port->id != port_id)
		return VD_DROP_REASON_UNREACHABLE_PORT;
	packet->delivery_policy = port->policy;
	if (port->flags & VD_PORT_FLAG_RATE_IN)
		packet->flow.flags |= VD_FLOW_FLAG_RATE_IN;
	packet->delivery_table = port->table;
	return 0;
}

/* Fills the flow's output for a packet that goes to endpoint. */
static __always_inline int vd_route_to_endpoint(struct vd_packet *packet, const struct vd_endpoint_value *endpoint,
						bool is_next_hop)
{
	struct vd_flow *flow = &packet->flow;
	struct vd_subnet_value *subnet;

	packet->delivery_subnet = endpoint->subnet;
	packet->to_next_hop = is_next_hop;
	if (endpoint->place == VD_ENDPOINT_PLACE_GATEWAY)
		return is_next_hop ? VD_DROP_REASON_NEXT_HOP_UNUSABLE : vd_route_to_service_of(packet, &packet->delivery);
	flow->mtu = packet->delivery.mtu;
	vd_mac_copy(flow->destination_mac, endpoint->mac);
	if (!is_next_hop && packet->port.subnet && packet->port.subnet == endpoint->subnet && !packet->bridge.flags) {
		/* Bridged: nothing changes hands, the segment is the subnet's. */
		vd_mac_copy(flow->source_mac, packet->source_mac);
		subnet = bpf_map_lookup_elem(&vd_subnet, &packet->port.subnet);
		if (subnet)
			flow->vni = subnet->vni;
	} else {
		vd_route_as_router(packet);
		if (!is_next_hop && !vd_from_service(packet) && !(packet->domain_value.flags & VD_DOMAIN_FLAG_CONTAINER))
			flow->flags |= VD_FLOW_FLAG_TTL;
	}
	if (endpoint->place == VD_ENDPOINT_PLACE_HOST)
		return vd_route_to_host(packet, endpoint->host);
	flow->output = endpoint->flags & VD_PORT_FLAG_TAP ? VD_OUTPUT_DEVICE : VD_OUTPUT_PEER;
	flow->output_ifindex = endpoint->ifindex;
	flow->destination_port_id = endpoint->port_id;
	if (endpoint->flags & VD_PORT_FLAG_CAPTURE)
		flow->flags |= VD_FLOW_FLAG_CAPTURE_DESTINATION;
	if (endpoint->ifindex == packet->ingress)
		return VD_DROP_REASON_LOOP;
	return vd_route_policy(packet, endpoint->ifindex, endpoint->port_id);
}

static __always_inline int vd_route_endpoint(struct vd_packet *packet, const union vd_addr *address, bool is_next_hop)
{
	struct vd_endpoint_value *endpoint;
	int reason = is_next_hop ? VD_DROP_REASON_NEXT_HOP_UNUSABLE : VD_DROP_REASON_NO_ENDPOINT;

	vd_depend(packet, VD_DEPENDENCY_DESTINATION, vd_slot_endpoint(vd_destination_domain(packet), address));
	endpoint = vd_endpoint_find(packet->family, vd_destination_domain(packet), address);
	if (endpoint)
		reason = vd_route_to_endpoint(packet, endpoint, is_next_hop);
	vd_trace_step(VD_STAGE_ENDPOINT, reason, endpoint ? endpoint->port_id : 0, endpoint ? endpoint->place : 0,
		      endpoint ? endpoint->subnet : 0, endpoint ? endpoint->host : 0);
	return reason;
}

static __always_inline int vd_route_to_mac(struct vd_packet *packet)
{
	struct vd_mac_key key = {.domain = packet->domain};
	struct vd_flow *flow = &packet->flow;
	struct vd_port_value *port;
	struct vd_mac_value *mac;
	__u32 ifindex;

	vd_mac_copy(key.mac, packet->destination_mac);
	mac = bpf_map_lookup_elem(&vd_mac, &key);
	if (!mac)
		return VD_DROP_REASON_UNREACHABLE_PORT;
	vd_depend(packet, VD_DEPENDENCY_PORT, vd_slot_port(mac->port_id));
	/* Again, now that the generation is read. */
	mac = bpf_map_lookup_elem(&vd_mac, &key);
	if (!mac)
		return VD_DROP_REASON_UNREACHABLE_PORT;
	flow->destination_port_id = mac->port_id;
	ifindex = mac->ifindex;
	port = bpf_map_lookup_elem(&vd_port, &ifindex);
	if (!port || port->id != flow->destination_port_id)
		return VD_DROP_REASON_UNREACHABLE_PORT;
	vd_mac_copy(flow->source_mac, packet->source_mac);
	vd_mac_copy(flow->destination_mac, packet->destination_mac);
	flow->output = port->flags & VD_PORT_FLAG_TAP ? VD_OUTPUT_DEVICE : VD_OUTPUT_PEER;
	flow->output_ifindex = ifindex;
	flow->mtu = ~0U;
	packet->delivery_subnet = port->subnet;
	packet->delivery_table = port->table;
	packet->delivery_policy = port->policy;
	if (port->flags & VD_PORT_FLAG_CAPTURE)
		flow->flags |= VD_FLOW_FLAG_CAPTURE_DESTINATION;
	if (port->flags & VD_PORT_FLAG_RATE_IN)
		flow->flags |= VD_FLOW_FLAG_RATE_IN;
	return 0;
}

/* IPv6 on the link between an instance and its router: no route, no endpoint. False: the packet is not of that kind. */
static __always_inline bool vd_route_on_link(struct vd_packet *packet, int *ret_reason)
{
	if (packet->family != 6)
		return false;
	if (vd_from_service(packet) && vd_addr_is_link_local6(&packet->tuple.destination))
		*ret_reason = vd_route_to_mac(packet);
	else if (vd_addr_is_router_link_local6(&packet->tuple.destination))
		*ret_reason = vd_route_to_service(packet);
	else
		return false;
	vd_trace_step(VD_STAGE_ENDPOINT, *ret_reason, packet->flow.destination_port_id,
		      packet->to_service ? VD_ENDPOINT_PLACE_GATEWAY : VD_ENDPOINT_PLACE_HERE, packet->delivery_subnet, 0);
	return true;
}

#endif
