/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_FORWARD_H
#define VD_LIB_FORWARD_H

#include "drop.h"
#include "flow.h"
#include "hold.h"
#include "icmp.h"
#include "install.h"
#include "mss.h"
#include "rate.h"

/* Puts what was decided into effect. Returns the verdict. */
static __always_inline int vd_forward_packet(struct __sk_buff *skb, struct vd_packet *packet)
{
	struct vd_flow *flow = &packet->flow;

	vd_trace_step(VD_STAGE_OUTPUT, 0, flow->output, flow->output_ifindex, flow->vni, flow->destination_port_id);
	if (vd_install_may(packet))
		vd_install(skb, packet);
	if (vd_tracing) {
		vd_rate_explain(flow);
		return TC_ACT_OK;
	}
	if (flow->flags & VD_FLOW_RATES && !vd_rate_pass(skb, flow, packet->header_size))
		return vd_drop_quietly(skb, VD_DROP_REASON_RATE_LIMIT);
	if ((packet->tcp_flags & VD_TCP_SYN) && flow->mtu != ~0U)
		vd_mss_clamp(skb, packet);
	if (packet->is_icmp_error && vd_from_service(packet))
		vd_icmp_source_rewrite(skb, packet);
	vd_flow_pull(skb);
	if (!vd_mangle_packet(skb, packet))
		return vd_drop(skb, packet, VD_DROP_REASON_INTERNAL);
	if (!vd_rewrite(skb, flow, packet->family))
		return vd_drop(skb, packet, VD_DROP_REASON_INTERNAL);
	if (packet->waits_for.network && flow->output == VD_OUTPUT_UPLINK)
		return vd_hold(skb, packet);
	return vd_output_go(skb, vd_output_set(skb, flow));
}

#endif
