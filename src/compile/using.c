/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/derive.h"
#include "compile/key.h"

#include <string.h>

/* Which VPCs a route or a policy route is in: the VPCs of its table. */

struct using
{
	const struct vd_view *view;
	const struct vd_table_name *table;
	uint32_t id; /* of the table where it is looked up by name, 0: the main one */
	int (*visit)(const struct vd_vpc *vpc, uint32_t table, void *userdata);
	void *userdata;
};

static int visit_vpc(const struct using *using, const char *name)
{
	const struct vd_vpc *vpc = vd_view_vpc(using->view, using->table->project, name);

	return vpc ? using->visit(vpc, using->id, using->userdata) : 0;
}

/* ---- with a graph: what is counted ---- */

static int visit_pair(const struct vd_pair *pair, void *userdata)
{
	return visit_vpc(userdata, pair->vpc);
}

/* A VPC whose subnets name the table as well has been visited. */
static int visit_pair_of_lookup(const struct vd_pair *pair, void *userdata)
{
	const struct using *using = userdata;
	const struct vd_relation *uses = &using->view->graph->relations[VD_RELATION_TYPE_USES];

	return vd_relation_has(uses, pair->project, pair->vpc, pair->other) ? 0 : visit_vpc(using, pair->vpc);
}

static int each_counted(const struct using *using, enum vd_relation_type type,
			int (*visit)(const struct vd_pair *pair, void *userdata))
{
	vd_view_read(using->view, vd_key_pairs_of_other(type, using->table->name));
	return vd_relation_each_of_other(&using->view->graph->relations[type], using->table->project, using->table->name, visit,
					 (void *)using);
}

/* ---- without: the model ---- */

static int names_table(const struct vd_resource *resource, void *userdata)
{
	const struct vd_subnet *subnet = (const struct vd_subnet *)resource;

	return subnet->route_table && strcmp(subnet->route_table, userdata) == 0;
}

static int visit_if_subnets_use(const struct vd_resource *vpc, void *userdata)
{
	const struct using *using = userdata;

	if (!vd_model_each_subnet_of_vpc(using->view->model, vpc->project, vpc->name, names_table, (void *)using->table->name))
		return 0;
	return visit_vpc(using, vpc->name);
}

static int visit_looking(const struct vd_vpc *vpc, uint32_t table, void *userdata)
{
	return visit_vpc(userdata, vpc->head.name);
}

static int visit_if_looked_up(const struct vd_resource *resource, void *userdata)
{
	const struct vd_policy_route *policy = (const struct vd_policy_route *)resource;
	const struct using *using = userdata;
	struct vd_table_name table = {policy->head.project, policy->table, policy->table_is_vpc};

	if (!policy->lookup_table || strcmp(policy->lookup_table, using->table->name) != 0)
		return 0;
	return vd_table_each_vpc(using->view, &table, false, visit_looking, (void *)using);
}

/* ---- both ---- */

int vd_table_each_vpc(const struct vd_view *view, const struct vd_table_name *table, bool is_looked_up,
		      int (*visit)(const struct vd_vpc *vpc, uint32_t table, void *userdata), void *userdata)
{
	struct using using = {view, table, 0, visit, userdata};
	const struct vd_route_table *resource;
	int r = 0;

	if (table->is_vpc)
		return visit_vpc(&using, table->name);
	resource = vd_view_route_table(view, table->project, table->name);
	if (!resource)
		return 0;
	for (size_t i = 0; i < resource->vpc_count && r == 0; i++)
		r = visit_vpc(&using, resource->vpcs[i]);
	using.id = resource->head.id;
	if (r == 0)
		r = view->graph ? each_counted(&using, VD_RELATION_TYPE_USES, visit_pair)
				: vd_model_each(view->model, VD_KIND_VPC, table->project, visit_if_subnets_use, &using);
	if (r != 0 || !is_looked_up)
		return r;
	return view->graph ? each_counted(&using, VD_RELATION_TYPE_LOOKUPS, visit_pair_of_lookup)
			   : vd_model_each(view->model, VD_KIND_POLICY_ROUTE, table->project, visit_if_looked_up, &using);
}

int vd_route_each_vpc(const struct vd_view *view, const struct vd_route *route,
		      int (*visit)(const struct vd_vpc *vpc, uint32_t table, void *userdata), void *userdata)
{
	struct vd_table_name table = {route->head.project, route->table, route->table_is_vpc};

	return vd_table_each_vpc(view, &table, true, visit, userdata);
}

int vd_policy_route_each_vpc(const struct vd_view *view, const struct vd_policy_route *policy,
			     int (*visit)(const struct vd_vpc *vpc, uint32_t table, void *userdata), void *userdata)
{
	struct vd_table_name table = {policy->head.project, policy->table, policy->table_is_vpc};

	return vd_table_each_vpc(view, &table, false, visit, userdata);
}
