// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * At the tc ingress of each uplink: what comes from a provider network; and, by tail call, what turns round to an address of ours on
 * one. What is not ours passes untouched: it is the host's own, and what it costs is a few lookups.
 */
#include "lib/connection.h"
#include "lib/dhcp.h"
#include "lib/forward.h"
#include "lib/fragment.h"
#include "lib/ingress.h"
#include "lib/inward.h"
#include "lib/neighbour.h"

#define VD_VLAN_MASK 0xfff
#define VD_IPV4_DESTINATION_OFFSET 16
#define VD_IPV6_DESTINATION_OFFSET 24

/* Of a DHCP message (RFC 2131), from its UDP header on. */
#define VD_DHCP_CLIENT_MAC_OFFSET (8 + 28)

enum vd_uplink_kind {
	VD_UPLINK_KIND_FOREIGN, /* the host's own, or nobody's */
	VD_UPLINK_KIND_NEIGHBOUR,
	VD_UPLINK_KIND_OURS,
};

/* The verdict, or -1. Pulls nothing in: it may be the host's own. */
static __always_inline int vd_uplink_forward(struct __sk_buff *skb, __u32 ifindex, __u16 vlan)
{
	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		struct vd_flow4_key key = {.ingress = ifindex, .ingress_type = VD_INGRESS_UPLINK, .vlan = vlan};

		return vd_flow4_forward(skb, &key, true, 0);
	}
	if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		struct vd_flow6_key key = {.ingress = ifindex, .ingress_type = VD_INGRESS_UPLINK, .vlan = vlan};

		return vd_flow6_forward(skb, &key, true, 0);
	}
	return -1;
}

/* To the uplink's own MAC: is it for an address of ours? */
static __always_inline bool vd_uplink_is_inward(struct __sk_buff *skb, __u32 network)
{
	union vd_addr destination = {};

	if (!network)
		return false;
	if (skb->protocol == bpf_htons(ETH_P_IP))
		return !bpf_skb_load_bytes(skb, ETH_HLEN + VD_IPV4_DESTINATION_OFFSET, &destination, 4) &&
		       vd_inward_is(4, network, &destination);
	return !bpf_skb_load_bytes(skb, ETH_HLEN + VD_IPV6_DESTINATION_OFFSET, &destination, 16) &&
	       vd_inward_is(6, network, &destination);
}

/* To a MAC of no link of the host: is it that of an instance on the segment? */
static __always_inline bool vd_uplink_is_port(struct __sk_buff *skb, __u32 domain, __u32 offset)
{
	struct vd_mac_key key = {.domain = domain};

	return !bpf_skb_load_bytes(skb, offset, key.mac, sizeof(key.mac)) && bpf_map_lookup_elem(&vd_mac, &key);
}

/* To everybody: an outside DHCP server answers an instance that has no address yet. */
static __always_inline bool vd_uplink_is_dhcp_answer(struct __sk_buff *skb, __u32 domain)
{
	struct iphdr ip;
	__be16 ports[2];

	if (skb->protocol != bpf_htons(ETH_P_IP) || bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)) ||
	    ip.protocol != IPPROTO_UDP || ip.ihl != 5 || bpf_skb_load_bytes(skb, ETH_HLEN + sizeof(ip), ports, sizeof(ports)))
		return false;
	return ports[0] == bpf_htons(VD_DHCP_SERVER) && ports[1] == bpf_htons(VD_DHCP_CLIENT) &&
	       vd_uplink_is_port(skb, domain, ETH_HLEN + sizeof(ip) + VD_DHCP_CLIENT_MAC_OFFSET);
}

static __always_inline enum vd_uplink_kind vd_uplink_judge(struct __sk_buff *skb, const struct vd_uplink_value *segment)
{
	bool is_ours = false;

	if (skb->protocol == bpf_htons(ETH_P_ARP) || vd_neighbour_is_ndp(skb))
		return VD_UPLINK_KIND_NEIGHBOUR;
	if (skb->protocol != bpf_htons(ETH_P_IP) && skb->protocol != bpf_htons(ETH_P_IPV6))
		return VD_UPLINK_KIND_FOREIGN;
	if (skb->pkt_type == PACKET_HOST)
		is_ours = vd_uplink_is_inward(skb, segment->network);
	else if (!segment->subnet)
		is_ours = false;
	else if (skb->pkt_type == PACKET_OTHERHOST)
		is_ours = vd_uplink_is_port(skb, segment->domain, 0);
	else if (skb->pkt_type == PACKET_BROADCAST)
		is_ours = vd_uplink_is_dhcp_answer(skb, segment->domain);
	return is_ours ? VD_UPLINK_KIND_OURS : VD_UPLINK_KIND_FOREIGN;
}

static __always_inline void vd_uplink_packet_set(struct vd_packet *packet, __u32 ifindex, __u16 vlan,
						 const struct vd_uplink_value *segment)
{
	packet->ingress_type = VD_INGRESS_UPLINK;
	packet->ingress = ifindex;
	packet->vlan = vlan;
	packet->segment = *segment;
	packet->domain = segment->domain;
}

SEC("tc")
int vd_uplink_ingress(struct __sk_buff *skb)
{
	struct vd_uplink_key key = {.ifindex = skb->ifindex};
	struct vd_uplink_value *segment;
	struct vd_packet *packet;
	int verdict;

	if (skb->vlan_present) {
		if (skb->vlan_proto != bpf_htons(ETH_P_8021Q))
			return VD_PASS;
		key.vlan = skb->vlan_tci & VD_VLAN_MASK;
	}
	verdict = vd_uplink_forward(skb, key.ifindex, key.vlan);
	if (verdict >= 0)
		return verdict;
	segment = bpf_map_lookup_elem(&vd_uplink, &key);
	if (!segment)
		return VD_PASS;
	switch (vd_uplink_judge(skb, segment)) {
	case VD_UPLINK_KIND_FOREIGN:
		break;
	case VD_UPLINK_KIND_NEIGHBOUR:
		packet = vd_packet_scratch();
		if (!packet)
			break;
		vd_uplink_packet_set(packet, key.ifindex, key.vlan, segment);
		bpf_tail_call(skb, &vd_programs, VD_PROGRAM_NEIGHBOUR);
		break;
	case VD_UPLINK_KIND_OURS:
		skb->cb[VD_TURN_IFINDEX] = key.ifindex;
		skb->cb[VD_TURN_VLAN] = key.vlan;
		skb->cb[VD_TURN_COUNT] = 0;
		bpf_tail_call(skb, &vd_programs, VD_PROGRAM_UPLINK);
		break;
	}
	return VD_PASS;
}

/* Which segment's; NO_UPLINK: it is gone by now. */
static __always_inline int vd_uplink_read(struct __sk_buff *skb, struct vd_packet *packet)
{
	struct vd_uplink_key key = {.ifindex = skb->cb[VD_TURN_IFINDEX], .vlan = skb->cb[VD_TURN_VLAN]};
	struct vd_uplink_value *segment = bpf_map_lookup_elem(&vd_uplink, &key);

	if (!segment)
		return VD_DROP_REASON_NO_UPLINK;
	vd_depend(packet, VD_DEPENDENCY_DOMAIN, vd_slot_domain(segment->domain));
	/* Again, now that the generation is read. */
	segment = bpf_map_lookup_elem(&vd_uplink, &key);
	if (!segment)
		return VD_DROP_REASON_NO_UPLINK;
	vd_uplink_packet_set(packet, key.ifindex, key.vlan, segment);
	packet->is_turned = skb->cb[VD_TURN_COUNT];
	return 0;
}

/* An outside server's or router's answer: for an instance whose own subnet does not answer. Returns the verdict. */
static __noinline int vd_uplink_dhcp(struct __sk_buff *skb, struct vd_packet *packet)
{
	struct vd_flow *flow = &packet->flow;
	struct vd_port_value *port = NULL;
	__u32 ifindex;
	__u8 mac[6];
	int reason = 0;

	vd_mac_copy(mac, packet->destination_mac);
	if ((mac[0] & 1) && bpf_skb_load_bytes(skb, packet->l4_offset + VD_DHCP_CLIENT_MAC_OFFSET, mac, sizeof(mac)))
		reason = VD_DROP_REASON_MALFORMED;
	if (!reason)
		reason = vd_bridge_to_port(packet, packet->segment.subnet, mac, VD_DEPENDENCY_PORT);
	ifindex = flow->output_ifindex;
	if (!reason)
		port = bpf_map_lookup_elem(&vd_port, &ifindex);
	if (port && (port->flags & VD_PORT_FLAG_DHCP))
		reason = vd_dhcp_is_answer(packet);
	vd_trace_step(VD_STAGE_ENDPOINT, reason, flow->destination_port_id, VD_ENDPOINT_PLACE_HERE, packet->segment.subnet, 0);
	if (reason)
		return vd_drop(skb, packet, reason);
	return vd_tracing ? TC_ACT_OK : vd_output_link(skb, flow);
}

/* 0, or the reason to drop. packet->flow is what shall become of the packet and its followers. */
static __always_inline int vd_uplink_stages(struct __sk_buff *skb, struct vd_packet *packet, bool is_inward)
{
	int reason = vd_fragment_stage(packet);

	if (!reason && packet->is_icmp_error)
		reason = vd_icmp_embedded(skb, packet);
	if (!reason)
		reason = is_inward ? vd_inward_stage(skb, packet) : vd_ingress_domain(packet);
	if (!reason && !is_inward)
		reason = vd_bridge_from_wire(packet);
	if (!reason)
		reason = vd_connection_stage(skb);
	if (!reason)
		reason = vd_ttl_stage(packet);
	if (!reason && !packet->for_service)
		reason = vd_mtu_stage(skb, packet);
	return reason;
}

/* The verdict, or -1. Not inline: decide's own frame stays small, above it the stages stand six deep (Linux 6.1 counts 512 bytes). */
static __noinline int vd_uplink_forward_late(struct __sk_buff *skb)
{
	vd_flow_pull(skb);
	return vd_uplink_forward(skb, skb->cb[VD_TURN_IFINDEX], skb->cb[VD_TURN_VLAN]);
}

/* Where the uplink's cache has no answer; and what turned round, for which the cache is asked here. */
SEC("tc")
int vd_uplink_decide(struct __sk_buff *skb)
{
	struct vd_counters *counters = vd_counters_here();
	bool is_turned = skb->cb[VD_TURN_COUNT], is_inward;
	struct vd_packet *packet;
	int reason, verdict;

	if (!vd_tracing && (is_turned || !vd_flow_is_linear(skb))) {
		verdict = vd_uplink_forward_late(skb);
		if (verdict >= 0)
			return verdict;
	}
	packet = vd_packet_scratch();
	if (!packet)
		return TC_ACT_SHOT;
	reason = vd_uplink_read(skb, packet);
	if (!reason)
		reason = vd_parse(skb, packet);
	is_inward = !reason && (is_turned || skb->pkt_type == PACKET_HOST) &&
		    vd_inward_is(packet->family, packet->segment.network, &packet->tuple.destination);
	if (!reason && !is_inward && vd_dhcp_is_answer(packet))
		return vd_uplink_dhcp(skb, packet);
	if (counters && !vd_tracing)
		counters->misses++;
	if (!reason)
		reason = vd_uplink_stages(skb, packet, is_inward);
	if (reason == VD_DROP_REASON_VIP_UNSERVED && !vd_tracing)
		return vd_drop_quietly(skb, reason); /* what every public address sees all day */
	if (reason)
		return vd_drop(skb, packet, reason);
	if (counters && !vd_tracing)
		counters->decided++;
	return vd_forward_packet(skb, packet);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
