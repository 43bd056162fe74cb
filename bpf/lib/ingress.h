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

/*
 * What five lookups say of an ordinary port: itself, twice; that its subnet is no provider segment; its domain; that its table has no
 * policy routes. True as long as the generations of port, its standing and domain are what they were when it was read: who changes one
 * of these bumps them (src/datapath/generation.c). A router that appears bumps nothing, so a domain without one is not remembered. Per CPU, hence no
 * lock; the trace does without, for a packet may interrupt it.
 */
#define VD_INGRESS_MEMORY 1024
struct vd_ingress_memory {
	__u64 generation_sum;
	__u32 ifindex;  /* 0: nothing */
	__u32 standing; /* its generation */
	struct vd_port_value port;
	struct vd_domain_value domain;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct vd_ingress_memory);
	__uint(max_entries, VD_INGRESS_MEMORY);
} vd_ingress_memory SEC(".maps") __weak;

static __always_inline struct vd_ingress_memory *vd_ingress_memory_find(__u32 ifindex)
{
	__u32 place = ifindex % VD_INGRESS_MEMORY;

	return vd_tracing ? NULL : bpf_map_lookup_elem(&vd_ingress_memory, &place);
}

/* What the flow depends on so far, and the memory with it, is the port and the domain. */
static __always_inline void vd_ingress_depend(struct vd_packet *packet, __u32 port_id, __u32 domain)
{
	packet->flow.generation_sum = 0;
	vd_depend(packet, VD_DEPENDENCY_PORT, vd_slot_port(port_id));
	vd_depend(packet, VD_DEPENDENCY_DOMAIN, vd_slot_domain(domain));
}

static __always_inline bool vd_ingress_recall(struct vd_packet *packet)
{
	struct vd_ingress_memory *memory = vd_ingress_memory_find(packet->ingress);

	if (!memory || !memory->ifindex || memory->ifindex != packet->ingress)
		return false;
	vd_ingress_depend(packet, memory->port.id, memory->port.domain);
	if (packet->flow.generation_sum != memory->generation_sum ||
	    vd_generation_of(vd_slot_standing(memory->port.id)) != memory->standing)
		return false;
	packet->port = memory->port;
	packet->domain_value = memory->domain;
	packet->is_recalled = true;
	return true;
}

/* When the domain is known, and nothing else that the flow depends on. */
static __always_inline void vd_ingress_remember(const struct vd_packet *packet)
{
	struct vd_ingress_memory *memory = vd_ingress_memory_find(packet->ingress);
	struct vd_policy_routes_key key = {.domain = packet->domain, .table = packet->port.table};

	if (!memory || !packet->is_ordinary || !packet->domain_value.service_ifindex ||
	    bpf_map_lookup_elem(&vd_policy_routes, &key))
		return;
	memory->generation_sum = packet->flow.generation_sum;
	memory->standing = packet->standing;
	memory->ifindex = packet->ingress;
	memory->port = packet->port;
	memory->domain = packet->domain_value;
}

/* Read twice: the port's generations must be read before the values that they stand for. */
static __always_inline int vd_ingress_read_port(struct vd_packet *packet)
{
	struct vd_port_value *port = bpf_map_lookup_elem(&vd_port, &packet->ingress);

	if (!port)
		return VD_DROP_REASON_UNKNOWN_PORT;
	vd_ingress_depend(packet, port->id, port->domain);
	packet->standing = vd_generation_of(vd_slot_standing(port->id));
	packet->port = *port;
	port = bpf_map_lookup_elem(&vd_port, &packet->ingress);
	if (!port || port->id != packet->port.id || port->domain != packet->port.domain)
		return VD_DROP_REASON_UNKNOWN_PORT;
	packet->port = *port;
	return 0;
}

/* The port that the packet came from. */
static __always_inline int vd_ingress_port(struct vd_packet *packet)
{
	const struct vd_port_value *port = &packet->port;
	int reason = vd_ingress_recall(packet) ? 0 : vd_ingress_read_port(packet);

	if (reason)
		return reason;
	packet->domain = port->domain;
	packet->flow.source_port_id = port->id;
	packet->flow.identity = port->identity;
	if (port->flags & VD_PORT_FLAG_CAPTURE)
		packet->flow.flags |= VD_FLOW_FLAG_CAPTURE;
	if (port->flags & VD_PORT_FLAG_RATE_OUT)
		packet->flow.flags |= VD_FLOW_FLAG_RATE_OUT;
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
	struct vd_domain_value *domain;
	struct vd_flow *flow = &packet->flow;

	if (!packet->is_recalled) {
		domain = bpf_map_lookup_elem(&vd_domain, &packet->domain);
		if (!domain)
			return VD_DROP_REASON_UNKNOWN_PORT;
		packet->domain_value = *domain;
		if (packet->ingress_type == VD_INGRESS_PORT)
			vd_ingress_remember(packet);
	}
	packet->delivery = packet->domain_value;
	flow->domain = packet->domain;
	flow->expected_vtep = packet->ingress_type == VD_INGRESS_TUNNEL ? packet->vtep_fold : 0;
	vd_mac_copy(flow->expected_source_mac, packet->source_mac);
	vd_mac_copy(flow->expected_destination_mac, packet->destination_mac);
	return 0;
}

#endif
