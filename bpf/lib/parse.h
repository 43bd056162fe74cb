/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_PARSE_H
#define VD_LIB_PARSE_H

#include "trace.h"

/*
 * The complete parser, for decide: by bpf_skb_load_bytes, so that it need not care what lies in the linear part. The flow cache has
 * a quick one of its own (flow.h), which leaves everything unusual to this one.
 */

#define VD_IPV6_EXTENSIONS_MAX 6

static __always_inline bool vd_icmp_is_error(__u8 family, __u8 type)
{
	if (family == 6)
		return type < 128;
	return type == ICMP_DEST_UNREACH || type == ICMP_SOURCE_QUENCH || type == ICMP_REDIRECT || type == ICMP_TIME_EXCEEDED ||
	       type == ICMP_PARAMETERPROB;
}

/* Echo and its like carry an identifier; it stands for both ports. */
static __always_inline bool vd_icmp_has_identifier(__u8 family, __u8 type)
{
	if (family == 6)
		return type == ICMPV6_ECHO_REQUEST || type == ICMPV6_ECHO_REPLY;
	return type == ICMP_ECHO || type == ICMP_ECHOREPLY || type == ICMP_TIMESTAMP || type == ICMP_TIMESTAMPREPLY;
}

/* Echo and its like: who sends this asks. */
static __always_inline bool vd_icmp_is_question(__u8 family, __u8 type)
{
	if (family == 6)
		return type == ICMPV6_ECHO_REQUEST;
	return type == ICMP_ECHO || type == ICMP_TIMESTAMP;
}

/*
 * Walks IPv6 extension headers from *offset on; protocol becomes the transport's. A fragment header sets fragment and id.
 * Bounded: more than VD_IPV6_EXTENSIONS_MAX headers are malformed.
 */
static __noinline int vd_parse_extensions(struct __sk_buff *skb, struct vd_packet *packet, __u32 offset)
{
	struct {
		__u8 next, length;
		__be16 fragment;
		__be32 id;
	} header;
	__u32 i;

	for (i = 0; i <= VD_IPV6_EXTENSIONS_MAX; i++) {
		switch (packet->tuple.protocol) {
		case IPPROTO_HOPOPTS:
		case IPPROTO_ROUTING:
		case IPPROTO_DSTOPTS:
			if (bpf_skb_load_bytes(skb, offset, &header, sizeof(header)))
				return VD_DROP_REASON_MALFORMED;
			offset += (header.length + 1) * 8;
			break;
		case IPPROTO_FRAGMENT:
			if (bpf_skb_load_bytes(skb, offset, &header, sizeof(header)))
				return VD_DROP_REASON_MALFORMED;
			offset += sizeof(header);
			packet->fragment_id = header.id;
			if (header.fragment & bpf_htons(0xfff8))
				packet->fragment = VD_FRAGMENT_KIND_LATER;
			else if (header.fragment & bpf_htons(1))
				packet->fragment = VD_FRAGMENT_KIND_FIRST;
			break;
		default:
			packet->l4_offset = offset;
			return 0;
		}
		packet->tuple.protocol = header.next;
		if (packet->fragment == VD_FRAGMENT_KIND_LATER) {
			packet->l4_offset = offset;
			return 0;
		}
	}
	return VD_DROP_REASON_MALFORMED;
}

static __always_inline int vd_parse_ipv4(struct __sk_buff *skb, struct vd_packet *packet)
{
	struct iphdr ip;
	__u32 header_size;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)))
		return VD_DROP_REASON_MALFORMED;
	packet->family = 4;
	packet->tuple.source.word[0] = ip.saddr;
	packet->tuple.destination.word[0] = ip.daddr;
	packet->tuple.protocol = ip.protocol;
	packet->ttl = ip.ttl;
	packet->size = bpf_ntohs(ip.tot_len);
	packet->dont_fragment = ip.frag_off & bpf_htons(0x4000);
	header_size = ip.ihl * 4;
	packet->l4_offset = ETH_HLEN + header_size;
	if (ip.version != 4 || header_size < sizeof(ip) || packet->size < header_size || packet->size > skb->len - ETH_HLEN)
		return VD_DROP_REASON_MALFORMED;
	if (ip.frag_off & bpf_htons(0x1fff))
		packet->fragment = VD_FRAGMENT_KIND_LATER;
	else if (ip.frag_off & bpf_htons(0x2000))
		packet->fragment = VD_FRAGMENT_KIND_FIRST;
	packet->fragment_id = ip.id;
	return 0;
}

static __always_inline int vd_parse_ipv6(struct __sk_buff *skb, struct vd_packet *packet)
{
	struct ipv6hdr ip;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)))
		return VD_DROP_REASON_MALFORMED;
	packet->family = 6;
	__builtin_memcpy(&packet->tuple.source, &ip.saddr, sizeof(ip.saddr));
	__builtin_memcpy(&packet->tuple.destination, &ip.daddr, sizeof(ip.daddr));
	packet->tuple.protocol = ip.nexthdr;
	packet->ttl = ip.hop_limit;
	packet->size = sizeof(ip) + bpf_ntohs(ip.payload_len);
	packet->dont_fragment = true;
	if (ip.version != 6 || packet->size > skb->len - ETH_HLEN)
		return VD_DROP_REASON_MALFORMED;
	return vd_parse_extensions(skb, packet, ETH_HLEN + sizeof(ip));
}

/* Whether length bytes of transport header lie inside the IP packet. */
static __always_inline bool vd_parse_has(const struct vd_packet *packet, __u32 length)
{
	return packet->l4_offset + length <= ETH_HLEN + packet->size;
}

static __always_inline int vd_parse_tcp(struct __sk_buff *skb, struct vd_packet *packet)
{
	__u8 tcp[sizeof(struct tcphdr)];
	__u32 header_size;

	if (!vd_parse_has(packet, sizeof(tcp)) || bpf_skb_load_bytes(skb, packet->l4_offset, tcp, sizeof(tcp)))
		return VD_DROP_REASON_MALFORMED;
	__builtin_memcpy(&packet->tuple.source_port, tcp, 2);
	__builtin_memcpy(&packet->tuple.destination_port, tcp + 2, 2);
	header_size = (tcp[12] >> 4) * 4;
	packet->tcp_flags = tcp[13];
	packet->header_size = packet->l4_offset - ETH_HLEN + header_size;
	if (header_size < sizeof(tcp) || !vd_parse_has(packet, header_size))
		return VD_DROP_REASON_MALFORMED;
	return 0;
}

/* UDP, and the ICMPs: eight bytes each. */
static __always_inline int vd_parse_short(struct __sk_buff *skb, struct vd_packet *packet, bool is_icmp)
{
	__u8 header[8];

	if (!vd_parse_has(packet, sizeof(header)) || bpf_skb_load_bytes(skb, packet->l4_offset, header, sizeof(header)))
		return VD_DROP_REASON_MALFORMED;
	packet->header_size = packet->l4_offset - ETH_HLEN + sizeof(header);
	if (!is_icmp) {
		__builtin_memcpy(&packet->tuple.source_port, header, 2);
		__builtin_memcpy(&packet->tuple.destination_port, header + 2, 2);
		return 0;
	}
	packet->icmp_type = header[0];
	packet->icmp_code = header[1];
	packet->is_icmp_error = vd_icmp_is_error(packet->family, header[0]);
	if (vd_icmp_has_identifier(packet->family, header[0])) {
		__builtin_memcpy(&packet->tuple.source_port, header + 4, 2);
		packet->tuple.destination_port = packet->tuple.source_port;
	}
	return 0;
}

static __always_inline int vd_parse_transport(struct __sk_buff *skb, struct vd_packet *packet)
{
	int reason = 0;

	packet->header_size = packet->l4_offset - ETH_HLEN;
	if (packet->fragment == VD_FRAGMENT_KIND_LATER)
		return 0;
	switch (packet->tuple.protocol) {
	case IPPROTO_TCP:
		reason = vd_parse_tcp(skb, packet);
		break;
	case IPPROTO_UDP:
		reason = vd_parse_short(skb, packet, false);
		break;
	case IPPROTO_ICMP:
		reason = packet->family == 4 ? vd_parse_short(skb, packet, true) : 0;
		break;
	case IPPROTO_ICMPV6:
		reason = packet->family == 6 ? vd_parse_short(skb, packet, true) : 0;
		break;
	}
	packet->flow_port = packet->tuple.destination_port;
	if (packet->tuple.protocol == (packet->family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		packet->flow_port = bpf_htons(packet->icmp_type << 8 | packet->icmp_code);
	return reason;
}

/* 0 or the reason to drop. */
static __always_inline int vd_parse(struct __sk_buff *skb, struct vd_packet *packet)
{
	__u8 ethernet[ETH_HLEN];
	bool is_tagged = skb->vlan_present && packet->ingress_type != VD_INGRESS_UPLINK;
	int reason = VD_DROP_REASON_NOT_IP;

	if (bpf_skb_load_bytes(skb, 0, ethernet, sizeof(ethernet)))
		return VD_DROP_REASON_MALFORMED;
	vd_mac_copy(packet->destination_mac, ethernet);
	vd_mac_copy(packet->source_mac, ethernet + ETH_ALEN);
	if (!is_tagged && skb->protocol == bpf_htons(ETH_P_IP))
		reason = vd_parse_ipv4(skb, packet);
	else if (!is_tagged && skb->protocol == bpf_htons(ETH_P_IPV6))
		reason = vd_parse_ipv6(skb, packet);
	if (!reason)
		reason = vd_parse_transport(skb, packet);
	vd_trace_step(VD_STAGE_PARSE, reason, packet->family, packet->tuple.protocol, packet->size, packet->fragment);
	return reason;
}

#endif
