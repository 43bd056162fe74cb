/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_MODEL_SERVICE_ADDRESS_H
#define VD_MODEL_SERVICE_ADDRESS_H

#include "base/address.h"

#include <stdbool.h>

/* What a VPC's router asks name servers with, on each host another one: VD_SERVICE4 and VD_SERVICE6 in bpf/abi/maps.h. */

/* Of the host with this id, in every VPC. False: the id has no place in it (from 268,435,455), the router there asks as its host. */
bool vd_service_address(enum vd_family family, uint32_t host, struct vd_address *ret);
/* What all of them lie in. */
struct vd_prefix vd_service_prefix(enum vd_family family);

#endif
