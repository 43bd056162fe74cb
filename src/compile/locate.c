/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/locate.h"

#include "compile/key.h"

#include <errno.h>
#include <string.h>

static void touch_presence(struct vd_graph *graph, const struct vd_pair *pair)
{
	vd_graph_touch(graph, vd_key_presence(pair->project, pair->vpc, pair->other));
	vd_graph_touch(graph, vd_key_vpcs_of_host(pair->other));
}

static void touch_use(struct vd_graph *graph, const struct vd_pair *pair)
{
	vd_graph_touch(graph, vd_key_tables_of_vpc(pair->project, pair->vpc));
	vd_graph_touch(graph, vd_key_users_of_table(pair->project, pair->other));
}

/* What units of one type count for. */
struct counting {
	struct vd_relation *relation;
	void (*touch)(struct vd_graph *graph, const struct vd_pair *pair);
};

/*
 * The unit counts for this pair from now on, or for none (other NULL). The new pair comes before the old one goes: one that stays
 * is not touched.
 */
static int recount(struct vd_graph *graph, struct vd_unit *unit, const struct counting *counting, const char *vpc,
		   const char *other)
{
	struct vd_pair *pair = NULL;

	if (vpc && other) {
		int r = vd_relation_add(counting->relation, unit->project, vpc, other, &pair);

		if (r < 0)
			return r;
		if (r > 0)
			counting->touch(graph, pair);
	}
	if (unit->pair) {
		if (unit->pair->count == 1)
			counting->touch(graph, unit->pair);
		vd_relation_release(counting->relation, unit->pair);
	}
	unit->pair = pair;
	return 0;
}

static void move_instance(struct vd_graph *graph, struct vd_unit *unit, const struct vd_port *port)
{
	uint64_t instance = port && port->instance ? vd_key_instance(port->head.project, port->instance) : 0;

	if (unit->instance)
		vd_graph_touch(graph, unit->instance);
	if (instance && instance != unit->instance)
		vd_graph_touch(graph, instance);
	unit->instance = instance;
}

static void touch_groups(struct vd_graph *graph, const struct vd_group_set *set,
			 uint64_t (*key)(const char *project, const char *group))
{
	for (size_t i = 0; i < set->group_count; i++)
		vd_graph_touch(graph, key(set->project, set->groups[i].group));
}

static int join(struct vd_graph *graph, struct vd_group_set *set, bool is_here)
{
	if (set->ports++ == 0)
		touch_groups(graph, set, vd_key_identities);
	if (!is_here || set->ports_here++ > 0)
		return 0;
	touch_groups(graph, set, vd_key_identities_here);
	return vd_policies_hold(&graph->policies, set->id);
}

static int leave(struct vd_graph *graph, struct vd_group_set *set, bool was_here)
{
	int r = 0;

	if (was_here && --set->ports_here == 0) {
		touch_groups(graph, set, vd_key_identities_here);
		r = vd_policies_release(&graph->policies, set->id);
	}
	if (--set->ports == 0) {
		touch_groups(graph, set, vd_key_identities);
		vd_group_sets_remove(&graph->group_sets, set);
	}
	return r;
}

/* As recount: the new one comes before the old one goes. */
static int move_group_set(struct vd_graph *graph, struct vd_unit *unit, const struct vd_port *port, bool is_here)
{
	struct vd_group_set *set = NULL, *before = unit->group_set;
	bool was_here = unit->is_here;
	int r;

	if (port && port->assigned_identity) {
		set = vd_group_sets_of_port(&graph->group_sets, port);
		if (!set)
			return -ENOMEM;
		r = join(graph, set, is_here);
		if (r < 0)
			return r;
	}
	unit->group_set = set;
	unit->is_here = is_here;
	return before ? leave(graph, before, was_here) : 0;
}

static int locate_port(const struct vd_view *view, struct vd_unit *unit)
{
	struct counting counting = {&view->graph->presence, touch_presence};
	const struct vd_port *port = (const void *)vd_model_get(view->model, VD_KIND_PORT, unit->project, unit->name);
	const struct vd_attachment *attachment =
		(const void *)vd_model_get(view->model, VD_KIND_ATTACHMENT, unit->project, unit->name);
	const struct vd_subnet *subnet = NULL;
	const char *vpc = NULL, *host = attachment ? attachment->host : NULL;
	int r;

	if (port && port->subnet)
		subnet = (const void *)vd_model_get(view->model, VD_KIND_SUBNET, unit->project, port->subnet);
	if (subnet) {
		vpc = subnet->vpc;
		for (size_t i = 0; i < port->assigned_address_count; i++)
			vd_graph_touch(view->graph, vd_key_address(unit->project, vpc, &port->assigned_addresses[i]));
	}
	move_instance(view->graph, unit, port);
	r = move_group_set(view->graph, unit, port, host && strcmp(host, view->host) == 0);
	if (r < 0)
		return r;
	return recount(view->graph, unit, &counting, vpc, host);
}

static int locate_subnet(const struct vd_view *view, struct vd_unit *unit)
{
	struct counting counting = {&view->graph->uses, touch_use};
	const struct vd_subnet *subnet = (const void *)vd_model_get(view->model, VD_KIND_SUBNET, unit->project, unit->name);
	const char *vpc = subnet ? subnet->vpc : NULL, *table = subnet ? subnet->route_table : NULL;

	return recount(view->graph, unit, &counting, vpc, table);
}

int vd_locate(const struct vd_view *view, struct vd_unit *unit)
{
	switch ((enum vd_unit_type)unit->type) {
	case VD_UNIT_TYPE_PORT:
		return locate_port(view, unit);
	case VD_UNIT_TYPE_SUBNET:
		return locate_subnet(view, unit);
	case VD_UNIT_TYPE_MTU:
	case VD_UNIT_TYPE_REACH:
	case VD_UNIT_TYPE_HOST:
	case VD_UNIT_TYPE_VPC:
	case VD_UNIT_TYPE_ROUTE:
	case VD_UNIT_TYPE_RULE:
		break;
	}
	return 0;
}
