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
	__u32 *macs = data;

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
	macs[0] = vd_macs_word(flow->destination_mac, 0);
	macs[1] = vd_macs_word(flow->destination_mac, 1);
	macs[2] = vd_macs_word(flow->destination_mac, 2);
	return true;
}

/* A tag that is in the way comes off: the next link has its own, or none. */
static __always_inline void vd_output_untag(struct __sk_buff *skb)
{
	if (skb->vlan_present)
		bpf_skb_vlan_pop(skb);
}

static __always_inline int vd_output_uplink(struct __sk_buff *skb, const struct vd_flow *flow)
{
	vd_output_untag(skb);
	if (flow->vlan && bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), flow->vlan))
		return TC_ACT_SHOT;
	return bpf_redirect(flow->output_ifindex, 0);
}

/* What a packet that turns round brings along, in skb->cb. Nothing in it can be trusted but after such a tail call. */
enum vd_turn {
	VD_TURN_IFINDEX,
	VD_TURN_VLAN,
	VD_TURN_COUNT, /* 0: a frame from the wire */
};

/* Sends the packet where the flow says, on a link. Returns the verdict. */
static __always_inline int vd_output_link(struct __sk_buff *skb, const struct vd_flow *flow)
{
	if (flow->flags & (VD_FLOW_FLAG_CAPTURE | VD_FLOW_FLAG_CAPTURE_DESTINATION))
		vd_capture_flow(skb, flow);
	if (flow->output == VD_OUTPUT_UPLINK)
		return vd_output_uplink(skb, flow);
	vd_output_untag(skb);
	if (flow->output == VD_OUTPUT_TUNNEL)
		return vd_tunnel_output(skb, flow);
	if (flow->output == VD_OUTPUT_DEVICE)
		return bpf_redirect(flow->output_ifindex, 0);
	/* It was judged by the MAC that it came with; the peer would take it for somebody else's. */
	if (skb->pkt_type != PACKET_HOST)
		bpf_skb_change_type(skb, PACKET_HOST);
	return bpf_redirect_peer(flow->output_ifindex, 0);
}

#define VD_OUTPUT_GO_ROUND (-2)

/* The same, or round to the uplink's program, for an address of ours on the network that it leaves to. What it returns is for vd_output_go. */
static __always_inline int vd_output_set(struct __sk_buff *skb, const struct vd_flow *flow)
{
	if (flow->output != VD_OUTPUT_TURN)
		return vd_output_link(skb, flow);
	if (flow->flags & VD_FLOW_FLAG_CAPTURE)
		vd_capture_flow(skb, flow);
	skb->cb[VD_TURN_IFINDEX] = flow->output_ifindex;
	skb->cb[VD_TURN_VLAN] = flow->vlan;
	skb->cb[VD_TURN_COUNT] = 1;
	return VD_OUTPUT_GO_ROUND;
}

/* The verdict. Not in a function that is called: a tail call from there costs stack. */
static __always_inline int vd_output_go(struct __sk_buff *skb, int verdict)
{
	if (verdict != VD_OUTPUT_GO_ROUND)
		return verdict;
	bpf_tail_call(skb, &vd_programs, VD_PROGRAM_UPLINK);
	return TC_ACT_SHOT;
}

#endif
