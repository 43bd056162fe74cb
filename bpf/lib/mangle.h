/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_MANGLE_H
#define VD_LIB_MANGLE_H

#include "packet.h"

/*
 * Writes translated addresses and ports into packets. Checksums that are not final (CHECKSUM_PARTIAL: the pseudo header's sum alone,
 * GSO too) and UDP's 0 are why transport checksums go by the kernel's helper, in two steps: an address is in the pseudo header, a
 * port is not.
 */

#define VD_FLOW_TRANSLATES (VD_FLOW_FLAG_TRANSLATE_SOURCE | VD_FLOW_FLAG_TRANSLATE_DESTINATION)

static __always_inline __u32 vd_sum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

/* What is added to a sum (the complement of a checksum) when one address takes the other's place. */
static __always_inline __u32 vd_sum_difference(const union vd_addr *from, const union vd_addr *to)
{
	__u64 sum = 0;
	__u32 i;

#pragma unroll
	for (i = 0; i < 4; i++)
		sum += (__u64)to->word[i] + (__u32)~from->word[i];
	return vd_sum_fold(sum);
}

static __always_inline __u16 vd_sum_apply(__u16 checksum, __u32 difference)
{
	return ~vd_sum_fold((__u64)(__u16)~checksum + difference);
}

/* Where the checksum stands in the transport header, 0: it has none that knows of addresses or ports. */
static __always_inline __u32 vd_mangle_checksum(__u8 family, __u8 protocol)
{
	if (protocol == IPPROTO_TCP)
		return 16;
	if (protocol == IPPROTO_UDP)
		return 6;
	return protocol == (family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6) ? 2 : 0;
}

/* Protocols that can be translated: those above, and those whose checksum (if any) leaves addresses out. */
static __always_inline bool vd_mangle_can(__u8 family, __u8 protocol)
{
	return vd_mangle_checksum(family, protocol) || protocol == IPPROTO_GRE || protocol == IPPROTO_ESP ||
	       protocol == IPPROTO_SCTP || protocol == IPPROTO_IPIP || protocol == IPPROTO_IPV6;
}

/* offset: 0, 2 or 4 in the transport header. A hit has a constant l4 in the linear part: that saves a helper. */
static __always_inline bool vd_mangle_port(struct __sk_buff *skb, __u32 l4, __u32 offset, __be16 port)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	__be16 *ports = data + l4;

	if (!__builtin_constant_p(l4))
		return !bpf_skb_store_bytes(skb, l4 + offset, &port, sizeof(port), 0);
	if (data + l4 + 6 > end)
		return false;
	if (offset == 4)
		ports[2] = port;
	else if (offset == 2)
		ports[1] = port;
	else
		ports[0] = port;
	return true;
}

/* l4: of the transport header, from the Ethernet header. port: what stands there. */
static __always_inline bool vd_mangle_transport(struct __sk_buff *skb, const struct vd_flow *flow, __u8 family, __u8 protocol,
						__u32 l4, __be16 port)
{
	__u32 checksum = vd_mangle_checksum(family, protocol);
	__u64 flags = protocol == IPPROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;
	__be16 translated = flow->translated_port;
	bool is_icmp = checksum == 2;
	__u32 offset = is_icmp ? 4 : flow->flags & VD_FLOW_FLAG_TRANSLATE_SOURCE ? 0 : 2;

	if (!checksum)
		return true;
	if (!is_icmp || family == 6) {
		if (bpf_l4_csum_replace(skb, l4 + checksum, 0, flow->translated_difference, BPF_F_PSEUDO_HDR | flags))
			return false;
		/*
		 * The helper thinks of IPv4, whose header has a checksum: a sum by the hardware over all of an IPv6 packet does not
		 * change at all.
		 */
		if (family == 6)
			bpf_csum_update(skb, flow->translated_difference);
	}
	if (port == translated)
		return true;
	return !bpf_l4_csum_replace(skb, l4 + checksum, port, translated, sizeof(port) | flags) &&
	       vd_mangle_port(skb, l4, offset, translated);
}

static __always_inline const union vd_addr *vd_mangle_destination(const struct vd_flow *flow)
{
	return flow->flags & VD_FLOW_FLAG_TRANSLATE_SOURCE ? &flow->translated_destination : &flow->translated_address;
}

static __always_inline bool vd_mangle_address4(struct __sk_buff *skb, const struct vd_flow *flow)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct iphdr *ip = data + ETH_HLEN;

	if (data + ETH_HLEN + sizeof(*ip) > end)
		return false;
	if (flow->flags & VD_FLOW_FLAG_TRANSLATE_SOURCE)
		ip->saddr = flow->translated_address.word[0];
	if (flow->flags & VD_FLOW_FLAG_TRANSLATE_DESTINATION)
		ip->daddr = vd_mangle_destination(flow)->word[0];
	ip->check = vd_sum_apply(ip->check, flow->translated_difference);
	return true;
}

static __always_inline bool vd_mangle_address6(struct __sk_buff *skb, const struct vd_flow *flow)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct ipv6hdr *ip = data + ETH_HLEN;

	if (data + ETH_HLEN + sizeof(*ip) > end)
		return false;
	if (flow->flags & VD_FLOW_FLAG_TRANSLATE_SOURCE)
		__builtin_memcpy(&ip->saddr, &flow->translated_address, sizeof(ip->saddr));
	if (flow->flags & VD_FLOW_FLAG_TRANSLATE_DESTINATION)
		__builtin_memcpy(&ip->daddr, vd_mangle_destination(flow), sizeof(ip->daddr));
	return true;
}

/* Not a function that is called: what is left to the compiler's constants (family, l4) is what a hit costs. */
static __always_inline bool vd_mangle(struct __sk_buff *skb, const struct vd_flow *flow, __u8 family, __u8 protocol, __u32 l4,
				      __be16 port)
{
	if (l4 && !vd_mangle_transport(skb, flow, family, protocol, l4, port))
		return false;
	return family == 4 ? vd_mangle_address4(skb, flow) : vd_mangle_address6(skb, flow);
}

/* ---- the packet that an ICMP error carries ---- */

/* Writes to where from stands, and keeps the error's own checksum right. */
static __always_inline void vd_mangle_word(struct __sk_buff *skb, const struct vd_packet *packet, __u32 offset, __be32 from,
					   __be32 to)
{
	bpf_l4_csum_replace(skb, packet->l4_offset + 2, from, to, sizeof(to));
	bpf_skb_store_bytes(skb, offset, &to, sizeof(to), 0);
}

static __always_inline void vd_mangle_half(struct __sk_buff *skb, const struct vd_packet *packet, __u32 offset, __be16 from,
					   __be16 to)
{
	bpf_l4_csum_replace(skb, packet->l4_offset + 2, from, to, sizeof(to));
	bpf_skb_store_bytes(skb, offset, &to, sizeof(to), 0);
}

/* The embedded packet's checksum, where enough of it is there. */
static __always_inline void vd_mangle_embedded_checksum(struct __sk_buff *skb, const struct vd_packet *packet, __u32 difference)
{
	__u32 offset = vd_mangle_checksum(packet->family, packet->embedded.protocol);
	__be16 checksum;

	if (!offset)
		return;
	offset += packet->embedded_l4;
	if (offset + sizeof(checksum) > ETH_HLEN + packet->size || bpf_skb_load_bytes(skb, offset, &checksum, sizeof(checksum)))
		return;
	if (checksum || packet->embedded.protocol != IPPROTO_UDP)
		vd_mangle_half(skb, packet, offset, checksum, vd_sum_apply(checksum, difference));
}

/* One address of the embedded packet; offset: in its header. */
static __always_inline void vd_mangle_embedded_address(struct __sk_buff *skb, const struct vd_packet *packet, __u32 offset,
						       const union vd_addr *from, const union vd_addr *to)
{
	__u32 l3 = packet->l4_offset + 8, i;
	__be16 checksum;

	if (packet->family == 4) {
		vd_mangle_word(skb, packet, l3 + offset, from->word[0], to->word[0]);
		if (!bpf_skb_load_bytes(skb, l3 + 10, &checksum, sizeof(checksum)))
			vd_mangle_half(skb, packet, l3 + 10, checksum, vd_sum_apply(checksum, vd_sum_difference(from, to)));
		return;
	}
#pragma unroll
	for (i = 0; i < 4; i++)
		vd_mangle_word(skb, packet, l3 + offset + 4 * i, from->word[i], to->word[i]);
}

/* From one VPC to its peer: both addresses, and no port. */
static __noinline int vd_mangle_embedded_peer(struct __sk_buff *skb, const struct vd_packet *packet)
{
	const struct vd_tuple *from = &packet->embedded, *to = &packet->seen_embedded;
	bool is_ipv4 = packet->family == 4;

	vd_mangle_embedded_address(skb, packet, is_ipv4 ? 12 : 8, &from->source, &to->source);
	vd_mangle_embedded_address(skb, packet, is_ipv4 ? 16 : 24, &from->destination, &to->destination);
	if (is_ipv4 && from->protocol == IPPROTO_ICMP)
		return 0;
	vd_mangle_embedded_checksum(skb, packet,
				    vd_sum_fold((__u64)vd_sum_difference(&from->source, &to->source) +
						vd_sum_difference(&from->destination, &to->destination)));
	return 0;
}

/*
 * Addresses and ports of the packet that an error speaks of: going out, its destination is the inner end; coming in, its source is
 * the virtual IP.
 */
static __noinline int vd_mangle_embedded(struct __sk_buff *skb, const struct vd_packet *packet)
{
	bool is_out = packet->flow.flags & VD_FLOW_FLAG_TRANSLATE_SOURCE;
	const union vd_addr *inner = is_out ? &packet->embedded.destination : &packet->embedded.source;
	__be16 inner_port = is_out ? packet->embedded.destination_port : packet->embedded.source_port;
	const union vd_addr *from = is_out ? inner : &packet->way.vip, *to = is_out ? &packet->way.vip : inner;
	__be16 from_port = is_out ? inner_port : packet->way.vip_port, to_port = is_out ? packet->way.vip_port : inner_port;
	__u32 difference = vd_sum_difference(from, to), ports;
	bool is_icmp = packet->embedded.protocol == (packet->family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);

	vd_mangle_embedded_address(skb, packet, packet->family == 4 ? (is_out ? 16 : 12) : is_out ? 24 : 8, from, to);
	ports = vd_sum_fold((__u64)to_port + (__u16)~from_port);
	if (is_icmp && packet->family == 4)
		difference = 0;
	vd_mangle_embedded_checksum(skb, packet, vd_sum_fold((__u64)difference + ports));
	if (from_port != to_port)
		vd_mangle_half(skb, packet, packet->embedded_l4 + (is_icmp ? 4 : is_out ? 2 : 0), from_port, to_port);
	return 0;
}

/* What decide's packet needs of all this; the flow says whether. False: it could not be written, and must not leave. */
static __always_inline bool vd_mangle_packet(struct __sk_buff *skb, const struct vd_packet *packet)
{
	const struct vd_flow *flow = &packet->flow;
	bool has_transport = packet->fragment != VD_FRAGMENT_KIND_LATER;
	__be16 port = flow->flags & VD_FLOW_FLAG_TRANSLATE_SOURCE ? packet->tuple.source_port : packet->wire.destination_port;

	if (!(flow->flags & VD_FLOW_TRANSLATES))
		return true;
	if (packet->is_icmp_error) {
		if ((flow->flags & VD_FLOW_TRANSLATES) == VD_FLOW_TRANSLATES)
			vd_mangle_embedded_peer(skb, packet);
		else
			vd_mangle_embedded(skb, packet);
		port = flow->translated_port;
	}
	return vd_mangle(skb, flow, packet->family, packet->tuple.protocol, has_transport ? packet->l4_offset : 0, port);
}

#endif
