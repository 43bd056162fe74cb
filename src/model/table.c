/* SPDX-License-Identifier: Apache-2.0 */
#include "model/next_hop.h"

#include <string.h>

bool vd_network_contains(const struct vd_model *model, const char *name, const struct vd_address *address)
{
	const struct vd_network *network =
		(const struct vd_network *)vd_model_get(model, VD_KIND_NETWORK, VD_PROJECT_DEFAULT, name);

	for (size_t i = 0; network && i < network->cidr_count; i++)
		if (vd_prefix_contains(&network->cidrs[i], address))
			return true;
	return false;
}

struct vd_table_of vd_table_of(const struct vd_resource *resource)
{
	const struct vd_policy_route *policy = (const struct vd_policy_route *)resource;
	const struct vd_route *route = (const struct vd_route *)resource;

	if (resource->kind == VD_KIND_ROUTE)
		return (struct vd_table_of){.name = route->table, .is_vpc = route->table_is_vpc};
	return (struct vd_table_of){.name = policy->table, .is_vpc = policy->table_is_vpc};
}

const struct vd_next_hop *vd_next_hop_of(const struct vd_resource *resource)
{
	const struct vd_policy_route *policy = (const struct vd_policy_route *)resource;

	if (resource->kind == VD_KIND_ROUTE)
		return &((const struct vd_route *)resource)->next_hop;
	return policy->action == VD_POLICY_ACTION_NEXT_HOP ? &policy->next_hop : NULL;
}

/* --- from a table to VPCs --- */

struct user_visit {
	const struct vd_model *model;
	const char *table;
	vd_vpc_visit *visit;
	void *userdata;
};

static int visit_subnet(const struct vd_resource *resource, void *userdata)
{
	const struct user_visit *user = userdata;

	return user->visit(resource->project, ((const struct vd_subnet *)resource)->vpc, user->userdata);
}

/* The VPCs that use a table itself, not through a policy route. */
static int each_direct(const struct user_visit *user, const char *project, const char *name)
{
	const struct vd_route_table *table =
		(const struct vd_route_table *)vd_model_get(user->model, VD_KIND_ROUTE_TABLE, project, name);
	int r = 0;

	for (size_t i = 0; table && r == 0 && i < table->vpc_count; i++)
		r = user->visit(project, table->vpcs[i], user->userdata);
	if (r != 0)
		return r;
	return vd_model_each_referrer(user->model, VD_KIND_SUBNET, VD_KIND_ROUTE_TABLE, project, name, visit_subnet, (void *)user);
}

/* A policy route that looks up the table: for the VPCs that use its own. */
static int visit_lookup(const struct vd_resource *resource, void *userdata)
{
	const struct vd_policy_route *policy = (const struct vd_policy_route *)resource;
	const struct user_visit *user = userdata;

	if (!policy->lookup_table || strcmp(policy->lookup_table, user->table) != 0)
		return 0;
	if (policy->table_is_vpc)
		return user->visit(resource->project, policy->table, user->userdata);
	return each_direct(user, resource->project, policy->table);
}

int vd_table_each_user(const struct vd_model *model, const char *project, const struct vd_table_of *table, vd_vpc_visit *visit,
		       void *userdata)
{
	struct user_visit user = {.model = model, .table = table->name, .visit = visit, .userdata = userdata};
	int r;

	if (table->is_vpc)
		return visit(project, table->name, userdata);
	r = each_direct(&user, project, table->name);
	return r != 0 ? r
		      : vd_model_each_referrer(model, VD_KIND_POLICY_ROUTE, VD_KIND_ROUTE_TABLE, project, table->name, visit_lookup,
					       &user);
}

/* --- from a VPC to tables --- */

struct route_visit {
	const struct vd_model *model;
	vd_model_visit *visit;
	void *userdata;
};

static int each_in_table(const struct route_visit *routes, const char *project, const char *table);

static int visit_policy_route(const struct vd_resource *resource, void *userdata)
{
	const struct vd_policy_route *policy = (const struct vd_policy_route *)resource;
	const struct route_visit *routes = userdata;
	int r = routes->visit(resource, routes->userdata);

	/* Of a table that was looked up only the routes count. */
	if (r != 0 || !policy->lookup_table)
		return r;
	return vd_model_each_route_of_table(routes->model, resource->project, policy->lookup_table, routes->visit,
					    routes->userdata);
}

static int each_in_table(const struct route_visit *routes, const char *project, const char *table)
{
	int r = vd_model_each_route_of_table(routes->model, project, table, routes->visit, routes->userdata);

	return r != 0 ? r : vd_model_each_policy_route_of_table(routes->model, project, table, visit_policy_route, (void *)routes);
}

static int visit_table(const struct vd_resource *resource, void *userdata)
{
	return each_in_table(userdata, resource->project, resource->name);
}

static int visit_subnet_table(const struct vd_resource *resource, void *userdata)
{
	const char *table = ((const struct vd_subnet *)resource)->route_table;

	return table ? each_in_table(userdata, resource->project, table) : 0;
}

int vd_vpc_each_route(const struct vd_model *model, const char *project, const char *vpc, vd_model_visit *visit, void *userdata)
{
	struct route_visit routes = {.model = model, .visit = visit, .userdata = userdata};
	int r = each_in_table(&routes, project, vpc);

	if (r == 0)
		r = vd_model_each_referrer(model, VD_KIND_ROUTE_TABLE, VD_KIND_VPC, project, vpc, visit_table, &routes);
	return r != 0 ? r : vd_model_each_subnet_of_vpc(model, project, vpc, visit_subnet_table, &routes);
}
