/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_INWARD_H
#define VD_LIB_INWARD_H

#include "bridge.h"
#include "ingress.h"
#include "path.h"
#include "translate.h"

/* From a network into a VPC: to a virtual IP that is here, or untranslated to addresses that are routed inward. */

/* The domain that an address is routed into, NULL: none. */
static __always_inline __u32 *vd_inward_find(__u8 family, __u32 network, const union vd_addr *address)
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
	return network && (vd_bridge_vip_is_here(network, destination) || vd_inward_find(family, network, destination));
}

/* A ping of the router, or an error about something that it sent. Quietly refused is what else strangers try. */
static __always_inline int vd_inward_router(struct vd_packet *packet, const struct vd_vip_value *vip)
{
	struct vd_way *way = &packet->way;
	struct vd_claim *claim = &packet->claim;
	bool is_question = packet->tuple.protocol == (packet->family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6) &&
			   vd_icmp_is_question(packet->family, packet->icmp_type);

	if (!(vip->flags & VD_VIP_FLAG_SYSTEM))
		return VD_DROP_REASON_VIP_UNSERVED;
	way->translation = VD_TRANSLATION_ROUTER;
	way->is_known = !is_question;
	claim->value.domain = vip->domain;
	claim->value.inner = way->vip;
	claim->value.inner_port = way->vip_port;
	return 0;
}

/* What a virtual IP held here means for the packet: packet->way, and the inner end in packet->claim.value. */
static __always_inline int vd_inward_vip(struct vd_packet *packet, const struct vd_vip_value *vip)
{
	const struct vd_tuple *tuple = vd_translate_tuple(packet);
	const union vd_addr *remote = packet->is_icmp_error ? &tuple->destination : &tuple->source;
	__be16 remote_port = packet->is_icmp_error ? tuple->destination_port : tuple->source_port;
	bool is_question = tuple->protocol == (packet->family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6) && !packet->is_icmp_error &&
			   vd_icmp_is_question(packet->family, packet->icmp_type);
	struct vd_way *way = &packet->way;
	struct vd_claim *claim = &packet->claim;
	struct vd_nat_value *held;
	bool may_be_held;
	int reason;

	if (vip->type == VD_VIP_TYPE_ELASTIC) {
		way->translation = VD_TRANSLATION_ELASTIC;
		claim->value.domain = vip->domain;
		claim->value.inner = vip->inner;
		claim->value.inner_port = way->vip_port;
		return 0;
	}
	vd_nat_key_set(claim, packet->family, way->segment, &way->vip, remote, remote_port, tuple->protocol);
	vd_nat_port_set(claim, way->vip_port);
	/* Nobody but a router's own address is translated to. */
	may_be_held = !is_question && (vip->flags & VD_VIP_FLAG_SYSTEM);
	held = may_be_held ? vd_nat_find(claim) : NULL;
	if (!held && may_be_held && vd_has_previous)
		held = vd_nat_recall(claim);
	if (held) {
		claim->value = *held;
		way->translation = vd_addr_equal(&held->inner, &way->vip) ? VD_TRANSLATION_ROUTER : VD_TRANSLATION_SNAT;
		way->is_known = true;
		return 0;
	}
	reason = vd_forward_find(vip, tuple->protocol);
	if (reason != VD_DROP_REASON_VIP_UNSERVED) {
		way->translation = VD_TRANSLATION_FORWARD;
		return reason;
	}
	return vd_inward_router(packet, vip);
}

/* From here on the packet is the VPC's: its tuple is the inner one, packet->wire the one that it came with. */
static __always_inline void vd_inward_adopt(struct vd_packet *packet)
{
	const struct vd_nat_value *inner = &packet->claim.value;

	packet->domain = inner->domain;
	packet->tuple.destination = inner->inner;
	if (packet->is_icmp_error) {
		packet->embedded.source = inner->inner;
		packet->embedded.source_port = inner->inner_port;
		if (packet->embedded.protocol == (packet->family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
			packet->embedded.destination_port = inner->inner_port;
	} else {
		packet->tuple.destination_port = inner->inner_port;
		if (packet->tuple.protocol == (packet->family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
			packet->tuple.source_port = inner->inner_port;
	}
}

/* Who is behind the destination: packet->domain, and the tuple is the inner one. */
static __always_inline int vd_inward_translate(struct vd_packet *packet)
{
	__u32 network = packet->segment.network, *inward;
	struct vd_vip_key key = {.network = network, .address = packet->tuple.destination};
	struct vd_way *way = &packet->way;
	struct vd_vip_value *vip;
	int reason = VD_DROP_REASON_VIP_UNSERVED;

	vd_depend(packet, VD_DEPENDENCY_TRANSLATION, vd_slot_vip(network, &packet->tuple.destination));
	packet->wire = packet->tuple;
	way->network = way->segment = network;
	way->is_in = true;
	vip = bpf_map_lookup_elem(&vd_vip, &key);
	if (vip && (vip->flags & VD_VIP_FLAG_HERE)) {
		way->vip = packet->tuple.destination;
		way->vip_port = packet->is_icmp_error ? packet->embedded.source_port : packet->tuple.destination_port;
		reason = vd_inward_vip(packet, vip);
	} else if (!vip) {
		inward = vd_inward_find(packet->family, network, &packet->tuple.destination);
		if (inward) {
			packet->claim.value.domain = *inward;
			packet->claim.value.inner = packet->tuple.destination;
			packet->claim.value.inner_port =
				packet->is_icmp_error ? packet->embedded.source_port : packet->tuple.destination_port;
			reason = 0;
		}
	}
	vd_trace_step(VD_STAGE_VIP, reason, vip ? vip->id : 0, vip ? vip->type : 0, packet->route_id, network);
	if (!reason)
		vd_inward_adopt(packet);
	return reason;
}

/* To the router itself, or by the VPC's main table; it is a hop, whoever is next. */
static __always_inline int vd_inward_route(struct __sk_buff *skb, struct vd_packet *packet)
{
	struct vd_flow *flow = &packet->flow;
	int reason;

	if (packet->way.translation == VD_TRANSLATION_ROUTER) {
		reason = vd_route_to_service(packet);
		vd_trace_step(VD_STAGE_ENDPOINT, reason, flow->destination_port_id, VD_ENDPOINT_PLACE_GATEWAY, 0, 0);
		return reason;
	}
	reason = vd_route_stage(skb);
	if (packet->to_service)
		return reason;
	flow->flags |= VD_FLOW_FLAG_TTL;
	if (flow->output == VD_OUTPUT_TUNNEL)
		vd_exit_mac_set(flow->source_mac, 0);
	return reason;
}

VD_STAGE int vd_inward_find_stage(struct __sk_buff *skb)
{
	struct vd_packet *packet = vd_packet_here();

	return packet ? vd_inward_translate(packet) : VD_DROP_REASON_INTERNAL;
}

/* The stage: who is behind the destination. 0 with the domain and the flow's output, or the reason to drop. */
static __always_inline int vd_inward_stage(struct __sk_buff *skb, struct vd_packet *packet)
{
	int reason = vd_inward_find_stage(skb);

	if (reason)
		return reason;
	vd_depend(packet, VD_DEPENDENCY_SOURCE, vd_slot_domain(packet->domain));
	reason = vd_ingress_domain(packet);
	return reason ? reason : vd_inward_route(skb, packet);
}

#endif
