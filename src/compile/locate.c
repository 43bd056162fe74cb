/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/locate.h"

#include "compile/derive.h"
#include "compile/elastic.h"
#include "compile/forward.h"
#include "compile/gateway.h"
#include "compile/key.h"

#include <errno.h>
#include <string.h>

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

/* The new one comes before the old one goes: one that stays is not touched. */
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

/* ---- what each type of unit counts for ---- */

static int hold_port(const struct vd_view *view, struct vd_unit *unit, struct vd_holdings *holdings)
{
	const struct vd_port *port = vd_view_port(view, unit->project, unit->name);
	const struct vd_attachment *attachment = vd_view_attachment(view, unit->project, unit->name);
	const struct vd_subnet *subnet = port && port->subnet ? vd_view_subnet(view, unit->project, port->subnet) : NULL;
	const struct vd_network *network = port && port->network ? vd_view_network(view, port->network) : NULL;
	bool is_here = attachment && strcmp(attachment->host, view->host) == 0;
	char link[VD_LINK_TEXT];
	int r;

	for (size_t i = 0; subnet && i < port->assigned_address_count; i++)
		vd_graph_touch(view->graph, vd_key_address(unit->project, subnet->vpc, &port->assigned_addresses[i]));
	move_instance(view->graph, unit, port);
	r = move_group_set(view->graph, unit, port, is_here);
	if (r < 0)
		return r;
	if (subnet && attachment)
		return vd_graph_hold(view->graph, holdings, VD_RELATION_TYPE_PRESENCE, unit->project, subnet->vpc,
				     attachment->host);
	if (!network || !is_here)
		return 0;
	r = vd_graph_hold(view->graph, holdings, VD_RELATION_TYPE_SEATS, "", vd_link_text(network, link), "");
	return r < 0 ? r : vd_graph_hold(view->graph, holdings, VD_RELATION_TYPE_NEEDS, "", link, "");
}

static int hold_subnet(const struct vd_view *view, struct vd_unit *unit, struct vd_holdings *holdings)
{
	const struct vd_subnet *subnet = vd_view_subnet(view, unit->project, unit->name);

	if (!subnet || !subnet->route_table)
		return 0;
	return vd_graph_hold(view->graph, holdings, VD_RELATION_TYPE_USES, unit->project, subnet->vpc, subnet->route_table);
}

/* The network is needed here, to hold these addresses on it. */
static int hold_addresses(const struct vd_view *view, const struct vd_network *network, const struct vd_address *addresses,
			  size_t count, struct vd_holdings *holdings)
{
	char link[VD_LINK_TEXT], address[VD_ADDRESS_TEXT];
	int r = vd_graph_hold(view->graph, holdings, VD_RELATION_TYPE_NEEDS, "", vd_link_text(network, link), "");

	for (size_t i = 0; i < count && r == 0; i++)
		r = vd_graph_hold(view->graph, holdings, VD_RELATION_TYPE_ASKERS, "", link,
				  vd_address_format(&addresses[i], address));
	return r;
}

static int hold_gateway(const struct vd_view *view, struct vd_unit *unit, struct vd_holdings *holdings)
{
	const struct vd_virtual_ip *vip = vd_view_virtual_ip(view, unit->project, unit->name);
	const struct vd_network *network = vip && vip->vpc && vip->network ? vd_view_network(view, vip->network) : NULL;
	const char *host = network ? vd_view_gateway_host(view, unit->project, vip->vpc, network) : NULL;
	int r;

	if (!host)
		return 0;
	r = vd_graph_hold(view->graph, holdings, VD_RELATION_TYPE_PRESENCE, unit->project, vip->vpc, host);
	if (r < 0 || strcmp(host, view->host) != 0)
		return r;
	return hold_addresses(view, network, vip->assigned_addresses, vip->assigned_address_count, holdings);
}

static int hold_elastic_ip(const struct vd_view *view, struct vd_unit *unit, struct vd_holdings *holdings)
{
	const struct vd_elastic_ip *elastic = vd_view_elastic_ip(view, unit->project, unit->name);
	struct vd_elastic_standing standing;

	if (!elastic)
		return 0;
	vd_elastic_stand(view, elastic, &standing);
	if (standing.state != VD_ELASTIC_STATE_ACTIVE || strcmp(standing.host, view->host) != 0)
		return 0;
	return hold_addresses(view, standing.network, &standing.address, 1, holdings);
}

static int hold_port_forward(const struct vd_view *view, struct vd_unit *unit, struct vd_holdings *holdings)
{
	const struct vd_port_forward *forward = vd_view_port_forward(view, unit->project, unit->name);
	struct vd_forward_standing standing;

	if (!forward)
		return 0;
	vd_forward_stand(view, forward, &standing);
	if (!standing.subnet)
		return 0;
	return vd_graph_hold(view->graph, holdings, VD_RELATION_TYPE_SERVES, unit->project, forward->vip, standing.subnet->vpc);
}

static int hold_route(const struct vd_view *view, struct vd_unit *unit, struct vd_holdings *holdings)
{
	const struct vd_route *route = vd_view_route(view, unit->project, unit->name);

	return route ? vd_route_hold(view, route, holdings) : 0;
}

static int hold_policy_route(const struct vd_view *view, struct vd_unit *unit, struct vd_holdings *holdings)
{
	const struct vd_policy_route *policy = vd_view_policy_route(view, unit->project, unit->name);

	return policy ? vd_policy_route_hold(view, policy, holdings) : 0;
}

/* How many routes it may have. */
static int hold_vpc(const struct vd_view *view, struct vd_unit *unit, struct vd_holdings *holdings)
{
	const struct vd_vpc *vpc = vd_view_vpc(view, unit->project, unit->name);

	return vd_allotments_limit(&view->graph->allotments, unit->project, unit->name, vpc ? vpc->route_quota : 0);
}

static int hold_node(const struct vd_view *view, struct vd_unit *unit, struct vd_holdings *holdings)
{
	const struct vd_node *node = vd_view_node(view, unit->project, unit->name);

	return node ? vd_node_hold(view, node, holdings) : 0;
}

static int hold_container_block(const struct vd_view *view, struct vd_unit *unit, struct vd_holdings *holdings)
{
	const struct vd_container_block *block = vd_view_container_block(view, unit->project, unit->name);

	return block ? vd_container_block_hold(view, block, holdings) : 0;
}

static int hold_peering(const struct vd_view *view, struct vd_unit *unit, struct vd_holdings *holdings)
{
	const struct vd_peering *peering = vd_view_peering(view, unit->project, unit->name);

	return peering ? vd_peering_hold(view, peering, holdings) : 0;
}

struct holder {
	int (*hold)(const struct vd_view *view, struct vd_unit *unit, struct vd_holdings *holdings);
	enum vd_locate_phase phase;
};

/* What a unit counts for may depend on what was counted in the phases before its own, and on nothing else that is counted. */
static const struct holder *holder_of(enum vd_unit_type type)
{
	static const struct holder port = {hold_port, VD_LOCATE_PHASE_RESOURCES}, subnet = {hold_subnet, VD_LOCATE_PHASE_RESOURCES},
				   gateway = {hold_gateway, VD_LOCATE_PHASE_RESOURCES},
				   elastic = {hold_elastic_ip, VD_LOCATE_PHASE_RESOURCES},
				   forward = {hold_port_forward, VD_LOCATE_PHASE_RESOURCES},
				   vpc = {hold_vpc, VD_LOCATE_PHASE_RESOURCES}, node = {hold_node, VD_LOCATE_PHASE_RESOURCES},
				   container_block = {hold_container_block, VD_LOCATE_PHASE_RESOURCES},
				   peering = {hold_peering, VD_LOCATE_PHASE_LOOKUPS},
				   policy_route = {hold_policy_route, VD_LOCATE_PHASE_LOOKUPS},
				   route = {hold_route, VD_LOCATE_PHASE_ROUTES};

	switch (type) {
	case VD_UNIT_TYPE_PORT:
		return &port;
	case VD_UNIT_TYPE_SUBNET:
		return &subnet;
	case VD_UNIT_TYPE_VPC:
		return &vpc;
	case VD_UNIT_TYPE_NODE:
		return &node;
	case VD_UNIT_TYPE_CONTAINER_BLOCK:
		return &container_block;
	case VD_UNIT_TYPE_PEERING:
		return &peering;
	case VD_UNIT_TYPE_GATEWAY:
		return &gateway;
	case VD_UNIT_TYPE_ELASTIC_IP:
		return &elastic;
	case VD_UNIT_TYPE_PORT_FORWARD:
		return &forward;
	case VD_UNIT_TYPE_POLICY_ROUTE:
		return &policy_route;
	case VD_UNIT_TYPE_ROUTE:
		return &route;
	case VD_UNIT_TYPE_MTU:
	case VD_UNIT_TYPE_REACH:
	case VD_UNIT_TYPE_UPLINK:
	case VD_UNIT_TYPE_LINK:
	case VD_UNIT_TYPE_STATION:
	case VD_UNIT_TYPE_NODE_MTU:
	case VD_UNIT_TYPE_HOST:
	case VD_UNIT_TYPE_CONTAINER_NETWORK:
	case VD_UNIT_TYPE_NETWORK:
	case VD_UNIT_TYPE_VIRTUAL_IP:
	case VD_UNIT_TYPE_RULE:
		break;
	}
	return NULL;
}

int vd_locate(const struct vd_view *view, struct vd_unit *unit, enum vd_locate_phase phase)
{
	const struct holder *holder = holder_of(unit->type);
	size_t start = view->graph->read_count;
	struct vd_holdings holdings = {};
	int r;

	if (!holder || holder->phase != phase)
		return 0;
	r = holder->hold(view, unit, &holdings);
	/* The unit's derivation asks the same, and notes it. */
	view->graph->read_count = start;
	/* The old ones go after the new ones came: a pair that stays is not touched. */
	vd_graph_release(view->graph, &unit->holdings);
	unit->holdings = holdings;
	return r;
}
