/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_SOURCE_H
#define VD_LIB_SOURCE_H

#include "endpoint.h"
#include "trace.h"

enum vd_source_verdict {
	VD_SOURCE_VERDICT_FOREIGN,
	VD_SOURCE_VERDICT_OWN = 1,
	VD_SOURCE_VERDICT_OPENED = 2,
};

static __always_inline bool vd_source_is_opened(__u8 family, __u32 port_id, const union vd_addr *address)
{
	if (family == 4) {
		struct vd_source4_key key = {.prefix_length = 64, .port_id = port_id, .address = address->word[0]};

		return bpf_map_lookup_elem(&vd_source4, &key);
	} else {
		struct vd_source6_key key = {.prefix_length = 160, .port_id = port_id, .address = *address};

		return bpf_map_lookup_elem(&vd_source6, &key);
	}
}

/* Whether the port (by its ifindex) may send from this address. */
static __always_inline enum vd_source_verdict vd_source_judge(__u8 family, __u32 domain, __u32 ifindex, __u32 port_id,
							      const union vd_addr *address)
{
	struct vd_endpoint_value *endpoint = vd_endpoint_find(family, domain, address);

	if (endpoint && endpoint->place == VD_ENDPOINT_PLACE_HERE && endpoint->ifindex == ifindex)
		return VD_SOURCE_VERDICT_OWN;
	if (vd_source_is_opened(family, port_id, address))
		return VD_SOURCE_VERDICT_OPENED;
	return VD_SOURCE_VERDICT_FOREIGN;
}

/* On a provider segment an instance's link is wider than to its router; before it has an address it may speak to groups. */
static __always_inline bool vd_source_is_link_wide(const struct vd_packet *packet)
{
	const union vd_addr *source = &packet->tuple.source;

	if (packet->family != 6)
		return false;
	if (vd_addr_is_link_local6(source))
		return !vd_addr_is_router_link_local6(source);
	return packet->tuple.destination.byte[0] == 0xff &&
	       !(source->word[0] | source->word[1] | source->word[2] | source->word[3]);
}

/*
 * The stage. With the check off anything goes but what routers ask with: an appliance forwards for others, and what is nested in it may
 * have MACs of its own.
 * The flow depends on the source's endpoint either way, so that an address that moves away takes its flows along.
 */
static __always_inline int vd_source_stage(struct vd_packet *packet)
{
	enum vd_source_verdict verdict = VD_SOURCE_VERDICT_FOREIGN;
	int reason = 0;

	vd_depend(packet, VD_DEPENDENCY_SOURCE, vd_slot_endpoint(packet->domain, &packet->tuple.source));
	if ((packet->port.flags & VD_PORT_FLAG_SOURCE_CHECK) && !vd_from_service(packet)) {
		verdict = vd_source_judge(packet->family, packet->domain, packet->ingress, packet->port.id, &packet->tuple.source);
		if (packet->family == 6 && vd_addr_is_router_link_local6(&packet->tuple.destination) &&
		    vd_addr_is_link_local6(&packet->tuple.source) && !vd_addr_is_router_link_local6(&packet->tuple.source))
			verdict = VD_SOURCE_VERDICT_OWN; /* on its link, as far as that goes */
		if (packet->bridge.flags && vd_source_is_link_wide(packet))
			verdict = VD_SOURCE_VERDICT_OWN;
		if (!vd_mac_equal(packet->source_mac, packet->port.mac))
			reason = VD_DROP_REASON_SOURCE_MAC;
		else if (verdict == VD_SOURCE_VERDICT_FOREIGN)
			reason = VD_DROP_REASON_SOURCE_ADDRESS;
	}
	if (!reason && vd_addr_is_service(packet->family, &packet->tuple.source) && !vd_from_service(packet))
		reason = VD_DROP_REASON_SOURCE_ADDRESS;
	vd_trace_step(VD_STAGE_SOURCE_CHECK, reason, packet->port.id, verdict, 0, 0);
	return reason && vd_trace_goes_on() ? 0 : reason;
}

#endif
