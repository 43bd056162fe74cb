// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Where the cache has no answer, by tail call from port and overlay. The stages in their order; one exit for what is dropped and one
 * for what goes on.
 */
#include "lib/bridge.h"
#include "lib/connection.h"
#include "lib/container.h"
#include "lib/dhcp.h"
#include "lib/drop.h"
#include "lib/forward.h"
#include "lib/fragment.h"
#include "lib/icmp.h"
#include "lib/ingress.h"
#include "lib/mtu.h"
#include "lib/neighbour.h"
#include "lib/parse.h"
#include "lib/path.h"
#include "lib/route.h"
#include "lib/source.h"
#include "lib/tunnel.h"

/* Listener reports and router solicitations are every guest's habit, and no event; nor is what a node says on all of its links. */
static __always_inline int vd_decide_multicast(struct __sk_buff *skb, const struct vd_packet *packet)
{
	vd_trace_step(VD_STAGE_ROUTE, VD_DROP_REASON_MULTICAST, 0, 0, packet->port.table, 0);
	if (packet->tuple.protocol == IPPROTO_IGMP || packet->tuple.protocol == IPPROTO_ICMPV6 ||
	    (packet->port.flags & VD_PORT_FLAG_HOST))
		return vd_drop_quietly(skb, VD_DROP_REASON_MULTICAST);
	return vd_drop(skb, packet, VD_DROP_REASON_MULTICAST);
}

/* 0, or the reason to drop. packet->flow is what shall become of the packet and its followers. */
static __always_inline int vd_decide_stages(struct __sk_buff *skb, struct vd_packet *packet)
{
	bool is_tunnel = packet->ingress_type == VD_INGRESS_TUNNEL;
	int reason;

	reason = vd_ingress_domain(packet);
	if (!reason && !is_tunnel)
		reason = vd_source_stage(packet);
	if (!reason)
		reason = vd_fragment_stage(packet);
	if (!reason && packet->is_icmp_error)
		reason = vd_icmp_embedded(skb, packet);
	if (!reason)
		reason = packet->domain_value.flags & VD_DOMAIN_FLAG_CONTAINER ? vd_container_stage(skb)
			 : is_tunnel                                           ? vd_route_from_tunnel(skb)
			 : vd_bridge_decides(packet)                           ? vd_bridge_stage(packet)
									       : vd_route_stage(skb);
	if (!reason)
		reason = vd_exit_leave_stage(skb);
	if (!reason)
		reason = vd_connection_stage(skb);
	if (!reason)
		reason = vd_ttl_stage(packet);
	if (!reason && !packet->for_service)
		reason = vd_mtu_stage(skb, packet);
	return reason;
}

SEC("tc")
int vd_decide(struct __sk_buff *skb)
{
	struct vd_packet *packet = vd_packet_scratch();
	struct vd_counters *counters = vd_counters_here();
	int reason;

	if (!packet)
		return TC_ACT_SHOT;
	reason = vd_ingress_stage(skb, packet);
	if (!reason)
		vd_bridge_read(packet);
	if (!reason && vd_neighbour_is(skb, packet)) {
		bpf_tail_call(skb, &vd_programs, vd_tracing ? VD_PROGRAM_COUNT + VD_PROGRAM_NEIGHBOUR : VD_PROGRAM_NEIGHBOUR);
		return vd_drop(skb, packet, VD_DROP_REASON_INTERNAL);
	}
	if (!reason)
		reason = vd_parse(skb, packet);
	if (!reason && vd_dhcp_is(packet))
		return vd_dhcp_forward(skb, packet);
	if (!reason && !packet->bridge.flags && vd_addr_is_multicast(packet->family, &packet->tuple.destination))
		return vd_decide_multicast(skb, packet);
	if (counters && !vd_tracing)
		counters->misses++;
	if (!reason)
		vd_install_trace_hit(packet);
	if (!reason && packet->ingress_type == VD_INGRESS_TUNNEL)
		reason = vd_tunnel_stage(packet);
	if (!reason)
		reason = vd_decide_stages(skb, packet);
	if (reason)
		return vd_drop(skb, packet, reason);
	if (counters && !vd_tracing)
		counters->decided++;
	return vd_forward_packet(skb, packet);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
