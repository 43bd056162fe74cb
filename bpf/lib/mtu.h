/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_MTU_H
#define VD_LIB_MTU_H

#include "route.h"

/* What each packet of a GSO packet will measure, or the packet itself. */
static __always_inline __u32 vd_mtu_size(const struct __sk_buff *skb, __u32 header_size)
{
	__u32 length = skb->len;

	/* Lest the compiler choose between two pointers and load once: the verifier wants each load to be of one kind. */
	asm volatile("" : "+r"(length));
	if (skb->gso_size)
		return skb->gso_size + header_size;
	return length - ETH_HLEN;
}

/*
 * The stage: what is too big for the path and may not be cut goes to the service port, whose kernel answers "fragmentation needed"
 * or "packet too big". What may be cut goes on: towards a tunnel the underlay cuts it.
 */
static __always_inline int vd_mtu_stage(struct __sk_buff *skb, struct vd_packet *packet)
{
	__u32 size = vd_mtu_size(skb, packet->header_size);
	bool too_big = size > packet->flow.mtu && packet->dont_fragment;
	int reason = 0;

	if (too_big) {
		packet->for_service = true;
		reason = vd_route_to_service(packet) ? VD_DROP_REASON_TOO_BIG : 0;
	}
	vd_trace_step(VD_STAGE_MTU, reason, size, packet->flow.mtu, too_big, 0);
	return reason;
}

/* The stage: a packet whose time runs out here goes to the service port, whose kernel answers "time exceeded". */
static __always_inline int vd_ttl_stage(struct vd_packet *packet)
{
	bool falls = packet->flow.flags & VD_FLOW_FLAG_TTL, expired = falls && packet->ttl <= 1;
	int reason = 0;

	if (expired) {
		packet->for_service = true;
		reason = vd_route_to_service(packet) ? VD_DROP_REASON_HOP_LIMIT : 0;
	}
	vd_trace_step(VD_STAGE_TTL, reason, packet->ttl, packet->ttl - (falls && !expired), expired, 0);
	return reason;
}

#endif
