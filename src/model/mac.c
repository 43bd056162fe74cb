/* SPDX-License-Identifier: Apache-2.0 */
#include "model/mac.h"

#include "abi/maps.h"

bool vd_mac_is_router(const struct vd_mac *mac)
{
	static const struct vd_mac router = {VD_GATEWAY_MAC};

	return vd_mac_equal(mac, &router);
}

bool vd_mac_is_exit(const struct vd_mac *mac)
{
	return mac->bytes[0] == VD_EXIT_MAC_0 && mac->bytes[1] == VD_EXIT_MAC_1;
}
