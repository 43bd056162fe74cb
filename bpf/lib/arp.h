/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_ARP_H
#define VD_LIB_ARP_H

#include "neighbour.h"

#define VD_ARP_REQUEST 1
#define VD_ARP_REPLY 2

/* RFC 826, for Ethernet and IPv4. */
struct vd_arp {
	__be16 hardware, protocol;
	__u8 hardware_size, protocol_size;
	__be16 operation;
	__u8 sender_mac[6];
	__be32 sender;
	__u8 target_mac[6];
	__be32 target;
} __attribute__((packed));

static __always_inline int vd_arp_read(struct __sk_buff *skb, struct vd_packet *packet, struct vd_arp *arp)
{
	if (bpf_skb_load_bytes(skb, ETH_HLEN, arp, sizeof(*arp)))
		return VD_DROP_REASON_MALFORMED;
	if (arp->hardware != bpf_htons(1) || arp->protocol != bpf_htons(ETH_P_IP) || arp->hardware_size != ETH_ALEN ||
	    arp->protocol_size != 4)
		return VD_DROP_REASON_MALFORMED;
	packet->family = 4;
	packet->tuple.source.word[0] = arp->sender;
	packet->tuple.destination.word[0] = arp->target;
	return 0;
}

/* 0 with the answer, or the reason to drop. */
static __always_inline int vd_arp_judge(struct vd_packet *packet, const struct vd_arp *arp, enum vd_neighbour_answer *ret,
					__u8 *ret_mac)
{
	union vd_addr address = {};

	*ret = VD_NEIGHBOUR_ANSWER_SILENCE;
	address.word[0] = arp->sender;
	if (arp->sender && !vd_neighbour_may_claim(packet, 4, &address, arp->sender_mac))
		return VD_DROP_REASON_NEIGHBOUR_SPOOFED;
	if (arp->operation != bpf_htons(VD_ARP_REQUEST) || !arp->sender || arp->sender == arp->target)
		return 0;
	address.word[0] = arp->target;
	*ret = vd_neighbour_find(packet, 4, &address, ret_mac);
	return *ret == VD_NEIGHBOUR_ANSWER_UNKNOWN ? VD_DROP_REASON_NEIGHBOUR_UNKNOWN : 0;
}

static __always_inline int vd_arp_answer(struct __sk_buff *skb, const struct vd_packet *packet, struct vd_arp *arp, const __u8 *mac)
{
	struct ethhdr ethernet = {.h_proto = bpf_htons(ETH_P_ARP)};
	__be32 asked = arp->target;

	vd_mac_copy(ethernet.h_dest, arp->sender_mac);
	vd_mac_copy(ethernet.h_source, mac);
	arp->operation = bpf_htons(VD_ARP_REPLY);
	vd_mac_copy(arp->target_mac, arp->sender_mac);
	arp->target = arp->sender;
	vd_mac_copy(arp->sender_mac, mac);
	arp->sender = asked;
	if (bpf_skb_store_bytes(skb, 0, &ethernet, sizeof(ethernet), 0) || bpf_skb_store_bytes(skb, ETH_HLEN, arp, sizeof(*arp), 0))
		return vd_drop(skb, packet, VD_DROP_REASON_INTERNAL);
	return vd_neighbour_reply(skb, packet);
}

/* Answers an ARP request from the endpoint table. Returns the verdict. */
static __always_inline int vd_arp_handle(struct __sk_buff *skb, struct vd_packet *packet)
{
	enum vd_neighbour_answer answer = VD_NEIGHBOUR_ANSWER_SILENCE;
	struct vd_arp arp;
	__u8 mac[6] = {0};
	int reason;

	reason = vd_arp_read(skb, packet, &arp);
	if (!reason)
		reason = vd_arp_judge(packet, &arp, &answer, mac);
	vd_trace_step(VD_STAGE_NEIGHBOUR, reason, answer > VD_NEIGHBOUR_ANSWER_SILENCE, 0, 0, 0);
	if (reason || answer == VD_NEIGHBOUR_ANSWER_SILENCE)
		return vd_neighbour_pass(skb, packet, reason);
	return vd_tracing ? TC_ACT_OK : vd_arp_answer(skb, packet, &arp, mac);
}

#endif
