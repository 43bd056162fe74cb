/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_MODEL_MODEL_H
#define VD_MODEL_MODEL_H

#include "model/resource.h"

/*
 * Everything that was declared and reported, as of one revision: resources by kind, project and name, with the indexes that
 * validation and compile ask. A plain container: no I/O, no opinion. Not thread-safe.
 */
struct vd_model;

struct vd_model *vd_model_new(void);
/* A second container over the same resources, O(number of resources), cheap (no resource is copied). */
struct vd_model *vd_model_copy(const struct vd_model *model);
void vd_model_free(struct vd_model *model);

/* Adds or replaces; takes a reference of its own. The indexes follow. */
int vd_model_put(struct vd_model *model, struct vd_resource *resource);
/* true when there was one. */
bool vd_model_remove(struct vd_model *model, enum vd_kind kind, const char *project, const char *name);

/* Borrowed pointers: valid until that resource is replaced or removed. NULL when absent. */
const struct vd_resource *vd_model_get(const struct vd_model *model, enum vd_kind kind, const char *project, const char *name);
size_t vd_model_count(const struct vd_model *model, enum vd_kind kind);
/* Calls visit for each resource of the kind (project NULL: of every project), in no order, until it returns non-zero; returns that. */
int vd_model_each(const struct vd_model *model, enum vd_kind kind, const char *project,
		  int (*visit)(const struct vd_resource *resource, void *userdata), void *userdata);

/* The port of the VPC that is assigned this address, or NULL. */
const struct vd_port *vd_model_port_by_address(const struct vd_model *model, const char *project, const char *vpc,
					       const struct vd_address *address);
/* The resource with this id, or NULL. */
const struct vd_resource *vd_model_get_by_id(const struct vd_model *model, uint32_t id);

/* Members: what names the owner. Each visits like vd_model_each. */
int vd_model_each_subnet_of_vpc(const struct vd_model *model, const char *project, const char *vpc,
				int (*visit)(const struct vd_resource *resource, void *userdata), void *userdata);
int vd_model_each_port_of_subnet(const struct vd_model *model, const char *project, const char *subnet,
				 int (*visit)(const struct vd_resource *resource, void *userdata), void *userdata);
int vd_model_each_route_of_table(const struct vd_model *model, const char *project, const char *table,
				 int (*visit)(const struct vd_resource *resource, void *userdata), void *userdata);
/* The rules that the group has; those of any group whose remote_group it is. */
int vd_model_each_rule_of_group(const struct vd_model *model, const char *project, const char *group,
				int (*visit)(const struct vd_resource *resource, void *userdata), void *userdata);
int vd_model_each_rule_of_remote_group(const struct vd_model *model, const char *project, const char *group,
				       int (*visit)(const struct vd_resource *resource, void *userdata), void *userdata);
int vd_model_each_port_of_group(const struct vd_model *model, const char *project, const char *group,
				int (*visit)(const struct vd_resource *resource, void *userdata), void *userdata);
/* Ports with this identity: of one project, in the same groups. */
int vd_model_each_port_of_identity(const struct vd_model *model, uint32_t identity,
				   int (*visit)(const struct vd_resource *resource, void *userdata), void *userdata);
int vd_model_each_vpc_of_profile(const struct vd_model *model, const char *project, const char *profile,
				 int (*visit)(const struct vd_resource *resource, void *userdata), void *userdata);
int vd_model_each_port_of_instance(const struct vd_model *model, const char *project, const char *instance,
				   int (*visit)(const struct vd_resource *resource, void *userdata), void *userdata);

#endif
