/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_INSTALL_H
#define VD_LIB_INSTALL_H

#include "packet.h"

/* What the cache may not answer: errors, fragments, what the service port's kernel answers, and the end of a TCP connection. */
static __always_inline bool vd_install_may(const struct vd_packet *packet)
{
	return !packet->is_icmp_error && packet->fragment == VD_FRAGMENT_KIND_NONE && !packet->for_service &&
	       !(packet->tcp_flags & (VD_TCP_FIN | VD_TCP_RST));
}

static __always_inline void vd_install_trace(const struct vd_flow *flow)
{
	__u32 zero = 0;
	struct vd_trace *trace = bpf_map_lookup_elem(&vd_trace, &zero);

	if (trace)
		trace->flow = *flow;
}

/* The stage: the cache learns what decide found out. */
static __always_inline void vd_install(struct __sk_buff *skb, struct vd_packet *packet)
{
	struct vd_counters *counters;
	struct vd_flow *flow = &packet->flow;
	__u64 now = bpf_ktime_get_coarse_ns();

	flow->packets = 1;
	flow->bytes = skb->len;
	flow->last_seen = now;
	flow->touched = now;
	if (vd_tracing) {
		vd_install_trace(flow);
		return;
	}
	if (packet->family == 4) {
		struct vd_flow4_key key = {
			.ingress = packet->ingress,
			.ingress_type = packet->ingress_type,
			.source = packet->tuple.source.word[0],
			.destination = packet->tuple.destination.word[0],
			.source_port = packet->tuple.source_port,
			.destination_port = packet->flow_port,
			.protocol = packet->tuple.protocol,
		};

		bpf_map_update_elem(&vd_flow4, &key, flow, BPF_ANY);
	} else {
		struct vd_flow6_key key = {
			.ingress = packet->ingress,
			.ingress_type = packet->ingress_type,
			.source = packet->tuple.source,
			.destination = packet->tuple.destination,
			.source_port = packet->tuple.source_port,
			.destination_port = packet->flow_port,
			.protocol = packet->tuple.protocol,
		};

		bpf_map_update_elem(&vd_flow6, &key, flow, BPF_ANY);
	}
	counters = vd_counters_here();
	if (counters)
		counters->installed++;
}

#endif
