/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_FRAGMENT_H
#define VD_LIB_FRAGMENT_H

#include "trace.h"

/* The stage: the first fragment leaves its ports for the later ones, which have none. */
static __always_inline int vd_fragment_stage(struct vd_packet *packet)
{
	struct vd_fragment_key key = {
		.ingress = packet->ingress,
		.ingress_type = packet->ingress_type,
		.source = packet->tuple.source,
		.destination = packet->tuple.destination,
		.id = packet->fragment_id,
		.protocol = packet->tuple.protocol,
	};
	struct vd_fragment_value value = {
		.source_port = packet->tuple.source_port,
		.destination_port = packet->tuple.destination_port,
		.icmp_type = packet->icmp_type,
	};
	struct vd_fragment_value *first;

	if (packet->fragment == VD_FRAGMENT_KIND_FIRST && !vd_tracing)
		bpf_map_update_elem(&vd_fragment, &key, &value, BPF_ANY);
	if (packet->fragment != VD_FRAGMENT_KIND_LATER)
		return 0;
	first = bpf_map_lookup_elem(&vd_fragment, &key);
	if (!first) {
		vd_trace_step(VD_STAGE_CONNECTION, VD_DROP_REASON_FRAGMENT, 0, 0, 0, 0);
		return VD_DROP_REASON_FRAGMENT;
	}
	packet->tuple.source_port = first->source_port;
	packet->tuple.destination_port = first->destination_port;
	packet->icmp_type = first->icmp_type;
	return 0;
}

#endif
