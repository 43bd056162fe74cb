/* SPDX-License-Identifier: Apache-2.0 */
#include "model/service_address.h"

#include "abi/maps.h"

/* All ones would be the broadcast address, and 0 is no host. */
#define HOST_LAST (~VD_SERVICE4 - 1)

static void put32(uint8_t *bytes, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(value >> (24 - 8 * i));
}

struct vd_prefix vd_service_prefix(enum vd_family family)
{
	struct vd_prefix prefix = {.address.family = family};

	if (family == VD_FAMILY_IPV4) {
		prefix.length = VD_SERVICE4_LENGTH;
		put32(prefix.address.bytes, VD_SERVICE4);
	} else {
		prefix.length = VD_SERVICE6_LENGTH;
		put32(prefix.address.bytes, VD_SERVICE6_0);
		put32(prefix.address.bytes + 4, VD_SERVICE6_1);
	}
	return prefix;
}

bool vd_service_address(enum vd_family family, uint32_t host, struct vd_address *ret)
{
	struct vd_address address = vd_service_prefix(family).address;

	if (host == 0 || host > HOST_LAST)
		return false;
	put32(address.bytes + (family == VD_FAMILY_IPV4 ? 0 : 12), family == VD_FAMILY_IPV4 ? VD_SERVICE4 | host : host);
	*ret = address;
	return true;
}
