/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_SEGMENT_H
#define VD_LIB_SEGMENT_H

#include "arp.h"
#include "learn.h"
#include "ndp.h"

/*
 * ARP and neighbour discovery from the wire. Answered for what is here: virtual IPs with the uplink's MAC, instances with their own,
 * tagged as asked. Who speaks is learnt. What is neither for us nor for one instance is the host's own, and is not changed.
 */

/* Who here answers for this address. False: no one. */
static __always_inline bool vd_segment_find(const struct vd_packet *packet, __u8 family, const union vd_addr *target, __u8 *ret_mac)
{
	__u32 network = packet->segment.network;
	struct vd_endpoint_value *endpoint;

	if (network && vd_bridge_vip_is_here(network, target))
		return vd_bridge_vip_mac(network, target, ret_mac);
	if (!packet->segment.subnet)
		return false;
	endpoint = vd_endpoint_find(family, packet->segment.domain, target);
	if (!endpoint || endpoint->place != VD_ENDPOINT_PLACE_HERE || endpoint->subnet != packet->segment.subnet)
		return false;
	vd_mac_copy(ret_mac, endpoint->mac);
	return true;
}

static __always_inline void vd_segment_learn(const struct vd_packet *packet, __u8 family, const union vd_addr *address,
					     const __u8 *mac)
{
	if (packet->segment.network)
		vd_learn(family, packet->segment.network, address, mac);
	if (packet->segment.domain && packet->segment.domain != packet->segment.network)
		vd_learn(family, packet->segment.domain, address, mac);
}

/* To the instance that it is addressed to; otherwise to the host. Returns the verdict. */
static __always_inline int vd_segment_deliver(struct __sk_buff *skb, struct vd_packet *packet)
{
	if (!packet->segment.subnet || (packet->destination_mac[0] & 1) ||
	    vd_bridge_to_port(packet, packet->segment.subnet, packet->destination_mac, VD_DEPENDENCY_PORT))
		return VD_PASS;
	return vd_output_link(skb, &packet->flow);
}

static __always_inline int vd_segment_arp(struct __sk_buff *skb, struct vd_packet *packet)
{
	union vd_addr address = {}, sender = {};
	struct vd_arp arp;
	__u8 mac[6] = {0};

	if (vd_arp_read(skb, packet, &arp))
		return VD_PASS;
	sender.word[0] = arp.sender;
	vd_segment_learn(packet, 4, &sender, arp.sender_mac);
	address.word[0] = arp.target;
	if (arp.operation == bpf_htons(VD_ARP_REQUEST) && arp.sender != arp.target && vd_segment_find(packet, 4, &address, mac)) {
		if (arp.sender)
			vd_learn_asker(4, packet->segment.network, &sender, arp.sender_mac);
		return vd_arp_answer(skb, packet, &arp, mac);
	}
	return vd_segment_deliver(skb, packet);
}

static __always_inline int vd_segment_ndp(struct __sk_buff *skb, struct vd_packet *packet)
{
	struct ipv6hdr ip;
	struct vd_ndp ndp;
	bool is_question, has_mac;
	__u8 mac[6] = {0};

	if (vd_ndp_read(skb, packet, &ip, &ndp))
		return VD_PASS;
	is_question = ndp.type == VD_NEIGHBOUR_SOLICITATION;
	has_mac = ndp.option == (is_question ? VD_NDP_OPTION_SOURCE : VD_NDP_OPTION_TARGET) && ndp.option_length == 1;
	if (!is_question || !vd_ndp_is_unspecified(&packet->tuple.source))
		vd_segment_learn(packet, 6, is_question ? &packet->tuple.source : &ndp.target,
				 has_mac ? ndp.mac : packet->source_mac);
	if (is_question && vd_segment_find(packet, 6, &ndp.target, mac)) {
		if (has_mac && !vd_ndp_is_unspecified(&packet->tuple.source))
			vd_learn_asker(6, packet->segment.network, &packet->tuple.source, ndp.mac);
		return vd_ndp_answer(skb, packet, &ip, &ndp, mac, false);
	}
	return vd_segment_deliver(skb, packet);
}

/* Returns the verdict. */
static __noinline int vd_segment_handle(struct __sk_buff *skb, struct vd_packet *packet)
{
	__u8 ethernet[ETH_HLEN];

	if (bpf_skb_load_bytes(skb, 0, ethernet, sizeof(ethernet)))
		return VD_PASS;
	vd_mac_copy(packet->destination_mac, ethernet);
	vd_mac_copy(packet->source_mac, ethernet + ETH_ALEN);
	if (skb->protocol == bpf_htons(ETH_P_ARP))
		return vd_segment_arp(skb, packet);
	return vd_segment_ndp(skb, packet);
}

#endif
