/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_INGRESS_H
#define VD_LIB_INGRESS_H

#include "dependency.h"
#include "trace.h"
#include "tunnel.h"

/* Where the packet came in: the tracing copy reads that from its scratch area, for a test run has no tunnel and no foreign ifindex. */
static __always_inline bool vd_ingress_read(struct __sk_buff *skb, struct vd_packet *packet)
{
	struct vd_trace *trace;

	if (vd_tracing) {
		trace = vd_trace_area();
		if (!trace)
			return false;
		packet->ingress = trace->ingress;
		packet->ingress_type = trace->ingress_type;
		packet->vtep = trace->vtep;
	} else if (skb->ifindex == vd_overlay_ifindex) {
		packet->ingress_type = VD_INGRESS_TUNNEL;
		if (!vd_tunnel_read(skb, &packet->ingress, &packet->vtep))
			return false;
	} else {
		packet->ingress_type = VD_INGRESS_PORT;
		packet->ingress = skb->ifindex;
	}
	packet->vtep_fold = vd_vtep_fold(&packet->vtep);
	return true;
}

/* The port that the packet came from, read twice: its generation must be read before the values that it stands for. */
static __always_inline int vd_ingress_port(struct vd_packet *packet)
{
	struct vd_port_value *port = bpf_map_lookup_elem(&vd_port, &packet->ingress);

	if (!port)
		return VD_DROP_REASON_UNKNOWN_PORT;
	vd_depend(packet, VD_DEPENDENCY_PORT, vd_slot_port(port->id));
	vd_depend(packet, VD_DEPENDENCY_DOMAIN, vd_slot_domain(port->domain));
	packet->port = *port;
	port = bpf_map_lookup_elem(&vd_port, &packet->ingress);
	if (!port || port->id != packet->port.id || port->domain != packet->port.domain)
		return VD_DROP_REASON_UNKNOWN_PORT;
	packet->port = *port;
	packet->domain = port->domain;
	packet->flow.source_port_id = port->id;
	packet->flow.identity = port->identity;
	if (port->flags & VD_PORT_FLAG_CAPTURE)
		packet->flow.flags |= VD_FLOW_FLAG_CAPTURE;
	return 0;
}

/* The stage: whose packet it is. A tunnel's domain is known by its segment, later. */
static __always_inline int vd_ingress_stage(struct __sk_buff *skb, struct vd_packet *packet)
{
	int reason = VD_DROP_REASON_UNKNOWN_SEGMENT;

	if (vd_ingress_read(skb, packet))
		reason = packet->ingress_type == VD_INGRESS_PORT ? vd_ingress_port(packet) : 0;
	if (reason)
		vd_trace_step(VD_STAGE_PARSE, reason, 0, 0, skb->len, 0);
	return reason;
}

/* What the domain is like; and what must hold of a packet for the flow to speak for it. */
static __always_inline int vd_ingress_domain(struct vd_packet *packet)
{
	struct vd_domain_value *domain = bpf_map_lookup_elem(&vd_domain, &packet->domain);
	struct vd_flow *flow = &packet->flow;

	if (!domain)
		return VD_DROP_REASON_UNKNOWN_PORT;
	packet->domain_value = *domain;
	packet->delivery = *domain;
	flow->domain = packet->domain;
	flow->expected_vtep = packet->ingress_type == VD_INGRESS_TUNNEL ? packet->vtep_fold : 0;
	vd_mac_copy(flow->expected_source_mac, packet->source_mac);
	vd_mac_copy(flow->expected_destination_mac, packet->destination_mac);
	return 0;
}

#endif
