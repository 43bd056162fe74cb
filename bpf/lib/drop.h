/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_DROP_H
#define VD_LIB_DROP_H

#include "packet.h"
#include "trace.h"

struct vd_drop_rate {
	__u64 second;
	__u64 samples;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct vd_drop_rate);
	__uint(max_entries, VD_DROP_REASON_COUNT);
} vd_drop_rate SEC(".maps") __weak;

static __always_inline void vd_drop_count_packet(struct __sk_buff *skb, __u32 reason)
{
	struct vd_drop_count *count = bpf_map_lookup_elem(&vd_drop_count, &reason);

	if (count) {
		count->packets++;
		count->bytes += skb->len;
	}
}

static __always_inline bool vd_drop_may_sample(__u32 reason, __u64 now)
{
	struct vd_drop_rate *rate = bpf_map_lookup_elem(&vd_drop_rate, &reason);

	if (!rate)
		return false;
	if (rate->second != now / VD_SECOND) {
		rate->second = now / VD_SECOND;
		rate->samples = 0;
	}
	return rate->samples++ < VD_DROP_SAMPLES_PER_SECOND;
}

static __always_inline void vd_drop_sample(struct __sk_buff *skb, const struct vd_packet *packet, __u32 reason)
{
	__u64 now = bpf_ktime_get_ns();
	struct vd_drop_event *event;

	if (!vd_drop_may_sample(reason, now))
		return;
	event = bpf_ringbuf_reserve(&vd_drop_events, sizeof(*event), 0);
	if (!event)
		return;
	__builtin_memset(event, 0, sizeof(*event));
	event->time = now;
	event->reason = reason;
	event->port_id = packet->port.id;
	if (packet->ingress_type == VD_INGRESS_TUNNEL)
		event->vni = packet->ingress;
	event->ifindex = skb->ifindex;
	event->domain = packet->domain;
	event->route_id = packet->route_id;
	event->size = skb->len;
	event->family = packet->family;
	event->protocol = packet->tuple.protocol;
	event->source_port = packet->tuple.source_port;
	event->destination_port = packet->tuple.destination_port;
	event->source = packet->tuple.source;
	event->destination = packet->tuple.destination;
	event->policy_port_id = packet->policy_port_id;
	event->policy_direction = packet->policy_direction;
	event->network = packet->way.network ? packet->way.network : packet->segment.network;
	event->vip = packet->way.vip;
	bpf_ringbuf_submit(event, 0);
}

/* Every drop ends here: counted, and sampled to vd_drop_events. Returns the verdict. */
static __noinline int vd_drop(struct __sk_buff *skb, const struct vd_packet *packet, __u32 reason)
{
	if (vd_tracing) {
		vd_trace_drop(reason);
		return TC_ACT_SHOT;
	}
	vd_drop_count_packet(skb, reason);
	vd_drop_sample(skb, packet, reason);
	return TC_ACT_SHOT;
}

/* For what every guest sends unasked (MLD, router solicitations, address probes): counted, never sampled. */
static __always_inline int vd_drop_quietly(struct __sk_buff *skb, __u32 reason)
{
	if (!vd_tracing)
		vd_drop_count_packet(skb, reason);
	return TC_ACT_SHOT;
}

#endif
