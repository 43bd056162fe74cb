/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_OUTPUT_H
#define VD_LIB_OUTPUT_H

#include "capture.h"
#include "tunnel.h"

/*
 * Writes what the flow says into the packet: MACs, and one hop less. False: the headers are not in the packet's linear part.
 * The IPv4 checksum changes with the TTL by RFC 1624; the sum over both stays, so a CHECKSUM_COMPLETE one stays right as well.
 */
static __always_inline bool vd_rewrite(struct __sk_buff *skb, const struct vd_flow *flow, __u8 family)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct ethhdr *eth = data;

	if (data + ETH_HLEN + sizeof(struct iphdr) > end)
		return false;
	if (flow->flags & VD_FLOW_FLAG_TTL) {
		if (family == 4) {
			struct iphdr *ip = data + ETH_HLEN;
			__u32 sum = ip->check + bpf_htons(0x0100);

			ip->check = sum + (sum >= 0xffff);
			ip->ttl--;
		} else {
			struct ipv6hdr *ip = data + ETH_HLEN;

			ip->hop_limit--;
		}
	}
	vd_mac_copy(eth->h_dest, flow->destination_mac);
	vd_mac_copy(eth->h_source, flow->source_mac);
	return true;
}

/* Sends the packet where the flow says. Returns the verdict. */
static __always_inline int vd_output(struct __sk_buff *skb, const struct vd_flow *flow)
{
	if (flow->flags & (VD_FLOW_FLAG_CAPTURE | VD_FLOW_FLAG_CAPTURE_DESTINATION))
		vd_capture_flow(skb, flow);
	if (flow->output == VD_OUTPUT_TUNNEL)
		return vd_tunnel_output(skb, flow);
	if (flow->output == VD_OUTPUT_DEVICE)
		return bpf_redirect(flow->output_ifindex, 0);
	/* It was judged by the MAC that it came with; the peer would take it for somebody else's. */
	if (skb->pkt_type != PACKET_HOST)
		bpf_skb_change_type(skb, PACKET_HOST);
	return bpf_redirect_peer(flow->output_ifindex, 0);
}

#endif
