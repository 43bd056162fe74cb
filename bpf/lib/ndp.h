/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_NDP_H
#define VD_LIB_NDP_H

#include "neighbour.h"

#define VD_NDP_OPTION_SOURCE 1
#define VD_NDP_OPTION_TARGET 2
#define VD_NDP_ROUTER 0x80000000
#define VD_NDP_SOLICITED 0x40000000
#define VD_NDP_OVERRIDE 0x20000000

/* Neighbour solicitation and advertisement, with one link-layer address option (RFC 4861, 4.3, 4.4, 4.6.1). */
struct vd_ndp {
	__u8 type, code;
	__be16 checksum;
	__be32 flags;
	union vd_addr target;
	__u8 option, option_length;
	__u8 mac[6];
};

#define VD_NDP_SIZE_BARE 24 /* without the option */

/* What ICMPv6 checksums begin with (RFC 8200, 8.1). */
struct vd_ndp_pseudo {
	union vd_addr source, destination;
	__be32 length, next;
};

static __always_inline bool vd_ndp_is_unspecified(const union vd_addr *address)
{
	return !(address->word[0] | address->word[1] | address->word[2] | address->word[3]);
}

static __always_inline int vd_ndp_read(struct __sk_buff *skb, struct vd_packet *packet, struct ipv6hdr *ip, struct vd_ndp *ndp)
{
	__u32 length;

	__builtin_memset(ndp, 0, sizeof(*ndp));
	if (bpf_skb_load_bytes(skb, ETH_HLEN, ip, sizeof(*ip)))
		return VD_DROP_REASON_MALFORMED;
	length = bpf_ntohs(ip->payload_len);
	__builtin_memcpy(&packet->tuple.source, &ip->saddr, sizeof(ip->saddr));
	__builtin_memcpy(&packet->tuple.destination, &ip->daddr, sizeof(ip->daddr));
	packet->family = 6;
	packet->tuple.protocol = IPPROTO_ICMPV6;
	if (ip->version != 6 || ip->hop_limit != 255 || length < VD_NDP_SIZE_BARE || length + sizeof(*ip) > skb->len - ETH_HLEN)
		return VD_DROP_REASON_MALFORMED;
	if (bpf_skb_load_bytes(skb, ETH_HLEN + sizeof(*ip), ndp, VD_NDP_SIZE_BARE) || ndp->code)
		return VD_DROP_REASON_MALFORMED;
	/* Other options first (a nonce) is no crime: then the link-layer address is what the Ethernet header says. */
	if (length >= sizeof(*ndp) && bpf_skb_load_bytes(skb, ETH_HLEN + sizeof(*ip), ndp, sizeof(*ndp)))
		return VD_DROP_REASON_MALFORMED;
	return 0;
}

/* 0 with the answer, or the reason to drop. */
static __always_inline int vd_ndp_judge(struct vd_packet *packet, const struct vd_ndp *ndp, enum vd_neighbour_answer *ret,
					__u8 *ret_mac)
{
	bool is_question = ndp->type == VD_NEIGHBOUR_SOLICITATION;
	const union vd_addr *source = &packet->tuple.source, *claimed = is_question ? source : &ndp->target;
	bool has_mac = ndp->option == (is_question ? VD_NDP_OPTION_SOURCE : VD_NDP_OPTION_TARGET) && ndp->option_length == 1;
	bool is_checked = (packet->port.flags & VD_PORT_FLAG_SOURCE_CHECK) && !vd_from_service(packet);

	*ret = VD_NEIGHBOUR_ANSWER_SILENCE;
	if (vd_ndp_is_unspecified(source))
		return 0; /* duplicate address detection: whoever had the address would not be here */
	if (is_checked && has_mac && !vd_mac_equal(ndp->mac, packet->port.mac))
		return VD_DROP_REASON_NEIGHBOUR_SPOOFED;
	if (vd_addr_is_link_local6(claimed)) {
		if (is_checked && !vd_mac_equal(packet->source_mac, packet->port.mac))
			return VD_DROP_REASON_NEIGHBOUR_SPOOFED;
	} else if (!vd_neighbour_may_claim(packet, 6, claimed, packet->source_mac)) {
		return VD_DROP_REASON_NEIGHBOUR_SPOOFED;
	}
	if (!is_question || vd_addr_equal(source, &ndp->target))
		return 0;
	*ret = vd_neighbour_find(packet, 6, &ndp->target, ret_mac);
	return *ret == VD_NEIGHBOUR_ANSWER_UNKNOWN ? VD_DROP_REASON_NEIGHBOUR_UNKNOWN : 0;
}

static __always_inline __u16 vd_ndp_checksum(const struct ipv6hdr *ip, struct vd_ndp *ndp)
{
	struct vd_ndp_pseudo pseudo = {.length = bpf_htonl(sizeof(*ndp)), .next = bpf_htonl(IPPROTO_ICMPV6)};
	__u64 sum;

	__builtin_memcpy(&pseudo.source, &ip->saddr, sizeof(ip->saddr));
	__builtin_memcpy(&pseudo.destination, &ip->daddr, sizeof(ip->daddr));
	sum = bpf_csum_diff(NULL, 0, (__be32 *)&pseudo, sizeof(pseudo), 0);
	sum = bpf_csum_diff(NULL, 0, (__be32 *)ndp, sizeof(*ndp), sum);
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* Who probes for a duplicate of his address has none to be answered at: all nodes are (RFC 4861, 7.2.4). */
static __always_inline int vd_ndp_answer(struct __sk_buff *skb, const struct vd_packet *packet, struct ipv6hdr *ip,
					 struct vd_ndp *ndp, const __u8 *mac, bool is_gateway)
{
	struct ethhdr ethernet = {.h_dest = {0x33, 0x33, 0, 0, 0, 1}, .h_proto = bpf_htons(ETH_P_IPV6)};
	union vd_addr asker = packet->tuple.source, all_nodes = {.byte = {0xff, 0x02, [15] = 1}};
	bool is_probe = vd_ndp_is_unspecified(&asker);

	if (!is_probe)
		vd_mac_copy(ethernet.h_dest, packet->source_mac);
	vd_mac_copy(ethernet.h_source, mac);
	ip->payload_len = bpf_htons(sizeof(*ndp));
	__builtin_memcpy(&ip->daddr, is_probe ? &all_nodes : &asker, sizeof(ip->daddr));
	__builtin_memcpy(&ip->saddr, &ndp->target, sizeof(ip->saddr));
	ndp->type = VD_NEIGHBOUR_ADVERTISEMENT;
	ndp->checksum = 0;
	ndp->flags = bpf_htonl((is_probe ? 0 : VD_NDP_SOLICITED) | VD_NDP_OVERRIDE | (is_gateway ? VD_NDP_ROUTER : 0));
	ndp->option = VD_NDP_OPTION_TARGET;
	ndp->option_length = 1;
	vd_mac_copy(ndp->mac, mac);
	ndp->checksum = vd_ndp_checksum(ip, ndp);
	if (bpf_skb_change_tail(skb, sizeof(ethernet) + sizeof(*ip) + sizeof(*ndp), 0) ||
	    bpf_skb_store_bytes(skb, 0, &ethernet, sizeof(ethernet), 0) || bpf_skb_store_bytes(skb, ETH_HLEN, ip, sizeof(*ip), 0) ||
	    bpf_skb_store_bytes(skb, ETH_HLEN + sizeof(*ip), ndp, sizeof(*ndp), 0))
		return vd_drop(skb, packet, VD_DROP_REASON_INTERNAL);
	return vd_neighbour_reply(skb, packet);
}

/* Answers a neighbour solicitation from the endpoint table. Returns the verdict. */
static __always_inline int vd_ndp_handle(struct __sk_buff *skb, struct vd_packet *packet)
{
	enum vd_neighbour_answer answer = VD_NEIGHBOUR_ANSWER_SILENCE;
	struct ipv6hdr ip;
	struct vd_ndp ndp;
	__u8 mac[6] = {0};
	int reason;

	reason = vd_ndp_read(skb, packet, &ip, &ndp);
	if (!reason)
		reason = vd_ndp_judge(packet, &ndp, &answer, mac);
	vd_trace_step(VD_STAGE_NEIGHBOUR, reason, answer > VD_NEIGHBOUR_ANSWER_SILENCE, 0, 0, 0);
	if (reason || answer == VD_NEIGHBOUR_ANSWER_SILENCE)
		return vd_neighbour_pass(skb, packet, reason);
	return vd_tracing ? TC_ACT_OK : vd_ndp_answer(skb, packet, &ip, &ndp, mac, answer == VD_NEIGHBOUR_ANSWER_GATEWAY);
}

#endif
