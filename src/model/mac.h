/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_MODEL_MAC_H
#define VD_MODEL_MAC_H

/* Inside src/model only; apart from the rest because the data plane and documents each have their struct vd_policy_route. */

#include "base/address.h"

/* The MAC that every router answers with; no port may have it. */
bool vd_mac_is_router(const struct vd_mac *mac);
/* Exits have these inside tunnels between hosts: a port with one would be taken for the way out. */
bool vd_mac_is_exit(const struct vd_mac *mac);

#endif
