/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VD_LIB_ENDPOINT_H
#define VD_LIB_ENDPOINT_H

#include "dependency.h"

static __always_inline struct vd_endpoint_value *vd_endpoint_find(__u8 family, __u32 domain, const union vd_addr *address)
{
	if (family == 4) {
		struct vd_endpoint4_key key = {.domain = domain, .address = address->word[0]};

		return bpf_map_lookup_elem(&vd_endpoint4, &key);
	} else {
		struct vd_endpoint6_key key = {.domain = domain, .address = *address};

		return bpf_map_lookup_elem(&vd_endpoint6, &key);
	}
}

/* Multicast and broadcast: no packet of theirs leaves an instance. */
static __always_inline bool vd_addr_is_multicast(__u8 family, const union vd_addr *address)
{
	if (family == 4)
		return (address->byte[0] & 0xf0) == 224 || address->word[0] == ~0U;
	return address->byte[0] == 0xff;
}

/* What routers ask with (VD_SERVICE4 in abi/maps.h), the broadcast address excepted. */
static __always_inline bool vd_addr_is_service(__u8 family, const union vd_addr *address)
{
	if (family == 4)
		return address->byte[0] >= 240 && address->word[0] != ~0U;
	return address->word[0] == bpf_htonl(VD_SERVICE6_0) && address->word[1] == bpf_htonl(VD_SERVICE6_1);
}

static __always_inline bool vd_addr_is_link_local6(const union vd_addr *address)
{
	return address->byte[0] == 0xfe && (address->byte[1] & 0xc0) == 0x80;
}

/* The router's link-local address: made of VD_GATEWAY_MAC (RFC 4291, appendix A). */
static __always_inline bool vd_addr_is_router_link_local6(const union vd_addr *address)
{
	return address->word[0] == bpf_htonl(0xfe800000) && !address->word[1] && address->word[2] == bpf_htonl(0x007669ff) &&
	       address->word[3] == bpf_htonl(0xfe616401);
}

/* Where instances ask for their metadata. */
static __always_inline bool vd_addr_is_metadata4(const union vd_addr *address)
{
	return address->word[0] == bpf_htonl(0xa9fea9fe);
}

/* Addresses that no route may carry away (metadata stays inside the VPC): this network, loopback, link-local, unspecified. */
static __always_inline bool vd_addr_is_unroutable(__u8 family, const union vd_addr *address)
{
	if (family == 4)
		return address->byte[0] == 0 || address->byte[0] == 127 || (address->byte[0] == 169 && address->byte[1] == 254);
	return vd_addr_is_link_local6(address) ||
	       !(address->word[0] | address->word[1] | address->word[2] | (address->word[3] & ~bpf_htonl(1)));
}

#endif
