/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_TUNNEL_H
#define VD_LIB_TUNNEL_H

#include "endpoint.h"
#include "trace.h"

/* What VXLAN's group policy extension carries (drivers/net/vxlan: struct vxlan_metadata). */
struct vd_tunnel_policy {
	__u32 identity;
};

/* Who sent a tunnel packet and in which segment. False: it has no tunnel metadata. */
static __always_inline bool vd_tunnel_read(struct __sk_buff *skb, __u32 *ret_vni, union vd_addr *ret_vtep)
{
	struct bpf_tunnel_key key;

	__builtin_memset(ret_vtep, 0, sizeof(*ret_vtep));
	if (!bpf_skb_get_tunnel_key(skb, &key, sizeof(key), 0)) {
		ret_vtep->word[0] = bpf_htonl(key.remote_ipv4);
	} else {
		if (bpf_skb_get_tunnel_key(skb, &key, sizeof(key), BPF_F_TUNINFO_IPV6))
			return false;
		__builtin_memcpy(ret_vtep, key.remote_ipv6, sizeof(*ret_vtep));
	}
	*ret_vni = key.tunnel_id;
	return true;
}

/*
 * Hands the packet to the VXLAN device, with its destination. UDP checksums only over IPv6, where receivers insist (RFC 6935 lets
 * both sides agree, but not by default).
 */
static __always_inline int vd_tunnel_output(struct __sk_buff *skb, const struct vd_flow *flow)
{
	struct vd_tunnel_policy policy = {.identity = flow->identity};
	struct bpf_tunnel_key key;
	__u64 flags;

	__builtin_memset(&key, 0, sizeof(key));
	key.tunnel_id = flow->vni;
	key.tunnel_ttl = 64;
	if (flow->vtep_family == 4) {
		key.remote_ipv4 = bpf_ntohl(flow->vtep.word[0]);
		flags = BPF_F_ZERO_CSUM_TX;
	} else {
		__builtin_memcpy(key.remote_ipv6, &flow->vtep, sizeof(flow->vtep));
		flags = BPF_F_TUNINFO_IPV6;
	}
	if (bpf_skb_set_tunnel_key(skb, &key, sizeof(key), flags))
		return TC_ACT_SHOT;
	if (policy.identity)
		bpf_skb_set_tunnel_opt(skb, &policy, sizeof(policy));
	return bpf_redirect(vd_overlay_ifindex, 0);
}

static __always_inline int vd_tunnel_domain(struct vd_packet *packet)
{
	struct vd_segment_value *segment = bpf_map_lookup_elem(&vd_segment, &packet->ingress);

	if (!segment)
		return VD_DROP_REASON_UNKNOWN_SEGMENT;
	packet->domain = segment->domain;
	vd_depend(packet, VD_DEPENDENCY_DOMAIN, vd_slot_domain(packet->domain));
	/* Again, now that the generation is read. */
	segment = bpf_map_lookup_elem(&vd_segment, &packet->ingress);
	return segment && segment->domain == packet->domain ? 0 : VD_DROP_REASON_UNKNOWN_SEGMENT;
}

/* The stage, for packets from a tunnel: the sender must be one of our hosts, the segment one of those here. */
static __always_inline int vd_tunnel_stage(struct vd_packet *packet)
{
	int reason = vd_tunnel_domain(packet);

	if (!reason && !bpf_map_lookup_elem(&vd_vtep, &packet->vtep_fold) && !vd_trace_goes_on())
		reason = VD_DROP_REASON_UNKNOWN_VTEP;
	if (reason)
		vd_trace_step(VD_STAGE_SOURCE_CHECK, reason, 0, 0, 0, 0);
	vd_depend(packet, VD_DEPENDENCY_SOURCE, vd_slot_endpoint(packet->domain, &packet->tuple.source));
	return reason;
}

#endif
