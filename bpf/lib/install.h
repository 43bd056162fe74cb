/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_INSTALL_H
#define VD_LIB_INSTALL_H

#include "cache.h"
#include "dependency.h"
#include "trace.h"

static __always_inline void vd_install_key4(const struct vd_packet *packet, struct vd_flow4_key *key)
{
	const struct vd_tuple *tuple = packet->way.is_in ? &packet->wire : &packet->tuple;

	__builtin_memset(key, 0, sizeof(*key));
	key->ingress = packet->ingress;
	key->ingress_type = packet->ingress_type;
	key->vlan = packet->vlan;
	key->source = tuple->source.word[0];
	key->destination = tuple->destination.word[0];
	key->source_port = tuple->source_port;
	key->destination_port = packet->flow_port;
	key->protocol = tuple->protocol;
}

static __always_inline void vd_install_key6(const struct vd_packet *packet, struct vd_flow6_key *key)
{
	const struct vd_tuple *tuple = packet->way.is_in ? &packet->wire : &packet->tuple;

	__builtin_memset(key, 0, sizeof(*key));
	key->ingress = packet->ingress;
	key->ingress_type = packet->ingress_type;
	key->vlan = packet->vlan;
	key->source = tuple->source;
	key->destination = tuple->destination;
	key->source_port = tuple->source_port;
	key->destination_port = packet->flow_port;
	key->protocol = tuple->protocol;
}

/*
 * What the cache may not answer: errors, fragments, what the service port's kernel answers, and the end of a TCP connection. And what
 * it need not: the first packet of a connection often has no second one (a question by UDP, a scan, a flood), and neither costs its
 * entry nor displaces a flow that lives. After a SYN there is more to come.
 */
static __always_inline bool vd_install_may(const struct vd_packet *packet)
{
	if (packet->is_first && packet->tuple.protocol != IPPROTO_TCP)
		return false;
	return !packet->waits_for.network && !packet->is_icmp_error && packet->fragment == VD_FRAGMENT_KIND_NONE &&
	       !packet->for_service && !(packet->tcp_flags & (VD_TCP_FIN | VD_TCP_RST));
}

static __always_inline void vd_install_trace(const struct vd_flow *flow)
{
	struct vd_trace *trace = vd_trace_area();

	if (trace)
		trace->flow = *flow;
}

/* The stage: the cache learns what decide found out. Not inline: keys and slots have a frame of their own. */
static __noinline void vd_install(struct __sk_buff *skb, struct vd_packet *packet)
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
		struct vd_flow4_key key;

		vd_install_key4(packet, &key);
		vd_cache_put(4, &key, flow);
	} else {
		struct vd_flow6_key key;

		vd_install_key6(packet, &key);
		vd_cache_put(6, &key, flow);
	}
	counters = vd_counters_here();
	if (counters)
		counters->installed++;
}

static __always_inline struct vd_flow_slot *vd_install_find(const struct vd_packet *packet, __u32 *ret_sequence)
{
	if (packet->family == 4) {
		struct vd_flow4_key key;

		vd_install_key4(packet, &key);
		return vd_cache_find(4, &key, ret_sequence);
	} else {
		struct vd_flow6_key key;

		vd_install_key6(packet, &key);
		return vd_cache_find(6, &key, ret_sequence);
	}
}

/* For the trace: whether the cache would have answered. Decide says the same at more length, so it goes on either way. */
static __always_inline void vd_install_trace_hit(const struct vd_packet *packet)
{
	struct vd_flow_slot *slot;
	__u32 sequence, source_port_id = 0, domain = 0;
	bool hits;

	if (!vd_tracing)
		return;
	slot = vd_install_find(packet, &sequence);
	hits = slot && vd_flow_is_current(&slot->flow) &&
	       (packet->ingress_type == VD_INGRESS_PORT ? vd_mac_equal(slot->flow.expected_source_mac, packet->source_mac)
							: slot->flow.expected_vtep == packet->vtep_fold);
	if (hits) {
		source_port_id = slot->flow.source_port_id;
		domain = slot->flow.domain;
		hits = vd_cache_stands(slot, sequence);
	}
	vd_trace_step(VD_STAGE_FLOW, 0, hits, hits ? source_port_id : 0, hits ? domain : 0, 0);
}

#endif
