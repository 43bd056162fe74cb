/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_COMPILE_RELATION_H
#define VD_COMPILE_RELATION_H

#include "compile/table.h"

#include <stdbool.h>

/*
 * What goes with what, and how often: ports of a VPC attached on a host, subnets of a VPC that name a table. Kept by counting, so
 * that "is there still one?" never walks a VPC's ports. The first is a VPC in most of them (compile/graph.h has them all).
 */
struct vd_pair {
	struct vd_table_node exact, of_vpc, of_other;
	unsigned count;
	const char *project, *vpc, *other;
	char text[]; /* the three of them */
};

struct vd_relation {
	struct vd_table exact, of_vpc, of_other;
};

void vd_relation_clear(struct vd_relation *relation);
/* One more of this pair. 1 when it is the first, 0, or -ENOMEM. */
int vd_relation_add(struct vd_relation *relation, const char *project, const char *vpc, const char *other, struct vd_pair **ret);
/* One less; the last one drops the pair. */
void vd_relation_release(struct vd_relation *relation, struct vd_pair *pair);
bool vd_relation_has(const struct vd_relation *relation, const char *project, const char *vpc, const char *other);
/* Every pair of the VPC; of the other (project NULL: of any project). In no order. Until visit returns non-zero; returns that. */
int vd_relation_each_of_vpc(const struct vd_relation *relation, const char *project, const char *vpc,
			    int (*visit)(const struct vd_pair *pair, void *userdata), void *userdata);
int vd_relation_each_of_other(const struct vd_relation *relation, const char *project, const char *other,
			      int (*visit)(const struct vd_pair *pair, void *userdata), void *userdata);

#endif
