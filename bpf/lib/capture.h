/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_CAPTURE_H
#define VD_LIB_CAPTURE_H

#include "packet.h"

/* Copies the packet, as it is now, to vd_capture. */
static __noinline int vd_capture_packet(struct __sk_buff *skb, __u32 port_id, __u32 is_egress)
{
	struct vd_capture_event *event = bpf_ringbuf_reserve(&vd_capture, sizeof(*event), 0);
	__u32 length = skb->len;

	if (!event)
		return 0;
	if (length > VD_CAPTURE_SNAP)
		length = VD_CAPTURE_SNAP;
	event->time = bpf_ktime_get_ns();
	event->port_id = port_id;
	event->size = skb->len;
	event->captured = length;
	event->is_egress = is_egress;
	/*
	 * The verifier wants to see both bounds of the very register that it checks: the upper one above, the lower one here, kept apart
	 * so that the compiler does not make one comparison of them. Linux 6.1 learns nothing from "is not 0".
	 */
	asm volatile("" : "+r"(length));
	if (length < sizeof(struct ethhdr) || bpf_skb_load_bytes(skb, 0, event->data, length)) {
		bpf_ringbuf_discard(event, 0);
		return 0;
	}
	bpf_ringbuf_submit(event, 0);
	return 0;
}

static __always_inline void vd_capture_flow(struct __sk_buff *skb, const struct vd_flow *flow)
{
	if (flow->flags & VD_FLOW_FLAG_CAPTURE)
		vd_capture_packet(skb, flow->source_port_id, 0);
	if (flow->flags & VD_FLOW_FLAG_CAPTURE_DESTINATION)
		vd_capture_packet(skb, flow->destination_port_id, 1);
}

#endif
