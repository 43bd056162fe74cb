/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_COMPILE_LOCATE_H
#define VD_COMPILE_LOCATE_H

#include "compile/view.h"

/*
 * The first of two passes over what a change touched: brings the graph's relations (who is where, who uses what) to the model, and
 * touches the keys that this changes. Reads nothing that the unit's derivation does not read as well. 0 or -ENOMEM.
 */
int vd_locate(const struct vd_view *view, struct vd_unit *unit);

#endif
