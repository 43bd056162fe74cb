/* SPDX-License-Identifier: Apache-2.0 */
#include "model/next_hop.h"
#include "model/prefixes.h"

#include <errno.h>
#include <string.h>

/*
 * Routers that lead to each other's public address send private addresses over the network between them. Who comes in there is
 * told apart by its source and destination only, so on one network the VPCs that do it have distinct CIDRs.
 */

struct search {
	const struct vd_model *model;
	const char *network;
};

static int is_public_route(const struct vd_resource *resource, void *userdata)
{
	const struct vd_next_hop *hop = vd_next_hop_of(resource);
	const struct search *search = userdata;

	return hop && hop->type == VD_NEXT_HOP_TYPE_PUBLIC && vd_network_contains(search->model, search->network, &hop->address);
}

/* Does the VPC have such a route on this network? Asked of the model once in a change. */
static bool has_public_route(struct vd_validation *validation, const char *project, const char *vpc, const char *network)
{
	struct search search = {.model = validation->model, .network = network};
	char name[2 * VD_NAME_SIZE];
	uint64_t *known;

	snprintf(name, sizeof(name), "%s/%s", vpc, network);
	known = vd_validation_cursor(validation, "public route", project, name);
	if (known && *known != 0)
		return *known == 2;
	if (vd_vpc_each_route(validation->model, project, vpc, is_public_route, &search) == 0) {
		if (known)
			*known = 1;
		return false;
	}
	if (known)
		*known = 2;
	return true;
}

struct neighbour {
	struct vd_validation *validation;
	const struct vd_vpc *vpc;
	const char *network;
};

static int check_neighbour(const struct vd_resource *resource, void *userdata)
{
	const struct vd_vpc *other = (const struct vd_vpc *)resource;
	const struct neighbour *neighbour = userdata;
	const struct vd_vpc *vpc = neighbour->vpc;
	char object[VD_OBJECT_SIZE], other_object[VD_OBJECT_SIZE], cidr[VD_PREFIX_TEXT], other_cidr[VD_PREFIX_TEXT];
	const struct vd_prefix *a, *b;

	if (strcmp(resource->name, vpc->head.name) == 0 && strcmp(resource->project, vpc->head.project) == 0)
		return 0;
	if (!vd_prefixes_overlap(vpc->cidrs, vpc->cidr_count, other->cidrs, other->cidr_count, &a, &b) ||
	    !has_public_route(neighbour->validation, resource->project, resource->name, neighbour->network))
		return 0;
	return vd_error_set(neighbour->validation->error, -EEXIST,
			    "%s: its CIDR %s overlaps %s of %s, and both have routes to public addresses on network %s, where "
			    "private ones would be mixed up; delete one's routes, or give it other CIDRs",
			    vd_resource_text(&vpc->head, object), vd_prefix_format(a, cidr), vd_prefix_format(b, other_cidr),
			    vd_resource_text(resource, other_object), neighbour->network);
}

int vd_vpc_check_public_routes(struct vd_validation *validation, const char *project, const char *name)
{
	struct neighbour neighbour = {.validation = validation,
				      .vpc = (const struct vd_vpc *)vd_model_get(validation->model, VD_KIND_VPC, project, name)};
	int r = 0;

	if (!neighbour.vpc || !vd_validation_once(validation, "public routes", project, name))
		return 0;
	for (size_t i = 0; r == 0 && i < neighbour.vpc->network_count; i++) {
		neighbour.network = neighbour.vpc->networks[i].network;
		if (has_public_route(validation, project, name, neighbour.network))
			r = vd_model_each_vpc_of_network(validation->model, neighbour.network, check_neighbour, &neighbour);
	}
	return r;
}

static int check_user(const char *project, const char *vpc, void *userdata)
{
	return vd_vpc_check_public_routes(userdata, project, vpc);
}

int vd_public_route_check(struct vd_validation *validation, const struct vd_resource *resource)
{
	const struct vd_next_hop *hop = vd_next_hop_of(resource);
	struct vd_table_of table = vd_table_of(resource);

	if (!hop || hop->type != VD_NEXT_HOP_TYPE_PUBLIC)
		return 0;
	return vd_table_each_user(validation->model, resource->project, &table, check_user, validation);
}

static int check_hop(const struct vd_resource *resource, void *userdata)
{
	int r = vd_next_hop_check(userdata, resource);

	return r < 0 ? r : vd_public_route_check(userdata, resource);
}

int vd_table_check_hops(struct vd_validation *validation, const char *project, const char *table)
{
	int r = vd_model_each_route_of_table(validation->model, project, table, check_hop, validation);

	return r < 0 ? r : vd_model_each_policy_route_of_table(validation->model, project, table, check_hop, validation);
}
