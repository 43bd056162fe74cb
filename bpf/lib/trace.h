/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_TRACE_H
#define VD_LIB_TRACE_H

#include "packet.h"

/*
 * What the tracing copy writes, one step a stage. Details by stage:
 *   PARSE         family, protocol, size, fragment kind
 *   NEIGHBOUR     1: the data plane answers, 0: it swallows
 *   FLOW          1: a valid flow is cached, source port id, domain
 *   SOURCE_CHECK  source port id, 0: off, 1: the port's own address, 2: an opened one
 *   CONNECTION    1: known, 2: new, 3: an error about a known one; state before this packet; initiator is high
 *   ROUTE         route id, enum vd_route_type, table; TUNNEL, STACK, PEER: the target, LOCAL in a container network: 1
 *   ENDPOINT      port id (0: the gateway), enum vd_endpoint_place, subnet, host
 *   TTL           as it came, as it leaves; 1: the service port answers
 *   MTU           the packet's, the path's; 1: the service port answers
 *   OUTPUT        enum vd_output, ifindex, VNI, destination port id
 *   EGRESS_POLICY, INGRESS_POLICY  rule id (0: none, or none is needed), the port's identity, the remote end's, port id
 *   VIP           its id (0: an address that is routed inward), enum vd_vip_type, forward id, network
 *   POLICY_ROUTE  id, table, mark, the table that it looks up (0: it has a route)
 *   EXIT          exit id, network, host (0: here), 1: back where its connection came in
 *   TRANSLATION   enum vd_translation, the VIP's first word, its port, network
 *   PEERING       the VPC that it comes from, the one that it goes to, route id there, enum vd_route_type there
 *   PEER_SOURCE, PEER_DESTINATION  the address as the peer sees it, where that is another one
 *   RATE          port id, enum vd_rate_direction, kilobytes per second, 1: used up at the moment
 *   NEXT_HOP      network, enum vd_next_hop_kind, enum vd_output, the address's first word
 * Out of the trace's room, later steps are lost.
 */
static __always_inline struct vd_trace *vd_trace_area(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&vd_trace, &zero);
}

static __noinline int vd_trace_write(__u64 stage_reason, __u64 detail01, __u64 detail23)
{
	struct vd_trace *trace = vd_trace_area();
	struct vd_trace_step *step;
	__u32 index;

	if (!trace)
		return 0;
	index = trace->step_count;
	if (index >= VD_TRACE_STEPS)
		return 0;
	step = &trace->step[index];
	step->stage = stage_reason >> 32;
	step->reason = stage_reason;
	step->detail[0] = detail01 >> 32;
	step->detail[1] = detail01;
	step->detail[2] = detail23 >> 32;
	step->detail[3] = detail23;
	trace->step_count = index + 1;
	return 0;
}

static __always_inline void vd_trace_step(enum vd_stage stage, enum vd_drop_reason reason, __u32 a, __u32 b, __u32 c, __u32 d)
{
	if (vd_tracing)
		vd_trace_write((__u64)stage << 32 | reason, (__u64)a << 32 | b, (__u64)c << 32 | d);
}

/* Whether what refuses shall only say so, and the packet go on: who asks wants to hear of everything that is in its way. */
static __always_inline bool vd_trace_goes_on(void)
{
	struct vd_trace *trace = vd_tracing ? vd_trace_area() : NULL;

	return trace && trace->goes_on;
}

/* A drop whose stage has not said so. */
static __always_inline void vd_trace_drop(enum vd_drop_reason reason)
{
	struct vd_trace *trace = vd_trace_area();
	__u32 last;

	if (!trace)
		return;
	last = trace->step_count - 1;
	if (last < VD_TRACE_STEPS && trace->step[last].reason == reason)
		return;
	vd_trace_step(VD_STAGE_OUTPUT, reason, 0, 0, 0, 0);
}

#endif
