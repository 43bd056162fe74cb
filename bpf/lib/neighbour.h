/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_NEIGHBOUR_H
#define VD_LIB_NEIGHBOUR_H

#include "bridge.h"
#include "capture.h"
#include "drop.h"
#include "output.h"
#include "route.h"
#include "source.h"
#include "trace.h"

#define VD_NEIGHBOUR_SOLICITATION 135
#define VD_NEIGHBOUR_ADVERTISEMENT 136
#define VD_IPV6_OFFSET_NEXT 6

/* RFC 4861: no extension headers. */
static __always_inline bool vd_neighbour_is_ndp(struct __sk_buff *skb)
{
	__u8 next = 0, type = 0;

	if (skb->protocol != bpf_htons(ETH_P_IPV6))
		return false;
	if (bpf_skb_load_bytes(skb, ETH_HLEN + VD_IPV6_OFFSET_NEXT, &next, 1) ||
	    bpf_skb_load_bytes(skb, ETH_HLEN + sizeof(struct ipv6hdr), &type, 1))
		return false;
	return next == IPPROTO_ICMPV6 && (type == VD_NEIGHBOUR_SOLICITATION || type == VD_NEIGHBOUR_ADVERTISEMENT);
}

/* Whether neighbour.bpf.c is to have this packet from a port: ARP, and IPv6 neighbour discovery. */
static __always_inline bool vd_neighbour_is(struct __sk_buff *skb, const struct vd_packet *packet)
{
	if (packet->ingress_type != VD_INGRESS_PORT || skb->vlan_present)
		return false;
	return skb->protocol == bpf_htons(ETH_P_ARP) || vd_neighbour_is_ndp(skb);
}

enum vd_neighbour_answer {
	VD_NEIGHBOUR_ANSWER_UNKNOWN,
	VD_NEIGHBOUR_ANSWER_SILENCE, /* the asker's own address */
	VD_NEIGHBOUR_ANSWER_MAC,
	VD_NEIGHBOUR_ANSWER_GATEWAY,
};

/*
 * A container sends everything to its node, whatever it takes to be on its link: blocks may be. The node's kernel is told of whom it
 * can reach this way, and nobody else, so that it tells who asks for the others that they are not there.
 */
static __always_inline enum vd_neighbour_answer vd_neighbour_find_container(const struct vd_packet *packet, __u8 family,
									    const union vd_addr *target, __u8 *ret_mac)
{
	struct vd_endpoint_value *endpoint = vd_endpoint_find(family, packet->domain, target);
	bool is_gateway = endpoint && endpoint->place == VD_ENDPOINT_PLACE_GATEWAY;
	struct vd_route_value *route;

	if (endpoint && endpoint->place == VD_ENDPOINT_PLACE_HERE && endpoint->ifindex == packet->ingress)
		return VD_NEIGHBOUR_ANSWER_SILENCE;
	vd_mac_copy(ret_mac, vd_gateway_mac);
	if (family == 6 && vd_addr_is_link_local6(target) && !vd_addr_is_router_link_local6(target))
		return VD_NEIGHBOUR_ANSWER_UNKNOWN;
	if (family == 6 && vd_addr_is_router_link_local6(target))
		is_gateway = true;
	if (!vd_from_service(packet))
		return is_gateway ? VD_NEIGHBOUR_ANSWER_GATEWAY : VD_NEIGHBOUR_ANSWER_MAC;
	if (is_gateway)
		return VD_NEIGHBOUR_ANSWER_SILENCE;
	route = endpoint ? NULL : vd_route_find(family, packet->domain, 0, target);
	return endpoint || (route && route->type == VD_ROUTE_TYPE_TUNNEL) ? VD_NEIGHBOUR_ANSWER_MAC : VD_NEIGHBOUR_ANSWER_UNKNOWN;
}

/*
 * Who has this address, as the port may know: its own subnet's endpoints and gateway, and those of no subnet (metadata). A router's
 * namespace belongs to no subnet and may know all.
 */
static __always_inline enum vd_neighbour_answer vd_neighbour_find(const struct vd_packet *packet, __u8 family,
								  const union vd_addr *target, __u8 *ret_mac)
{
	struct vd_endpoint_value *endpoint;

	if (vd_is_container_port(packet))
		return vd_neighbour_find_container(packet, family, target, ret_mac);
	if ((packet->bridge.flags & VD_SUBNET_FLAG_NETWORK) && vd_bridge_vip_mac(packet->domain, target, ret_mac))
		return VD_NEIGHBOUR_ANSWER_MAC;
	if (vd_bridge_is_gateway(packet, family, target) || (family == 6 && vd_addr_is_router_link_local6(target))) {
		vd_mac_copy(ret_mac, vd_gateway_mac);
		return vd_from_service(packet) ? VD_NEIGHBOUR_ANSWER_SILENCE : VD_NEIGHBOUR_ANSWER_GATEWAY;
	}
	endpoint = vd_endpoint_find(family, packet->domain, target);
	if (!endpoint || (packet->port.subnet && endpoint->subnet && endpoint->subnet != packet->port.subnet))
		return VD_NEIGHBOUR_ANSWER_UNKNOWN;
	if (endpoint->place == VD_ENDPOINT_PLACE_GATEWAY) {
		vd_mac_copy(ret_mac, vd_gateway_mac);
		return vd_from_service(packet) ? VD_NEIGHBOUR_ANSWER_SILENCE : VD_NEIGHBOUR_ANSWER_GATEWAY;
	}
	if (endpoint->place == VD_ENDPOINT_PLACE_HERE && endpoint->ifindex == packet->ingress)
		return VD_NEIGHBOUR_ANSWER_SILENCE;
	vd_mac_copy(ret_mac, endpoint->mac);
	return VD_NEIGHBOUR_ANSWER_MAC;
}

/* Whether the port may say that this address is at this MAC. */
static __always_inline bool vd_neighbour_may_claim(const struct vd_packet *packet, __u8 family, const union vd_addr *address,
						   const __u8 *mac)
{
	if (!(packet->port.flags & VD_PORT_FLAG_SOURCE_CHECK) || vd_from_service(packet))
		return true;
	if (!vd_mac_equal(mac, packet->port.mac))
		return false;
	return vd_source_judge(family, packet->domain, packet->ingress, packet->port.id, address) != VD_SOURCE_VERDICT_FOREIGN;
}

/*
 * A question without an answer, or what an instance tells everybody. In a VPC it ends here; a provider segment is for others too.
 * Returns the verdict.
 */
static __always_inline int vd_neighbour_pass(struct __sk_buff *skb, struct vd_packet *packet, int reason)
{
	if (packet->bridge.flags && (!reason || reason == VD_DROP_REASON_NEIGHBOUR_UNKNOWN)) {
		reason = vd_bridge_to_wire(packet);
		if (!reason)
			return vd_tracing ? TC_ACT_OK : vd_output_uplink(skb, &packet->flow);
	}
	return reason ? vd_drop(skb, packet, reason) : vd_drop_quietly(skb, VD_DROP_REASON_MULTICAST);
}

/* Sends an answer back to where the question came from. */
static __always_inline int vd_neighbour_reply(struct __sk_buff *skb, const struct vd_packet *packet)
{
	struct vd_counters *counters = vd_counters_here();

	if (counters)
		counters->neighbour_answers++;
	if (packet->port.flags & VD_PORT_FLAG_CAPTURE)
		vd_capture_packet(skb, packet->port.id, 1);
	return bpf_redirect(skb->ifindex, 0);
}

#endif
