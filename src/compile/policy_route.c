/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/derive.h"
#include "compile/hop.h"

#include <netinet/in.h>

static uint8_t protocol_of(enum vd_rule_protocol protocol)
{
	switch (protocol) {
	case VD_RULE_PROTOCOL_TCP:
		return IPPROTO_TCP;
	case VD_RULE_PROTOCOL_UDP:
		return IPPROTO_UDP;
	case VD_RULE_PROTOCOL_ICMP:
		return IPPROTO_ICMP;
	case VD_RULE_PROTOCOL_ALL:
		break;
	}
	return 0;
}

uint8_t vd_policy_route_family(const struct vd_policy_route *policy)
{
	if (policy->source.address.family != VD_FAMILY_NONE)
		return policy->source.address.family;
	if (policy->destination.address.family != VD_FAMILY_NONE)
		return policy->destination.address.family;
	return policy->next_hop.address.family != VD_FAMILY_NONE ? policy->next_hop.address.family : VD_FAMILY_IPV4;
}

struct derivation {
	const struct vd_view *view;
	const struct vd_policy_route *policy;
	struct vd_records *records;
};

static void fill_match(const struct vd_policy_route *policy, struct vd_plan_policy_route *record)
{
	record->priority = policy->priority;
	record->policy_route = policy->head.id;
	record->protocol = protocol_of(policy->protocol);
	record->source = policy->source;
	record->destination = policy->destination;
	record->source_port_first = (uint16_t)policy->source_port_first;
	record->source_port_last = (uint16_t)policy->source_port_last;
	record->destination_port_first = (uint16_t)policy->destination_port_first;
	record->destination_port_last = (uint16_t)policy->destination_port_last;
	record->mark = policy->mark;
}

static int fill_hop(const struct derivation *derivation, const struct vd_vpc *vpc, struct vd_plan_route *route)
{
	const struct vd_policy_route *policy = derivation->policy;
	struct vd_hop_standing standing;

	vd_hop_stand(derivation->view, &policy->next_hop, vd_policy_route_family(policy), vpc, &standing);
	route->route = policy->head.id;
	return vd_hop_fill(derivation->view, &policy->next_hop, &standing, vpc, policy->head.id, route, derivation->records);
}

/* A table that is not there has nothing to look up: what matches goes nowhere, rather than on. */
static void fill_lookup(const struct derivation *derivation, struct vd_plan_policy_route *record)
{
	const struct vd_policy_route *policy = derivation->policy;
	const struct vd_route_table *table = vd_view_route_table(derivation->view, policy->head.project, policy->lookup_table);

	record->has_table = table != NULL;
	if (table)
		record->lookup_table = table->head.id;
	else
		record->route.type = VD_PLAN_ROUTE_TYPE_UNUSABLE;
}

static int add_in_vpc(const struct vd_vpc *vpc, uint32_t table, void *userdata)
{
	const struct derivation *derivation = userdata;
	const struct vd_policy_route *policy = derivation->policy;
	struct vd_plan_record record;
	int r = 0;

	if (!vd_view_is_present(derivation->view, vpc->head.project, vpc->head.name))
		return 0;
	vd_plan_record_init(&record, VD_PLAN_KIND_POLICY_ROUTE);
	record.policy_route.domain = vpc->head.id;
	record.policy_route.table = table;
	fill_match(policy, &record.policy_route);
	vd_record_name(record.policy_route.route.table_name, policy->table);
	switch (policy->action) {
	case VD_POLICY_ACTION_NEXT_HOP:
		r = fill_hop(derivation, vpc, &record.policy_route.route);
		break;
	case VD_POLICY_ACTION_SET_MARK:
		record.policy_route.set_mark = policy->set_mark;
		break;
	case VD_POLICY_ACTION_LOOKUP_TABLE:
		fill_lookup(derivation, &record.policy_route);
		break;
	}
	return r < 0 ? r : vd_records_add(derivation->records, &record);
}

int vd_derive_policy_route(const struct vd_view *view, const struct vd_unit *unit, struct vd_records *ret)
{
	const struct vd_policy_route *policy = vd_view_policy_route(view, unit->project, unit->name);
	struct derivation derivation = {view, policy, ret};

	return policy ? vd_policy_route_each_vpc(view, policy, add_in_vpc, &derivation) : 0;
}

/* ---- what it counts for ---- */

struct counting {
	const struct vd_view *view;
	const struct vd_policy_route *policy;
	struct vd_holdings *holdings;
};

static int hold_in_vpc(const struct vd_vpc *vpc, uint32_t table, void *userdata)
{
	const struct counting *counting = userdata;
	const struct vd_policy_route *policy = counting->policy;

	switch (policy->action) {
	case VD_POLICY_ACTION_NEXT_HOP:
		return vd_hop_hold(counting->view, &policy->next_hop, vpc, counting->holdings);
	case VD_POLICY_ACTION_LOOKUP_TABLE:
		return vd_graph_hold(counting->view->graph, counting->holdings, VD_RELATION_TYPE_LOOKUPS, vpc->head.project,
				     vpc->head.name, policy->lookup_table);
	case VD_POLICY_ACTION_SET_MARK:
		break;
	}
	return 0;
}

int vd_policy_route_hold(const struct vd_view *view, const struct vd_policy_route *policy, struct vd_holdings *holdings)
{
	struct counting counting = {view, policy, holdings};

	return vd_policy_route_each_vpc(view, policy, hold_in_vpc, &counting);
}
