/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/derive.h"
#include "compile/key.h"
#include "compile/reach.h"

#include <string.h>

/*
 * A peer's addresses are routed to in every table of a VPC that is present here. Both VPCs are known then, so that what leaves and
 * what answers is decided with both of them at hand, on either side.
 */
struct derivation {
	const struct vd_view *view;
	const struct vd_peering *peering;
	const struct vd_vpc *vpc, *other; /* from the one to the other */
	uint32_t table;
	struct vd_records *records;
};

/* A route of the user's own to the same destination stands in its place; inside its own CIDRs, the VPC decides itself. */
static int add_route(const struct derivation *derivation, const struct vd_prefix *prefix)
{
	const struct vd_prefix seen = vd_peering_translate(derivation->peering, derivation->other->head.name, prefix);
	const struct vd_prefix *destination = &seen;
	struct vd_plan_record record;

	if (vd_vpc_covers(derivation->vpc, destination))
		return 0;
	if (vd_view_has_route(derivation->view, derivation->vpc, derivation->table, destination))
		return 0;
	vd_plan_record_init(&record, VD_PLAN_KIND_ROUTE);
	record.route.domain = derivation->vpc->head.id;
	record.route.table = derivation->table;
	record.route.destination = *destination;
	record.route.route = derivation->peering->head.id;
	record.route.type = VD_PLAN_ROUTE_TYPE_PEER;
	record.route.peer_domain = derivation->other->head.id;
	vd_record_name(record.route.table_name, derivation->peering->head.name);
	return vd_records_add(derivation->records, &record);
}

static int add_routes(const struct derivation *derivation, const struct vd_prefix *destinations, size_t count)
{
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++)
		r = add_route(derivation, &destinations[i]);
	return r;
}

/* Only what the VPC has routes to: blocks that are behind tunnels are not in it. */
static int add_container_network(const struct vd_resource *resource, void *userdata)
{
	const struct vd_container_network *network = (const struct vd_container_network *)resource;

	if (network->mode != VD_CONTAINER_MODE_ROUTED || network->provider != VD_ROUTE_PROVIDER_VPC)
		return 0;
	return add_routes(userdata, network->cidrs, network->cidr_count);
}

static int add_table(struct derivation *derivation, uint32_t table)
{
	const struct vd_vpc *other = derivation->other;
	int r;

	derivation->table = table;
	r = add_routes(derivation, other->cidrs, other->cidr_count);
	if (r < 0)
		return r;
	vd_view_read(derivation->view, vd_key_members(VD_KIND_CONTAINER_NETWORK, "vpc", other->head.project, other->head.name));
	return vd_model_each_container_network_of_vpc(derivation->view->model, other->head.project, other->head.name,
						      add_container_network, derivation);
}

static int add_named_table(const struct vd_pair *pair, void *userdata)
{
	struct derivation *derivation = userdata;
	const struct vd_route_table *table = vd_view_route_table(derivation->view, pair->project, pair->other);

	return table ? add_table(derivation, table->head.id) : 0;
}

static int add_side(struct derivation *derivation, const struct vd_vpc *vpc, const struct vd_vpc *other)
{
	int r;

	if (!vd_view_is_present(derivation->view, vpc->head.project, vpc->head.name))
		return 0;
	derivation->vpc = vpc;
	derivation->other = other;
	r = add_table(derivation, 0);
	return r < 0 ? r : vd_view_each_table_of_vpc(derivation->view, vpc, add_named_table, derivation);
}

static int add_alias(const struct derivation *derivation, const struct vd_translation *translation)
{
	bool is_first = strcmp(translation->vpc, derivation->vpc->head.name) == 0;
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_ALIAS);
	record.alias.domain = (is_first ? derivation->vpc : derivation->other)->head.id;
	record.alias.peer = (is_first ? derivation->other : derivation->vpc)->head.id;
	record.alias.prefix = translation->cidr;
	record.alias.as = translation->as;
	return vd_records_add(derivation->records, &record);
}

static int add_aliases(struct derivation *derivation, const struct vd_vpc *vpc, const struct vd_vpc *other)
{
	const struct vd_peering *peering = derivation->peering;
	int r = 0;

	derivation->vpc = vpc;
	derivation->other = other;
	for (size_t i = 0; i < peering->translation_count && r == 0; i++)
		r = add_alias(derivation, &peering->translations[i]);
	return r;
}

int vd_derive_peering(const struct vd_view *view, const struct vd_unit *unit, struct vd_records *ret)
{
	const struct vd_peering *peering = vd_view_peering(view, unit->project, unit->name);
	struct derivation derivation = {.view = view, .peering = peering, .records = ret};
	const struct vd_vpc *vpc, *other;
	bool is_here;
	int r;

	if (!peering)
		return 0;
	/* Both are asked for in any case: by them it is counted. */
	is_here = vd_view_is_present(view, unit->project, peering->vpc);
	is_here |= vd_view_is_present(view, unit->project, peering->peer);
	vpc = vd_view_vpc(view, unit->project, peering->vpc);
	other = vd_view_vpc(view, unit->project, peering->peer);
	if (!vpc || !other || !is_here)
		return 0;
	r = add_aliases(&derivation, vpc, other);
	if (r < 0 || peering->routes != VD_PEERING_ROUTES_AUTO)
		return r;
	r = add_side(&derivation, vpc, other);
	return r < 0 ? r : add_side(&derivation, other, vpc);
}

/* ---- what it counts for ---- */

static int hold_near(const struct vd_view *view, const struct vd_peering *peering, const char *vpc, struct vd_holdings *holdings)
{
	if (!vd_view_is_present(view, peering->head.project, vpc))
		return 0;
	return vd_graph_hold(view->graph, holdings, VD_RELATION_TYPE_NEARBY, peering->head.project, vd_peering_other(peering, vpc),
			     "");
}

int vd_peering_hold(const struct vd_view *view, const struct vd_peering *peering, struct vd_holdings *holdings)
{
	int r = hold_near(view, peering, peering->vpc, holdings);

	return r < 0 ? r : hold_near(view, peering, peering->peer, holdings);
}
