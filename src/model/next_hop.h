/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_MODEL_NEXT_HOP_H
#define VD_MODEL_NEXT_HOP_H

/* Inside src/model only: next hops of routes and policy routes, and the VPCs that use the table in which those stand. */

#include "model/validation.h"

/* what: "destination" or "source", with this prefix. */
int vd_next_hop_check_family(const struct vd_next_hop *hop, const struct vd_prefix *prefix, const char *what, const char *object,
			     struct vd_error *error);
/* Where a route or policy route leads: there, in one of the VPCs that use its table. */
int vd_next_hop_check(struct vd_validation *validation, const struct vd_resource *resource);

/* table.c */
struct vd_table_of {
	const char *name;
	bool is_vpc;
};

/* That of a route or policy route; its next hop, or NULL. */
struct vd_table_of vd_table_of(const struct vd_resource *resource);
const struct vd_next_hop *vd_next_hop_of(const struct vd_resource *resource);
/*
 * The VPCs that use a table: its own, those that it is attached to, those of subnets and of policy routes that name it. One may
 * be visited several times. Until visit returns non-zero; returns that.
 */
typedef int vd_vpc_visit(const char *project, const char *vpc, void *userdata);
int vd_table_each_user(const struct vd_model *model, const char *project, const struct vd_table_of *table, vd_vpc_visit *visit,
		       void *userdata);
/* The routes and policy routes in the tables that a VPC uses. One may be visited several times. */
int vd_vpc_each_route(const struct vd_model *model, const char *project, const char *vpc, vd_model_visit *visit, void *userdata);

/* After other VPCs use a table: its routes and policy routes. */
int vd_table_check_hops(struct vd_validation *validation, const char *project, const char *table);

/* public_route.c: of VPCs with routes to other routers' addresses on one network no two may have the same private addresses. */
int vd_vpc_check_public_routes(struct vd_validation *validation, const char *project, const char *vpc);
/* After a route, policy route or table was changed. */
int vd_public_route_check(struct vd_validation *validation, const struct vd_resource *resource);

/* Is the address on the link of this network? */
bool vd_network_contains(const struct vd_model *model, const char *network, const struct vd_address *address);

#endif
