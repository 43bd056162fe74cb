/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_CONTAINERS_ADDRESS_H
#define VD_CONTAINERS_ADDRESS_H

#include "base/address.h"

/* Which addresses of a block containers may have, and which comes next. Pure. */

/*
 * Whether a container may have this one: inside the block, not its gateway, not the first (the network's own; of IPv6 the routers'
 * anycast address), nor of IPv4 the last (broadcast). A block of one address is a moved one: that address is good.
 */
bool vd_container_address_is_good(const struct vd_prefix *block, const struct vd_address *gateway,
				  const struct vd_address *address);

/*
 * The first free one behind last (family none: from the beginning), round through the block, so that an address is given again as late
 * as possible. -ENOSPC: all are used.
 */
int vd_container_address_choose(const struct vd_prefix *block, const struct vd_address *gateway, const struct vd_address *last,
				bool (*is_used)(const struct vd_address *address, void *userdata), void *userdata,
				struct vd_address *ret);

#endif
