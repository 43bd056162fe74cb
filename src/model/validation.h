/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_MODEL_VALIDATION_H
#define VD_MODEL_VALIDATION_H

/* Inside src/model only: the model as a change would leave it, and what its checks share. */

#include "model/change.h"
#include "model/index.h"
#include "model/kind.h"

struct vd_validation {
	struct vd_model *model; /* an overlay: as it will be */
	struct vd_error *error;
	struct vd_note *notes_taken;
	uint32_t *next_id;
};

void vd_validation_clear(struct vd_validation *validation);

/* True the first time that it is asked with this topic and object: a check that concerns many changes is made once. */
bool vd_validation_once(struct vd_validation *validation, const char *topic, const char *project, const char *name);
/*
 * Where the search for something free goes on: a number that is zero first and kept as it is set. What was found taken stays so
 * during one change. NULL when memory is short.
 */
uint64_t *vd_validation_cursor(struct vd_validation *validation, const char *topic, const char *project, const char *name);

/* The next id of the installation. */
int vd_validation_give_id(struct vd_validation *validation, const char *object, uint32_t *ret);

/* vxlan_pool.c: a VNI that something of this pool was given or keeps; the lowest free one. */
int vd_vxlan_pool_claim(struct vd_validation *validation, const struct vd_resource *resource, const char *pool, uint32_t vni,
			const char *object);
int vd_vxlan_pool_allocate(struct vd_validation *validation, const struct vd_resource *resource, const char *pool,
			   const char *object, uint32_t *ret);
/* What a VNI that was given may not be while the resource stands. */
int vd_vni_succeed(uint32_t before, uint32_t given, const char *object, struct vd_error *error);

/* subnet.c: inside its VPC. */
int vd_subnet_check_inside(const struct vd_subnet *subnet, const struct vd_vpc *vpc, struct vd_error *error);
/* The VPC of a subnet, which is known to exist. */
const struct vd_vpc *vd_subnet_vpc(const struct vd_model *model, const struct vd_subnet *subnet);
/* That of a port; NULL when it is on a network itself. */
const struct vd_subnet *vd_port_subnet(const struct vd_model *model, const struct vd_port *port);

/* vpc.c */
int vd_vpc_check_quota(struct vd_validation *validation, const char *project, const char *name);
int vd_vpc_check_subnets(struct vd_validation *validation, const char *project, const char *name);
bool vd_cidrs_equal(const struct vd_prefix *a, size_t a_count, const struct vd_prefix *b, size_t b_count);

/* security_group.c: may the ports in it be in it? */
int vd_security_group_admit(const struct vd_security_group *group, const struct vd_port *port, const char *object,
			    struct vd_error *error);

/* instance.c: of the ports that name one instance. */
int vd_instance_check(struct vd_validation *validation, const char *project, const char *instance);

/* route.c: in which table a document stands; next hop, and the other tables of each VPC that uses the route's. */
int vd_route_prepare_table(const json_t *document, const char *object, bool *ret_is_vpc, struct vd_error *error);
int vd_route_check(struct vd_validation *validation, const struct vd_route *route);

#endif
