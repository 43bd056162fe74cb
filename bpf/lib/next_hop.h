/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_NEXT_HOP_H
#define VD_LIB_NEXT_HOP_H

#include "endpoint.h"
#include "learn.h"
#include "trace.h"

/* A next hop is asked for no more often than this. */
#define VD_NEXT_HOP_INTERVAL VD_SECOND

enum vd_next_hop_kind { /* for the trace */
			VD_NEXT_HOP_KIND_UNKNOWN,
			VD_NEXT_HOP_KIND_VIP,
			VD_NEXT_HOP_KIND_INSTANCE,
			VD_NEXT_HOP_KIND_NEIGHBOUR,
};

/* Several networks may share a segment. The first one's id stands for it wherever an address on it is looked up. 0: no uplink here. */
static __always_inline __u32 vd_next_hop_segment(const struct vd_network_value *network)
{
	struct vd_uplink_key key = {.ifindex = network->ifindex, .vlan = network->vlan};
	struct vd_uplink_value *segment = bpf_map_lookup_elem(&vd_uplink, &key);

	return segment ? segment->network : 0;
}

/*
 * Tells the agent, who asks on the wire; the answer is learnt by the uplink's program (learn.h). The reason to drop the packet, or 0:
 * nobody has asked for it before, so an answer may be waited for.
 */
static __noinline int vd_next_hop_ask(__u8 family, __u32 asker, __u32 network, const union vd_addr *address)
{
	struct vd_neighbour_key key = {.network = network, .address = *address};
	__u64 now = bpf_ktime_get_coarse_ns();
	struct vd_neighbour_value fresh = {.family = family, .asked = now};
	struct vd_neighbour_value *neighbour = bpf_map_lookup_elem(&vd_neighbour, &key);
	struct vd_neighbour_event *event;
	bool is_first = !neighbour || !neighbour->asked;

	if (neighbour && neighbour->asked && now - neighbour->asked < VD_NEXT_HOP_INTERVAL)
		return VD_DROP_REASON_NEXT_HOP_UNKNOWN;
	if (!vd_question_may(asker, VD_QUESTIONS_VPC) || !vd_question_may(0, VD_QUESTIONS_HOST))
		return VD_DROP_REASON_NEXT_HOP_LIMIT;
	if (neighbour)
		neighbour->asked = now;
	else if (bpf_map_update_elem(&vd_neighbour, &key, &fresh, BPF_NOEXIST))
		return VD_DROP_REASON_NEXT_HOP_UNKNOWN; /* another CPU was faster, or the table is full: what it knows still serves */
	event = bpf_ringbuf_reserve(&vd_neighbour_events, sizeof(*event), 0);
	if (!event)
		return VD_DROP_REASON_NEXT_HOP_UNKNOWN;
	event->network = network;
	event->family = family;
	event->address = *address;
	event->known = 0;
	event->size = 0;
	bpf_ringbuf_submit(event, 0);
	return is_first ? 0 : VD_DROP_REASON_NEXT_HOP_UNKNOWN;
}

/*
 * Fills in the MAC and whether the packet turns round; 0 or the reason to drop. The first packet to a neighbour whom nobody has asked
 * for goes on without a MAC, and waits with the agent (hold.h).
 */
static __always_inline int vd_next_hop_find(struct vd_packet *packet, __u32 segment, const union vd_addr *address,
					    enum vd_next_hop_kind *ret_kind)
{
	struct vd_vip_key key = {.network = segment, .address = *address};
	struct vd_vip_value *vip = bpf_map_lookup_elem(&vd_vip, &key);
	struct vd_flow *flow = &packet->flow;
	struct vd_endpoint_value *endpoint;
	struct vd_neighbour_value *neighbour;

	if (vip) {
		*ret_kind = VD_NEXT_HOP_KIND_VIP;
		if (vip->flags & VD_VIP_FLAG_HERE) {
			flow->output = VD_OUTPUT_TURN;
			vd_mac_copy(flow->destination_mac, flow->source_mac);
		} else {
			vd_mac_copy(flow->destination_mac, vip->mac);
		}
		return 0;
	}
	endpoint = vd_endpoint_find(packet->family, segment, address);
	if (endpoint && endpoint->place != VD_ENDPOINT_PLACE_GATEWAY) {
		*ret_kind = VD_NEXT_HOP_KIND_INSTANCE;
		if (endpoint->place == VD_ENDPOINT_PLACE_HERE)
			flow->output = VD_OUTPUT_TURN;
		vd_mac_copy(flow->destination_mac, endpoint->mac);
		return 0;
	}
	neighbour = bpf_map_lookup_elem(&vd_neighbour, &key);
	if (!neighbour || !neighbour->known) {
		packet->waits_for.network = segment;
		packet->waits_for.address = *address;
		return vd_tracing ? VD_DROP_REASON_NEXT_HOP_UNKNOWN
				  : vd_next_hop_ask(packet->family, packet->domain, segment, address);
	}
	*ret_kind = VD_NEXT_HOP_KIND_NEIGHBOUR;
	if (!vd_tracing)
		neighbour->asked = bpf_ktime_get_coarse_ns();
	flow->vni = segment;
	flow->vtep = *address;
	flow->vtep_family = packet->family;
	vd_mac_copy(flow->destination_mac, neighbour->mac);
	return 0;
}

/*
 * The stage: sends the packet to an address on a network, by the uplink or, where the address is ours here, round to its program. The
 * flow's output, MACs (the source is the uplink's: who keeps his own sets it afterwards) and MTU are set. Takes the places of the
 * destination's endpoint and, since no port here is the receiver, of its policy among the flow's dependencies. 0 or the reason.
 */
static __noinline int vd_next_hop_stage(struct vd_packet *packet, __u32 network_id, const union vd_addr *address)
{
	struct vd_network_value *network = bpf_map_lookup_elem(&vd_network, &network_id);
	enum vd_next_hop_kind kind = VD_NEXT_HOP_KIND_UNKNOWN;
	struct vd_flow *flow = &packet->flow;
	int reason = VD_DROP_REASON_NO_UPLINK;
	__u32 segment = network ? vd_next_hop_segment(network) : 0;

	if (network && segment) {
		vd_depend(packet, VD_DEPENDENCY_DESTINATION, vd_slot_endpoint(segment, address));
		vd_depend(packet, VD_DEPENDENCY_POLICY_DESTINATION, vd_slot_vip(segment, address));
		flow->output = VD_OUTPUT_UPLINK;
		flow->output_ifindex = network->ifindex;
		flow->vlan = network->vlan;
		flow->mtu = network->mtu;
		vd_mac_copy(flow->source_mac, network->mac);
		reason = vd_next_hop_find(packet, segment, address, &kind);
	}
	vd_trace_step(VD_STAGE_NEXT_HOP, reason, network_id, kind, flow->output, address->word[0]);
	return reason;
}

#endif
