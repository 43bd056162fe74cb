/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_NEIGHBOUR_H
#define VD_LIB_NEIGHBOUR_H

#include "capture.h"
#include "drop.h"
#include "parse.h"
#include "source.h"

#define VD_NEIGHBOUR_SOLICITATION 135
#define VD_NEIGHBOUR_ADVERTISEMENT 136
#define VD_IPV6_OFFSET_NEXT 6

/* Whether neighbour.bpf.c is to have this packet: ARP, and IPv6 neighbour discovery (RFC 4861: no extension headers, hop limit 255). */
static __always_inline bool vd_neighbour_is(struct __sk_buff *skb, const struct vd_packet *packet)
{
	__u8 next = 0, type = 0;

	if (packet->ingress_type != VD_INGRESS_PORT || skb->vlan_present)
		return false;
	if (skb->protocol == bpf_htons(ETH_P_ARP))
		return true;
	if (skb->protocol != bpf_htons(ETH_P_IPV6))
		return false;
	if (bpf_skb_load_bytes(skb, ETH_HLEN + VD_IPV6_OFFSET_NEXT, &next, 1) ||
	    bpf_skb_load_bytes(skb, ETH_HLEN + sizeof(struct ipv6hdr), &type, 1))
		return false;
	return next == IPPROTO_ICMPV6 && (type == VD_NEIGHBOUR_SOLICITATION || type == VD_NEIGHBOUR_ADVERTISEMENT);
}

#endif
