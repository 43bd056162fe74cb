// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * ARP and IPv6 neighbour discovery, by tail call from decide and uplink: answered from what we know, nothing is flooded. What they
 * found out about the ingress stands in the scratch area.
 */
#include "lib/arp.h"
#include "lib/ndp.h"
#include "lib/segment.h"

/* From a port. A function of its own, as vd_segment_handle is: each has the stack to itself. */
static __noinline int vd_answer_port(struct __sk_buff *skb, struct vd_packet *packet)
{
	__u8 ethernet[ETH_HLEN];

	if (bpf_skb_load_bytes(skb, 0, ethernet, sizeof(ethernet)))
		return vd_drop(skb, packet, VD_DROP_REASON_MALFORMED);
	vd_mac_copy(packet->destination_mac, ethernet);
	vd_mac_copy(packet->source_mac, ethernet + ETH_ALEN);
	if ((packet->port.flags & VD_PORT_FLAG_CAPTURE) && !vd_tracing)
		vd_capture_packet(skb, packet->port.id, 0);
	if (skb->protocol == bpf_htons(ETH_P_ARP))
		return vd_arp_handle(skb, packet);
	return vd_ndp_handle(skb, packet);
}

SEC("tc")
int vd_answer(struct __sk_buff *skb)
{
	__u32 index = vd_tracing ? 1 : 0;
	struct vd_packet *packet = bpf_map_lookup_elem(&vd_scratch, &index);

	if (!packet)
		return TC_ACT_SHOT;
	if (packet->ingress_type == VD_INGRESS_UPLINK)
		return vd_segment_handle(skb, packet);
	return vd_answer_port(skb, packet);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
