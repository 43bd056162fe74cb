/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_DEPENDENCY_H
#define VD_LIB_DEPENDENCY_H

#include "packet.h"

static __always_inline struct vd_generations *vd_generations_here(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&vd_generation, &zero);
}

static __always_inline __u32 vd_generation_of(__u32 slot)
{
	struct vd_generations *generations = vd_generations_here();

	return generations ? *(volatile __u32 *)&generations->value[slot & (VD_GENERATION_SLOTS - 1)] : 0;
}

/*
 * Notes that the flow depends on slot, and reads it. To be called before the lookup that the slot stands for: whoever changes the
 * entry afterwards bumps the slot afterwards, and the sum is stale.
 */
static __always_inline void vd_depend(struct vd_packet *packet, enum vd_dependency dependency, __u32 slot)
{
	struct vd_generations *generations = vd_generations_here();

	if (!generations)
		return;
	packet->flow.dependency[dependency] = slot;
	packet->flow.generation_sum += *(volatile __u32 *)&generations->value[slot & (VD_GENERATION_SLOTS - 1)];
}

/* Whether nothing that the flow depends on has moved. */
static __always_inline bool vd_flow_is_current(const struct vd_flow *flow)
{
	struct vd_generations *generations = vd_generations_here();
	__u64 sum = 0;
	__u32 i;

	if (!generations)
		return false;
#pragma unroll
	for (i = 0; i < VD_FLOW_DEPENDENCIES; i++)
		sum += generations->value[flow->dependency[i]];
	return sum == flow->generation_sum;
}

#endif
