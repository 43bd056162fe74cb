/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_COMPILE_LOCATE_H
#define VD_COMPILE_LOCATE_H

#include "compile/view.h"

/* In this order, each over everything that is touched by then: later ones read what earlier ones counted. */
enum vd_locate_phase {
	VD_LOCATE_PHASE_RESOURCES, /* what depends on resources only */
	VD_LOCATE_PHASE_LOOKUPS,   /* which tables are looked up, by which tables subnets use; whose peers are here, by who is */
	VD_LOCATE_PHASE_ROUTES,    /* what routes there are, by which tables are looked up */
	VD_LOCATE_PHASE_COUNT,
};

/*
 * The first of two passes over what a change touched: brings the graph's relations (who is where, who uses what) to the model, and
 * touches the keys that this changes. Reads nothing that the unit's derivation does not read as well. 0 or -ENOMEM.
 */
int vd_locate(const struct vd_view *view, struct vd_unit *unit, enum vd_locate_phase phase);

#endif
