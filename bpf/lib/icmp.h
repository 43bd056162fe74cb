/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_ICMP_H
#define VD_LIB_ICMP_H

#include "endpoint.h"
#include "parse.h"

#define VD_ICMP_HEADER 8
#define VD_IPV4_CHECKSUM_OFFSET 10
#define VD_IPV4_SOURCE_OFFSET 12
#define VD_IPV6_SOURCE_OFFSET 8
#define VD_ICMPV6_CHECKSUM_OFFSET 2

static __always_inline int vd_icmp_embedded_addresses4(struct __sk_buff *skb, struct vd_packet *packet, __u32 offset, __u32 *ret_l4)
{
	struct iphdr ip;

	if (bpf_skb_load_bytes(skb, offset, &ip, sizeof(ip)) || ip.version != 4 || ip.ihl < 5)
		return VD_DROP_REASON_MALFORMED;
	packet->embedded.source.word[0] = ip.saddr;
	packet->embedded.destination.word[0] = ip.daddr;
	packet->embedded.protocol = ip.protocol;
	*ret_l4 = offset + ip.ihl * 4;
	return ip.frag_off & bpf_htons(0x1fff) ? VD_DROP_REASON_ICMP_UNRELATED : 0;
}

static __always_inline int vd_icmp_embedded_addresses6(struct __sk_buff *skb, struct vd_packet *packet, __u32 offset, __u32 *ret_l4)
{
	struct ipv6hdr ip;
	__u8 extension[8];
	__u32 i;

	if (bpf_skb_load_bytes(skb, offset, &ip, sizeof(ip)) || ip.version != 6)
		return VD_DROP_REASON_MALFORMED;
	__builtin_memcpy(&packet->embedded.source, &ip.saddr, sizeof(ip.saddr));
	__builtin_memcpy(&packet->embedded.destination, &ip.daddr, sizeof(ip.daddr));
	packet->embedded.protocol = ip.nexthdr;
	offset += sizeof(ip);
#pragma unroll
	for (i = 0; i < 3; i++) {
		__u8 protocol = packet->embedded.protocol;

		if (protocol != IPPROTO_HOPOPTS && protocol != IPPROTO_ROUTING && protocol != IPPROTO_DSTOPTS &&
		    protocol != IPPROTO_FRAGMENT)
			break;
		if (bpf_skb_load_bytes(skb, offset, extension, sizeof(extension)))
			return VD_DROP_REASON_MALFORMED;
		packet->embedded.protocol = extension[0];
		offset += protocol == IPPROTO_FRAGMENT ? 8 : (extension[1] + 1) * 8;
	}
	*ret_l4 = offset;
	return 0;
}

/*
 * The packet that an ICMP error speaks of (RFC 792 gives its IP header and eight bytes). It must have come from the one that the
 * error goes to: nobody else has a use for it.
 */
static __noinline int vd_icmp_read_embedded(struct __sk_buff *skb, struct vd_packet *packet)
{
	struct vd_tuple *embedded = &packet->embedded;
	__u8 transport[8];
	__u32 l4 = 0;
	int reason;

	if (packet->family == 4)
		reason = vd_icmp_embedded_addresses4(skb, packet, packet->l4_offset + VD_ICMP_HEADER, &l4);
	else
		reason = vd_icmp_embedded_addresses6(skb, packet, packet->l4_offset + VD_ICMP_HEADER, &l4);
	if (reason)
		return reason;
	if (bpf_skb_load_bytes(skb, l4, transport, sizeof(transport)))
		return VD_DROP_REASON_MALFORMED;
	packet->embedded_l4 = l4;
	if (!vd_addr_equal(&embedded->source, &packet->tuple.destination))
		return VD_DROP_REASON_ICMP_UNRELATED;
	if (embedded->protocol == (packet->family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6)) {
		packet->embedded_icmp_type = transport[0];
		if (!vd_icmp_has_identifier(packet->family, transport[0]))
			return 0;
		__builtin_memcpy(&embedded->source_port, transport + 4, 2);
		embedded->destination_port = embedded->source_port;
	} else if (embedded->protocol == IPPROTO_TCP || embedded->protocol == IPPROTO_UDP) {
		__builtin_memcpy(&embedded->source_port, transport, 2);
		__builtin_memcpy(&embedded->destination_port, transport + 2, 2);
	}
	return 0;
}

static __always_inline int vd_icmp_embedded(struct __sk_buff *skb, struct vd_packet *packet)
{
	int reason = vd_icmp_read_embedded(skb, packet);

	if (reason)
		vd_trace_step(VD_STAGE_CONNECTION, reason, 0, 0, 0, 0);
	return reason;
}

static __always_inline void vd_icmp_source4(struct __sk_buff *skb, const struct vd_packet *packet, __be32 gateway)
{
	__be32 before = packet->tuple.source.word[0];

	bpf_l3_csum_replace(skb, ETH_HLEN + VD_IPV4_CHECKSUM_OFFSET, before, gateway, 4);
	bpf_skb_store_bytes(skb, ETH_HLEN + VD_IPV4_SOURCE_OFFSET, &gateway, sizeof(gateway), 0);
}

static __always_inline void vd_icmp_source6(struct __sk_buff *skb, struct vd_packet *packet, union vd_addr *gateway)
{
	__s64 difference = bpf_csum_diff((__be32 *)&packet->tuple.source, sizeof(*gateway), (__be32 *)gateway, sizeof(*gateway), 0);

	bpf_l4_csum_replace(skb, packet->l4_offset + VD_ICMPV6_CHECKSUM_OFFSET, 0, difference, BPF_F_PSEUDO_HDR);
	bpf_skb_store_bytes(skb, ETH_HLEN + VD_IPV6_SOURCE_OFFSET, gateway, sizeof(*gateway), 0);
}

/*
 * An error that the service port's kernel made carries whichever gateway address it chose; it must come from the gateway of the
 * subnet that it goes to. An error of the one who was asked himself (a closed port of a gateway) keeps its source.
 */
static __noinline int vd_icmp_source_rewrite(struct __sk_buff *skb, struct vd_packet *packet)
{
	__u32 subnet_id = packet->delivery_subnet;
	struct vd_subnet_value *subnet;
	union vd_addr gateway;

	if (vd_addr_equal(&packet->tuple.source, &packet->embedded.destination))
		return 0;
	subnet = bpf_map_lookup_elem(&vd_subnet, &subnet_id);
	if (!subnet)
		return 0;
	if (packet->family == 4) {
		if (subnet->gateway4)
			vd_icmp_source4(skb, packet, subnet->gateway4);
		return 0;
	}
	gateway = subnet->gateway6;
	if (gateway.word[0])
		vd_icmp_source6(skb, packet, &gateway);
	return 0;
}

#endif
