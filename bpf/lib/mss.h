/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_MSS_H
#define VD_LIB_MSS_H

#include "packet.h"

#define VD_TCP_OPTIONS_MAX 40
#define VD_TCP_OPTION_END 0
#define VD_TCP_OPTION_NOP 1
#define VD_TCP_OPTION_MSS 2
#define VD_TCP_CHECKSUM_OFFSET 16

struct vd_mss_search {
	struct __sk_buff *skb;
	__u32 offset, end; /* from the Ethernet header */
	__u32 found;       /* offset of the MSS option, 0: none */
};

static long vd_mss_search_step(__u32 index, void *context)
{
	struct vd_mss_search *search = context;
	__u8 option[2] = {0};

	if (search->offset + 1 > search->end || bpf_skb_load_bytes(search->skb, search->offset, option, 1) ||
	    option[0] == VD_TCP_OPTION_END)
		return 1;
	if (option[0] == VD_TCP_OPTION_NOP) {
		search->offset++;
		return 0;
	}
	if (search->offset + 2 > search->end || bpf_skb_load_bytes(search->skb, search->offset, option, 2) || option[1] < 2)
		return 1;
	if (option[0] == VD_TCP_OPTION_MSS && option[1] == 4 && search->offset + 4 <= search->end) {
		search->found = search->offset;
		return 1;
	}
	search->offset += option[1];
	return 0;
}

/*
 * Lowers the MSS of a SYN to what the path carries, so that TCP need not find out by losing packets (RFC 6691 says how to count).
 * bpf_l4_csum_replace knows what to do with a checksum that is not final yet.
 */
static __noinline int vd_mss_clamp(struct __sk_buff *skb, const struct vd_packet *packet)
{
	struct vd_mss_search search = {.skb = skb, .offset = packet->l4_offset + sizeof(struct tcphdr)};
	__u32 path = packet->flow.mtu, inside = packet->domain_value.mtu; /* a network may carry more than its way from there on */
	__u32 most = (path < inside ? path : inside) - (packet->family == 4 ? 40 : 60);
	__be16 before, after;

	search.end = ETH_HLEN + packet->header_size;
	bpf_loop(VD_TCP_OPTIONS_MAX, vd_mss_search_step, &search, 0);
	if (!search.found || bpf_skb_load_bytes(skb, search.found + 2, &before, sizeof(before)) || bpf_ntohs(before) <= most)
		return 0;
	after = bpf_htons(most);
	/* An option may start at an odd byte; the checksum then sees its bytes the other way round. */
	if ((search.found - packet->l4_offset) & 1)
		bpf_l4_csum_replace(skb, packet->l4_offset + VD_TCP_CHECKSUM_OFFSET, __builtin_bswap16(before),
				    __builtin_bswap16(after), 2);
	else
		bpf_l4_csum_replace(skb, packet->l4_offset + VD_TCP_CHECKSUM_OFFSET, before, after, 2);
	bpf_skb_store_bytes(skb, search.found + 2, &after, sizeof(after), 0);
	return 0;
}

#endif
