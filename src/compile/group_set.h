/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_COMPILE_GROUP_SET_H
#define VD_COMPILE_GROUP_SET_H

#include "compile/table.h"
#include "model/resource.h"

#include <stdbool.h>

/*
 * Which sets of security groups there are, each under the identity that its ports share. Kept by counting ports, so that what a
 * rule means is worked out from the sets, never from the ports: a port more in a set costs no rule anything.
 */
struct vd_membership {
	struct vd_table_node node; /* by project and group */
	const struct vd_group_set *set;
	const char *group;
};

struct vd_group_set {
	struct vd_table_node node;
	uint32_t id;
	unsigned ports, ports_here; /* that have it, anywhere; attached on this host */
	const char *project;
	size_t group_count;
	struct vd_membership *groups; /* in the order of names */
	char text[];                  /* the names */
};

struct vd_group_sets {
	struct vd_table sets, memberships;
};

/* The set of a port that is in groups, found or made; NULL: out of memory. */
struct vd_group_set *vd_group_sets_of_port(struct vd_group_sets *sets, const struct vd_port *port);
/* Forgets one that no port has. */
void vd_group_sets_remove(struct vd_group_sets *sets, struct vd_group_set *set);
void vd_group_sets_clear(struct vd_group_sets *sets);
/* Every set that holds the group; in no order. Until visit returns non-zero; returns that. */
int vd_group_sets_each(const struct vd_group_sets *sets, const char *project, const char *group,
		       int (*visit)(const struct vd_group_set *set, void *userdata), void *userdata);

#endif
