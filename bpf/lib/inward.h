/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_INWARD_H
#define VD_LIB_INWARD_H

#include "bridge.h"

/* From a network into a VPC: to a virtual IP that is here, or untranslated to addresses that are routed inward. */

static __always_inline bool vd_inward_is_routed(__u8 family, __u32 network, const union vd_addr *address)
{
	if (family == 4) {
		struct vd_inward4_key key = {.prefix_length = 64, .network = network, .address = address->word[0]};

		return bpf_map_lookup_elem(&vd_inward4, &key);
	} else {
		struct vd_inward6_key key = {.prefix_length = 160, .network = network, .address = *address};

		return bpf_map_lookup_elem(&vd_inward6, &key);
	}
}

static __always_inline bool vd_inward_is(__u8 family, __u32 network, const union vd_addr *destination)
{
	return network && (vd_bridge_vip_is_here(network, destination) || vd_inward_is_routed(family, network, destination));
}

/* The stage: who is behind the destination. 0 with the domain and the flow's output, or the reason to drop. */
static __always_inline int vd_inward_stage(struct __sk_buff *skb, struct vd_packet *packet)
{
	vd_trace_step(VD_STAGE_VIP, VD_DROP_REASON_VIP_UNSERVED, 0, 0, 0, 0);
	return VD_DROP_REASON_VIP_UNSERVED;
}

#endif
