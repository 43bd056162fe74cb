/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_DATAPATH_UPLINK_H
#define VD_DATAPATH_UPLINK_H

#include "datapath/version.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Uplinks are not remembered anywhere: an interface is one when our filter on it runs the uplink program of a version that is
 * pinned. Calls back for each of them, with any of the versions' programs.
 */
int vd_uplinks_each(const struct vd_version *versions, size_t count, int (*visit)(uint32_t ifindex, void *userdata),
		    void *userdata);

#endif
