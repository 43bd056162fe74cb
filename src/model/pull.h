/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_MODEL_PULL_H
#define VD_MODEL_PULL_H

/* Inside src/model only: what else changes with what was asked for. */

#include "model/validation.h"

struct vd_pull {
	struct vd_changes *changes;
	const struct vd_model *model; /* before all changes */
	size_t sorted, size;          /* how many were asked for and stand in order; room */
	struct vd_model *overlay;     /* of a deletion */
	struct vd_error *error;
};

/* What was asked for about this identity, or NULL. */
const struct vd_change *vd_pull_find(const struct vd_pull *pull, enum vd_kind kind, const char *project, const char *name);
/* One change more, from before (may be NULL) to after (may be NULL); takes a reference to each. */
int vd_pull_add(struct vd_pull *pull, const struct vd_resource *before, struct vd_resource *after);
/* The resource is part of the change as it is: around it something changes that it has to suit. */
int vd_pull_same(struct vd_pull *pull, const struct vd_resource *resource);

/*
 * change.c: a change set with room for count; a change more in it, from what the model has under this identity (may be NULL) to
 * after (may be NULL), with a reference to each; and, when all are in it, order, validation, ids.
 */
struct vd_changes *vd_changes_new(size_t count);
int vd_changes_add(struct vd_changes *changes, enum vd_kind kind, const char *project, const char *name,
		   const struct vd_resource *before, struct vd_resource *after);
int vd_changes_finish(const struct vd_model *model, struct vd_changes *changes, struct vd_error *error);

/* companion.c: virtual IPs that come and go with an attachment to a network, and with an elastic IP. */
int vd_companions_of_vpc(struct vd_pull *pull, const struct vd_change *vpc);
int vd_companions_of_elastic_ip(struct vd_pull *pull, const struct vd_change *elastic);
/* Is it one that goes with this resource? */
bool vd_is_companion(const struct vd_resource *vip, const struct vd_resource *owner);

/* detachment.c: a router's own virtual_ip goes; whether something needs its VPC to be attached to the network. */
int vd_detachment_check(const struct vd_validation *validation, const struct vd_virtual_ip *vip, struct vd_error *error);

#endif
