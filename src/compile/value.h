/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_COMPILE_VALUE_H
#define VD_COMPILE_VALUE_H

#include "compile/view.h"

/* What the units that are values are worked out to. */
uint32_t vd_derive_reach(const struct vd_view *view, const char *project, const char *pool, const char *host);
uint32_t vd_derive_mtu(const struct vd_view *view, const char *project, const char *pool);
/* Zero, also in its holes, when there is none. */
void vd_derive_uplink(const struct vd_view *view, const char *host, const char *physnet, struct vd_uplink *ret);
void vd_derive_link(const struct vd_view *view, const char *physnet, const char *vlan, struct vd_link *ret);
uint32_t vd_derive_node_mtu(const struct vd_view *view, const char *project, const char *name);
void vd_derive_station(const struct vd_view *view, const char *host, struct vd_station *ret);

#endif
