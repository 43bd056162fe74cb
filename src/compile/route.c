/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/derive.h"
#include "compile/hop.h"

#include <stdio.h>

const struct vd_prefix *vd_route_covering_cidr(const struct vd_route *route, const struct vd_vpc *vpc)
{
	for (size_t i = 0; i < vpc->cidr_count; i++)
		if (vd_prefix_covers(&vpc->cidrs[i], &route->destination))
			return &vpc->cidrs[i];
	return NULL;
}

struct derivation {
	const struct vd_view *view;
	const struct vd_route *route;
	struct vd_records *records;
};

static int add_in_vpc(const struct vd_vpc *vpc, uint32_t table, void *userdata)
{
	const struct derivation *derivation = userdata;
	const struct vd_route *route = derivation->route;
	struct vd_hop_standing standing;
	struct vd_plan_record record;
	int r;

	if (!vd_view_is_present(derivation->view, vpc->head.project, vpc->head.name) || vd_route_covering_cidr(route, vpc))
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

static int hold_in_vpc(const struct vd_vpc *vpc, uint32_t table, void *userdata)
{
	const struct counting *counting = userdata;
	const struct vd_route *route = counting->route;
	char text[VD_DEFAULT_TEXT];
	int r = 0;

	if (vd_route_covering_cidr(route, vpc))
		return 0;
	if (route->destination.length == 0)
		r = vd_graph_hold(counting->view->graph, counting->holdings, VD_RELATION_TYPE_DEFAULTS, vpc->head.project,
				  vpc->head.name, vd_default_text(table, route->destination.address.family, text));
	return r < 0 ? r : vd_hop_hold(counting->view, &route->next_hop, vpc, counting->holdings);
}

const char *vd_default_text(uint32_t table, uint8_t family, char text[VD_DEFAULT_TEXT])
{
	snprintf(text, VD_DEFAULT_TEXT, "%u/%u", table, family);
	return text;
}

int vd_route_hold(const struct vd_view *view, const struct vd_route *route, struct vd_holdings *holdings)
{
	struct counting counting = {view, route, holdings};

	return vd_route_each_vpc(view, route, hold_in_vpc, &counting);
}
