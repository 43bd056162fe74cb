/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_COMPILE_MEMBER_H
#define VD_COMPILE_MEMBER_H

#include "compile/graph.h"

/* Touches what the resource is found by, besides its name: whoever it refers to (compile/key.h, vd_key_members). */
void vd_member_touch(struct vd_graph *graph, const struct vd_resource *resource);

#endif
