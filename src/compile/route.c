/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/derive.h"

#include <stdio.h>
#include <string.h>

static const struct vd_prefix *covering_cidr(const struct vd_vpc *vpc, const struct vd_prefix *destination)
{
	for (size_t i = 0; i < vpc->cidr_count; i++)
		if (vd_prefix_covers(&vpc->cidrs[i], destination))
			return &vpc->cidrs[i];
	return NULL;
}

/* ---- next hop ---- */

static enum vd_route_state next_hop_state(const struct vd_view *view, const struct vd_route *route, const struct vd_vpc *vpc,
					  struct vd_route_standing *standing)
{
	const struct vd_attachment *attachment;

	switch (route->next_hop.type) {
	case VD_NEXT_HOP_TYPE_BLACKHOLE:
		return VD_ROUTE_STATE_ACTIVE;
	case VD_NEXT_HOP_TYPE_VIP:
	case VD_NEXT_HOP_TYPE_PUBLIC:
	case VD_NEXT_HOP_TYPE_GATEWAY:
		return VD_ROUTE_STATE_NO_PORT;
	case VD_NEXT_HOP_TYPE_ADDRESS:
		break;
	}

	standing->port = vd_view_port_by_address(view, vpc, &route->next_hop.address);
	if (!standing->port)
		return VD_ROUTE_STATE_NO_PORT;
	attachment = vd_view_attachment(view, standing->port->head.project, standing->port->head.name);
	if (!attachment)
		return VD_ROUTE_STATE_DETACHED;
	standing->host = attachment->host;
	if (view->host && strcmp(attachment->host, view->host) == 0)
		return VD_ROUTE_STATE_ACTIVE;
	return vd_view_reach(view, vpc, attachment->host) ? VD_ROUTE_STATE_ACTIVE : VD_ROUTE_STATE_UNREACHABLE;
}

void vd_route_stand(const struct vd_view *view, const struct vd_route *route, const struct vd_vpc *vpc,
		    struct vd_route_standing *ret)
{
	*ret = (struct vd_route_standing){.cidr = covering_cidr(vpc, &route->destination)};
	ret->state = ret->cidr ? VD_ROUTE_STATE_INERT : next_hop_state(view, route, vpc, ret);
}

/* ---- which VPCs ---- */

struct vpc_visit {
	const struct vd_view *view;
	const struct vd_route *route;
	uint32_t table;
	int (*visit)(const struct vd_vpc *vpc, uint32_t table, void *userdata);
	void *userdata;
};

static int visit_vpc(const char *name, void *userdata)
{
	const struct vpc_visit *visit = userdata;
	const struct vd_vpc *vpc = vd_view_vpc(visit->view, visit->route->head.project, name);

	return vpc ? visit->visit(vpc, visit->table, visit->userdata) : 0;
}

int vd_route_each_vpc(const struct vd_view *view, const struct vd_route *route,
		      int (*visit)(const struct vd_vpc *vpc, uint32_t table, void *userdata), void *userdata)
{
	struct vpc_visit in_main = {view, route, 0, visit, userdata}, in_named = in_main;
	const struct vd_route_table *table;
	int r = 0;

	if (route->table_is_vpc)
		return visit_vpc(route->table, &in_main);

	table = vd_view_route_table(view, route->head.project, route->table);
	if (!table)
		return 0;
	for (size_t i = 0; i < table->vpc_count && r == 0; i++)
		r = visit_vpc(table->vpcs[i], &in_main);
	if (r != 0)
		return r;
	in_named.table = table->head.id;
	return vd_view_each_user_of_table(view, route->head.project, route->table, visit_vpc, &in_named);
}

/* ---- records ---- */

struct derivation {
	const struct vd_view *view;
	const struct vd_route *route;
	struct vd_records *records;
};

/* False: the route is not in this VPC's plan. */
static bool record_type(const struct vd_route *route, enum vd_route_state state, enum vd_plan_route_type *ret)
{
	switch (state) {
	case VD_ROUTE_STATE_ACTIVE:
		*ret = route->next_hop.type == VD_NEXT_HOP_TYPE_BLACKHOLE ? VD_PLAN_ROUTE_TYPE_BLACKHOLE
									  : VD_PLAN_ROUTE_TYPE_NEXT_HOP;
		return true;
	case VD_ROUTE_STATE_NO_PORT:
	case VD_ROUTE_STATE_DETACHED:
	case VD_ROUTE_STATE_UNREACHABLE:
		*ret = VD_PLAN_ROUTE_TYPE_UNUSABLE;
		return true;
	case VD_ROUTE_STATE_INERT:
		break;
	}
	return false;
}

static int add_in_vpc(const struct vd_vpc *vpc, uint32_t table, void *userdata)
{
	const struct derivation *derivation = userdata;
	const struct vd_route *route = derivation->route;
	struct vd_route_standing standing;
	struct vd_plan_record record;

	if (!vd_view_is_present(derivation->view, vpc->head.project, vpc->head.name))
		return 0;
	vd_route_stand(derivation->view, route, vpc, &standing);

	vd_plan_record_init(&record, VD_PLAN_KIND_ROUTE);
	if (!record_type(route, standing.state, &record.route.type))
		return 0;
	record.route.domain = vpc->head.id;
	record.route.table = table;
	record.route.destination = route->destination;
	record.route.route = route->head.id;
	snprintf(record.route.table_name, sizeof(record.route.table_name), "%s", route->table);
	if (route->next_hop.type == VD_NEXT_HOP_TYPE_ADDRESS)
		record.route.next_hop = route->next_hop.address;
	return vd_records_add(derivation->records, &record);
}

int vd_derive_route(const struct vd_view *view, const struct vd_unit *unit, struct vd_records *ret)
{
	const struct vd_route *route = vd_view_route(view, unit->project, unit->name);
	struct derivation derivation = {view, route, ret};

	return route ? vd_route_each_vpc(view, route, add_in_vpc, &derivation) : 0;
}
