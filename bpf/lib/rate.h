/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_RATE_H
#define VD_LIB_RATE_H

#include "trace.h"

/*
 * Bandwidth limits of ports. No queue is passed on the way from one instance to another, so what is too much is dropped here; TCP takes
 * that as the sign that it is. Ports without a limit, which are most, pay for none of this: their flows lack the flags.
 */

#define VD_FLOW_RATES (VD_FLOW_FLAG_RATE_OUT | VD_FLOW_FLAG_RATE_IN)

/* How often another CPU may be faster before we stop looking. */
#define VD_RATE_TRIES 4

/* On the wire: each segment of a GSO packet has headers of its own. */
static __always_inline __u64 vd_rate_bytes(const struct __sk_buff *skb, __u32 header_size)
{
	__u32 bytes = skb->len, segment = skb->gso_size, headers = ETH_HLEN + header_size;

	if (!segment || bytes <= headers)
		return bytes;
	return bytes + (__u64)((bytes - headers - 1) / segment) * headers;
}

/* Takes bytes out of the bucket. False: it has none. One that is not there limits nothing: it was taken away a moment ago. */
static __noinline bool vd_rate_take(__u32 port_id, __u32 direction, __u64 bytes)
{
	struct vd_rate_key key = {.port_id = port_id, .direction = direction};
	struct vd_rate_value *rate = bpf_map_lookup_elem(&vd_rate, &key);
	__u64 now, spent, from, cost;
	__u32 i;

	if (!rate || !rate->rate)
		return true;
	now = bpf_ktime_get_ns();
	cost = bytes * VD_SECOND / rate->rate;
#pragma unroll
	for (i = 0; i < VD_RATE_TRIES; i++) {
		spent = *(volatile __u64 *)&rate->spent;
		from = spent > now ? spent : now;
		if (from - now > rate->burst) {
			__sync_fetch_and_add(&rate->packets, 1);
			__sync_fetch_and_add(&rate->bytes, bytes);
			return false;
		}
		if (__sync_val_compare_and_swap(&rate->spent, spent, from + cost) == spent)
			return true;
	}
	__sync_fetch_and_add(&rate->spent, cost);
	return true;
}

/* Whether the limits of both ends let the packet pass. header_size: of IP and transport. */
static __noinline bool vd_rate_pass(const struct __sk_buff *skb, const struct vd_flow *flow, __u32 header_size)
{
	__u64 bytes = vd_rate_bytes(skb, header_size);

	if ((flow->flags & VD_FLOW_FLAG_RATE_OUT) && !vd_rate_take(flow->source_port_id, VD_RATE_DIRECTION_OUT, bytes))
		return false;
	return !(flow->flags & VD_FLOW_FLAG_RATE_IN) || vd_rate_take(flow->destination_port_id, VD_RATE_DIRECTION_IN, bytes);
}

/* For the trace, which takes nothing: that there is a limit, and whether it is used up at the moment. */
static __always_inline void vd_rate_trace(__u32 port_id, __u32 direction)
{
	struct vd_rate_key key = {.port_id = port_id, .direction = direction};
	struct vd_rate_value *rate = bpf_map_lookup_elem(&vd_rate, &key);
	__u64 now = bpf_ktime_get_ns(), kilobytes;

	if (!rate)
		return;
	kilobytes = rate->rate / 1000;
	vd_trace_step(VD_STAGE_RATE, 0, port_id, direction, kilobytes > ~0U ? ~0U : kilobytes,
		      rate->spent > now && rate->spent - now > rate->burst);
}

static __always_inline void vd_rate_explain(const struct vd_flow *flow)
{
	if (flow->flags & VD_FLOW_FLAG_RATE_OUT)
		vd_rate_trace(flow->source_port_id, VD_RATE_DIRECTION_OUT);
	if (flow->flags & VD_FLOW_FLAG_RATE_IN)
		vd_rate_trace(flow->destination_port_id, VD_RATE_DIRECTION_IN);
}

#endif
