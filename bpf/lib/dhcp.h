/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_DHCP_H
#define VD_LIB_DHCP_H

#include "bridge.h"
#include "drop.h"
#include "output.h"

/*
 * How instances are configured: their questions go to the domain's service port, whose server reads whole frames and knows the port
 * by its MAC; its answers go to the port that the frame's destination MAC names. Neither has a place in the VPC's address space, so
 * no other stage sees them. On a provider segment with DHCP off, the question is for whoever serves there, and so is the answer.
 */

#define VD_DHCP_SERVER 67
#define VD_DHCP_CLIENT 68
#define VD_DHCP6_CLIENT 546
#define VD_DHCP6_SERVER 547
#define VD_ROUTER_SOLICITATION 133
#define VD_ROUTER_ADVERTISEMENT 134

static __always_inline bool vd_dhcp_is_ports(const struct vd_packet *packet, __u16 source, __u16 destination)
{
	return packet->tuple.protocol == IPPROTO_UDP && packet->tuple.source_port == bpf_htons(source) &&
	       (!destination || packet->tuple.destination_port == bpf_htons(destination));
}

static __always_inline bool vd_dhcp_is_icmp6(const struct vd_packet *packet, __u8 type)
{
	return packet->family == 6 && packet->tuple.protocol == IPPROTO_ICMPV6 && packet->icmp_type == type &&
	       packet->fragment != VD_FRAGMENT_KIND_LATER;
}

/* What only clients send. */
static __always_inline bool vd_dhcp_is_question(const struct vd_packet *packet)
{
	if (packet->family == 4)
		return vd_dhcp_is_ports(packet, VD_DHCP_CLIENT, VD_DHCP_SERVER);
	return vd_dhcp_is_ports(packet, VD_DHCP6_CLIENT, VD_DHCP6_SERVER) || vd_dhcp_is_icmp6(packet, VD_ROUTER_SOLICITATION);
}

/* 0, or why only servers and routers send it: the reason to drop it when an instance does. */
static __always_inline int vd_dhcp_is_answer(const struct vd_packet *packet)
{
	if (vd_dhcp_is_icmp6(packet, VD_ROUTER_ADVERTISEMENT))
		return VD_DROP_REASON_ROGUE_ROUTER;
	if (vd_dhcp_is_ports(packet, packet->family == 4 ? VD_DHCP_SERVER : VD_DHCP6_SERVER, 0))
		return VD_DROP_REASON_ROGUE_DHCP;
	return 0;
}

static __always_inline bool vd_dhcp_is(const struct vd_packet *packet)
{
	if (packet->ingress_type != VD_INGRESS_PORT || vd_is_container_port(packet))
		return false; /* containers get their addresses by other means: it is for, or from, elsewhere */
	return vd_dhcp_is_answer(packet) || (!vd_from_service(packet) && vd_dhcp_is_question(packet));
}

/* To the service port. The MAC must be the port's, for it is what the server knows it by. */
static __always_inline int vd_dhcp_ask(struct vd_packet *packet)
{
	struct vd_domain_value *domain = bpf_map_lookup_elem(&vd_domain, &packet->domain);

	if (!vd_mac_equal(packet->source_mac, packet->port.mac))
		return VD_DROP_REASON_SOURCE_MAC;
	if (!(packet->port.flags & VD_PORT_FLAG_DHCP))
		return packet->bridge.flags ? vd_bridge_to_wire(packet) : VD_DROP_REASON_DHCP_OFF;
	if (!domain || !domain->service_ifindex)
		return VD_DROP_REASON_INTERNAL;
	packet->flow.output = VD_OUTPUT_PEER;
	packet->flow.output_ifindex = domain->service_ifindex;
	packet->flow.destination_port_id = domain->service_port_id;
	return 0;
}

/* To the port whose MAC the frame goes to. */
static __always_inline int vd_dhcp_answer(struct vd_packet *packet)
{
	struct vd_mac_key key = {.domain = packet->domain};
	struct vd_port_value *port;
	struct vd_mac_value *mac;
	__u32 ifindex;

	vd_mac_copy(key.mac, packet->destination_mac);
	mac = bpf_map_lookup_elem(&vd_mac, &key);
	if (!mac)
		return VD_DROP_REASON_UNREACHABLE_PORT;
	ifindex = mac->ifindex;
	port = bpf_map_lookup_elem(&vd_port, &ifindex);
	if (!port)
		return VD_DROP_REASON_UNREACHABLE_PORT;
	packet->flow.output = port->flags & VD_PORT_FLAG_TAP ? VD_OUTPUT_DEVICE : VD_OUTPUT_PEER;
	packet->flow.output_ifindex = ifindex;
	packet->flow.destination_port_id = port->id;
	if (port->flags & VD_PORT_FLAG_CAPTURE)
		packet->flow.flags |= VD_FLOW_FLAG_CAPTURE_DESTINATION;
	return 0;
}

/* Sends it on as it is, or drops it. Returns the verdict. */
static __noinline int vd_dhcp_forward(struct __sk_buff *skb, struct vd_packet *packet)
{
	int reason = vd_from_service(packet) ? vd_dhcp_answer(packet) : vd_dhcp_is_answer(packet);

	if (!reason && !vd_from_service(packet))
		reason = vd_dhcp_ask(packet);
	vd_trace_step(VD_STAGE_ENDPOINT, reason, packet->flow.destination_port_id,
		      vd_from_service(packet) ? VD_ENDPOINT_PLACE_HERE : VD_ENDPOINT_PLACE_GATEWAY, packet->port.subnet, 0);
	/* Every guest solicits, whether anyone answers or not. */
	if (reason == VD_DROP_REASON_DHCP_OFF && packet->tuple.protocol == IPPROTO_ICMPV6)
		return vd_drop_quietly(skb, reason);
	if (reason)
		return vd_drop(skb, packet, reason);
	vd_trace_step(VD_STAGE_OUTPUT, 0, packet->flow.output, packet->flow.output_ifindex, 0, packet->flow.destination_port_id);
	return vd_tracing ? TC_ACT_OK : vd_output_link(skb, &packet->flow);
}

#endif
