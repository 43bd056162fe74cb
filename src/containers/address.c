/* SPDX-License-Identifier: Apache-2.0 */
#include "containers/address.h"

#include <errno.h>

bool vd_container_address_is_good(const struct vd_prefix *block, const struct vd_address *gateway, const struct vd_address *address)
{
	struct vd_address first = vd_prefix_first(block), last = vd_prefix_last(block);

	if (address->family != block->address.family || !vd_prefix_contains(block, address))
		return false;
	if (block->length == vd_address_bits(&block->address))
		return true;
	if (vd_address_equal(address, gateway) || vd_address_equal(address, &first))
		return false;
	return address->family == VD_FAMILY_IPV6 || !vd_address_equal(address, &last);
}

int vd_container_address_choose(const struct vd_prefix *block, const struct vd_address *gateway, const struct vd_address *last,
				bool (*is_used)(const struct vd_address *address, void *userdata), void *userdata,
				struct vd_address *ret)
{
	struct vd_address first = vd_prefix_first(block), end = vd_prefix_last(block), address;
	bool is_inside = last->family == block->address.family && vd_prefix_contains(block, last);
	struct vd_address begin = is_inside && !vd_address_equal(last, &end) ? vd_address_add(last, 1) : first;

	address = begin;
	do {
		if (vd_container_address_is_good(block, gateway, &address) && !is_used(&address, userdata)) {
			*ret = address;
			return 0;
		}
		address = vd_address_equal(&address, &end) ? first : vd_address_add(&address, 1);
	} while (!vd_address_equal(&address, &begin));
	return -ENOSPC;
}
