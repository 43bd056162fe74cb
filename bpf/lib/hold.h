/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_HOLD_H
#define VD_LIB_HOLD_H

#include "drop.h"

/*
 * The first packet to a neighbour whose MAC is not known is not lost: the agent, who asks on the wire, sends it when he has the answer.
 * Nothing of the host's own is used for that, so that the host needs no address there and shows none. Returns the verdict.
 */
static __noinline int vd_hold(struct __sk_buff *skb, const struct vd_packet *packet)
{
	struct vd_neighbour_packet *held;
	__u32 size = skb->len;

	/* Each packet of a GSO one would have to be made first. */
	if (skb->gso_size || size < ETH_HLEN || size > VD_NEIGHBOUR_FRAME)
		return vd_drop(skb, packet, VD_DROP_REASON_NEXT_HOP_UNKNOWN);
	held = bpf_ringbuf_reserve(&vd_neighbour_events, sizeof(*held), 0);
	if (!held)
		return vd_drop(skb, packet, VD_DROP_REASON_NEXT_HOP_UNKNOWN);
	held->event.network = packet->waits_for.network;
	held->event.family = packet->family;
	held->event.address = packet->waits_for.address;
	held->event.known = 0;
	held->event.size = size;
	/* The verifier has to see the bounds on what is passed. */
	asm volatile("" : "+r"(size));
	if (size < ETH_HLEN || size > VD_NEIGHBOUR_FRAME || bpf_skb_load_bytes(skb, 0, held->frame, size)) {
		bpf_ringbuf_discard(held, 0);
		return vd_drop(skb, packet, VD_DROP_REASON_NEXT_HOP_UNKNOWN);
	}
	bpf_ringbuf_submit(held, 0);
	return TC_ACT_SHOT;
}

#endif
