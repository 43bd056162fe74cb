/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/derive.h"
#include "compile/hop.h"

#include <stdio.h>

const struct vd_prefix *vd_vpc_covers(const struct vd_vpc *vpc, const struct vd_prefix *destination)
{
	for (size_t i = 0; i < vpc->cidr_count; i++)
		if (vd_prefix_covers(&vpc->cidrs[i], destination))
			return &vpc->cidrs[i];
	return NULL;
}

const struct vd_prefix *vd_route_covering_cidr(const struct vd_route *route, const struct vd_vpc *vpc)
{
	return vd_vpc_covers(vpc, &route->destination);
}

struct derivation {
	const struct vd_view *view;
	const struct vd_route *route;
	struct vd_records *records;
};

/* A VPC that is here for its peers only takes what they send to itself, not to where it has a way out. */
static bool is_for_peers(const struct vd_next_hop *hop, uint32_t table)
{
	if (table != 0)
		return false;
	switch (hop->type) {
	case VD_NEXT_HOP_TYPE_ADDRESS:
	case VD_NEXT_HOP_TYPE_VIP:
	case VD_NEXT_HOP_TYPE_BLACKHOLE:
		return true;
	case VD_NEXT_HOP_TYPE_PUBLIC:
	case VD_NEXT_HOP_TYPE_GATEWAY:
	case VD_NEXT_HOP_TYPE_PEERING:
		break;
	}
	return false;
}

static int add_in_vpc(const struct vd_vpc *vpc, uint32_t table, void *userdata)
{
	const struct derivation *derivation = userdata;
	const struct vd_route *route = derivation->route;
	struct vd_hop_standing standing;
	struct vd_plan_record record;
	int r;

	if (!vd_view_is_known(derivation->view, vpc->head.project, vpc->head.name) || vd_route_covering_cidr(route, vpc))
		return 0;
	if (!vd_view_is_present(derivation->view, vpc->head.project, vpc->head.name) && !is_for_peers(&route->next_hop, table))
		return 0;
	vd_hop_stand(derivation->view, &route->next_hop, route->destination.address.family, vpc, &standing);

	vd_plan_record_init(&record, VD_PLAN_KIND_ROUTE);
	record.route.domain = vpc->head.id;
	record.route.table = table;
	record.route.destination = route->destination;
	record.route.route = route->head.id;
	record.route.is_default = route->destination.length == 0;
	snprintf(record.route.table_name, sizeof(record.route.table_name), "%s", route->table);
	r = vd_hop_fill(derivation->view, &route->next_hop, &standing, vpc, route->head.id, &record.route, derivation->records);
	return r < 0 ? r : vd_records_add(derivation->records, &record);
}

int vd_derive_route(const struct vd_view *view, const struct vd_unit *unit, struct vd_records *ret)
{
	const struct vd_route *route = vd_view_route(view, unit->project, unit->name);
	struct derivation derivation = {view, route, ret};

	return route ? vd_route_each_vpc(view, route, add_in_vpc, &derivation) : 0;
}

/* ---- what it counts for ---- */

struct counting {
	const struct vd_view *view;
	const struct vd_route *route;
	struct vd_holdings *holdings;
};

#define ROUTE_TEXT (VD_PREFIX_TEXT + 12)

/* What a route is called in VD_RELATION_TYPE_ROUTES; returns text. */
static const char *route_text(uint32_t table, const struct vd_prefix *destination, char text[ROUTE_TEXT])
{
	char prefix[VD_PREFIX_TEXT];

	snprintf(text, ROUTE_TEXT, "%u/%s", table, vd_prefix_format(destination, prefix));
	return text;
}

bool vd_view_has_route(const struct vd_view *view, const struct vd_vpc *vpc, uint32_t table, const struct vd_prefix *destination)
{
	char text[ROUTE_TEXT];

	return vd_view_has_pair(view, VD_RELATION_TYPE_ROUTES, vpc->head.project, vpc->head.name,
				route_text(table, destination, text));
}

static int hold_in_vpc(const struct vd_vpc *vpc, uint32_t table, void *userdata)
{
	const struct counting *counting = userdata;
	const struct vd_route *route = counting->route;
	char text[ROUTE_TEXT];
	int r;

	if (vd_route_covering_cidr(route, vpc))
		return 0;
	r = vd_graph_hold(counting->view->graph, counting->holdings, VD_RELATION_TYPE_ROUTES, vpc->head.project, vpc->head.name,
			  route_text(table, &route->destination, text));
	return r < 0 ? r : vd_hop_hold(counting->view, &route->next_hop, vpc, counting->holdings);
}

/* Against the quota counts what stands in a table of the VPC, however it leads nowhere; once, in however many ways it is used. */
static int hold_quota(const struct vd_vpc *vpc, uint32_t table, void *userdata)
{
	const struct counting *counting = userdata;

	return vd_graph_hold(counting->view->graph, counting->holdings, VD_RELATION_TYPE_CUSTOMS, vpc->head.project, vpc->head.name,
			     counting->route->head.name);
}

int vd_route_hold(const struct vd_view *view, const struct vd_route *route, struct vd_holdings *holdings)
{
	struct vd_table_name table = {route->head.project, route->table, route->table_is_vpc};
	struct counting counting = {view, route, holdings};
	int r = vd_route_each_vpc(view, route, hold_in_vpc, &counting);

	return r < 0 ? r : vd_table_each_vpc(view, &table, false, hold_quota, &counting);
}
