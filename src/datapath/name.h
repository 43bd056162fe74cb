/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_DATAPATH_NAME_H
#define VD_DATAPATH_NAME_H

#include "plan/plan.h"

/*
 * What a person calls the things that maps know by id: ports and VPCs "name" (another project's than default: "project/name"),
 * hosts and subnets by name, routes by table and destination. Ids are unique among all resources.
 */
struct vd_names;

struct vd_names *vd_names_new(void);
void vd_names_free(struct vd_names *names);
/* A route has one id in every domain that its table is attached to: what is added twice must be removed twice. */
int vd_names_add(struct vd_names *names, const struct vd_plan_record *record);
void vd_names_remove(struct vd_names *names, const struct vd_plan_record *record);
void vd_names_clear(struct vd_names *names);
/* NULL: no name. Borrowed until the next change. */
const char *vd_names_find(const struct vd_names *names, uint32_t id);

#endif
