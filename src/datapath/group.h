/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_DATAPATH_GROUP_H
#define VD_DATAPATH_GROUP_H

#include "datapath/entry.h"
#include "plan/plan.h"

/*
 * Entries that several records of a plan make together: a virtual IP with the block lengths of its forwards, the elastic IP of an
 * inner address, the policy routes of a table. The records are kept, so that a change to one gives the entries of its groups as they
 * were and as they will be, at the cost of that group.
 */
struct vd_groups;

struct vd_groups *vd_groups_new(void);
void vd_groups_free(struct vd_groups *groups);
void vd_groups_clear(struct vd_groups *groups);

/* Records of other kinds are none of theirs, and no error. 0, or negative errno (-ENOSPC: more policy routes than a table holds). */
int vd_groups_add(struct vd_groups *groups, const struct vd_plan_record *record);
void vd_groups_remove(struct vd_groups *groups, const struct vd_plan_record *record);
/* Adds the entries of the groups that a record belongs to, or would, as they stand now. */
int vd_groups_encode(const struct vd_groups *groups, const struct vd_plan_record *record, struct vd_entries *entries);
/* Those of all groups. */
int vd_groups_encode_all(const struct vd_groups *groups, struct vd_entries *entries);

#endif
