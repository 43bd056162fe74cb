/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/derive.h"
#include "compile/hop.h"
#include "compile/key.h"
#include "compile/reach.h"

#include "model/block.h"

#include <stdio.h>
#include <string.h>

struct derivation {
	const struct vd_view *view;
	struct vd_block_standing standing;
	const struct vd_vpc *peer; /* of the VPC that it stands in: while the routes of that one are added … */
	struct vd_prefix seen;     /* … to what that one sees */
	struct vd_records *records;
};

static void init_route(const struct derivation *derivation, uint32_t domain, enum vd_plan_route_type type,
		       struct vd_plan_record *record)
{
	const struct vd_container_block *block = derivation->standing.block;

	vd_plan_record_init(record, VD_PLAN_KIND_ROUTE);
	record->route.domain = domain;
	record->route.destination = block->cidr;
	record->route.type = type;
	if (type == VD_PLAN_ROUTE_TYPE_LOCAL)
		return;
	record->route.route = block->head.id;
	vd_record_name(record->route.table_name, block->container_network);
}

/* Into the domain's host port, or to the other node. */
static int add_host_route(const struct derivation *derivation, const struct vd_address *next_hop)
{
	const struct vd_block_standing *standing = &derivation->standing;
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_HOST_ROUTE);
	record.host_route.prefix = standing->block->cidr;
	if (next_hop)
		record.host_route.next_hop = *next_hop;
	record.host_route.domain = standing->network->head.id;
	record.host_route.block = standing->block->head.id;
	return vd_records_add(derivation->records, &record);
}

/* ---- on the node that holds it ---- */

static int add_own(const struct derivation *derivation)
{
	const struct vd_container_block *block = derivation->standing.block;
	const struct vd_container_network *network = derivation->standing.network;
	char prefix[VD_PREFIX_TEXT];
	struct vd_plan_record record;
	int r;

	vd_plan_record_init(&record, VD_PLAN_KIND_BLOCK);
	record.block.domain = network->head.id;
	record.block.prefix = block->cidr;
	record.block.block = block->head.id;
	record.block.gateway = vd_block_gateway(block);
	record.block.masquerade = network->masquerade;
	vd_record_name(record.block.name, vd_prefix_format(&block->cidr, prefix));
	r = vd_records_add(derivation->records, &record);
	if (r == 0 && record.block.gateway.family != VD_FAMILY_NONE)
		r = vd_gateway_add(network->head.id, 0, &record.block.gateway, derivation->records);
	if (r < 0)
		return r;
	init_route(derivation, network->head.id, VD_PLAN_ROUTE_TYPE_LOCAL, &record);
	r = vd_records_add(derivation->records, &record);
	return r < 0 ? r : add_host_route(derivation, NULL);
}

/* ---- on other nodes ---- */

/* The id of the node that holds it, 0: nobody with a tunnel. */
static uint32_t holder_of(const struct derivation *derivation)
{
	const struct vd_block_standing *standing = &derivation->standing;
	const struct vd_container_network *network = standing->network;

	if (!standing->block->node)
		return 0;
	return vd_view_reach_in_pool(derivation->view, network->head.project, network->vxlan_pool, standing->block->node);
}

static int add_tunnelled(const struct derivation *derivation)
{
	struct vd_plan_record record;
	uint32_t host = holder_of(derivation);
	int r;

	init_route(derivation, derivation->standing.network->head.id,
		   host ? VD_PLAN_ROUTE_TYPE_TUNNEL : VD_PLAN_ROUTE_TYPE_UNUSABLE, &record);
	record.route.host = host;
	r = vd_records_add(derivation->records, &record);
	return r < 0 ? r : add_host_route(derivation, NULL);
}

static int add_reached(struct derivation *derivation)
{
	struct vd_plan_record record;
	struct vd_reach reach;
	int r;

	vd_reach(derivation->view, derivation->view->host, &derivation->standing, &reach);
	if (reach.type == VD_REACH_TYPE_TUNNEL)
		return add_tunnelled(derivation);
	/* The kernel knows the way, or it may as well say that there is none. */
	init_route(derivation, derivation->standing.network->head.id, VD_PLAN_ROUTE_TYPE_STACK, &record);
	record.route.host = holder_of(derivation);
	r = vd_records_add(derivation->records, &record);
	return r < 0 || reach.type != VD_REACH_TYPE_ROUTED ? r : add_host_route(derivation, &reach.next_hop);
}

/* A gateway need not be a node: then it has no domain, only the kernel's routes. */
static int add_on_gateway(struct derivation *derivation)
{
	struct vd_reach reach;

	vd_reach(derivation->view, derivation->view->host, &derivation->standing, &reach);
	return reach.type == VD_REACH_TYPE_ROUTED ? add_host_route(derivation, &reach.next_hop) : 0;
}

static int add_in_domain(struct derivation *derivation)
{
	const struct vd_block_standing *standing = &derivation->standing;
	const char *host = derivation->view->host;

	if (standing->block->node && strcmp(standing->block->node, host) == 0)
		return add_own(derivation);
	if (vd_view_is_member(derivation->view, standing->network, host))
		return add_reached(derivation);
	return vd_is_lan_gateway(standing->network, host) ? add_on_gateway(derivation) : 0;
}

/* ---- in the VPC that its node stands in ---- */

/* The port of its node, when that is here, may send what comes from it. */
static int add_source(const struct derivation *derivation)
{
	const struct vd_port *port = derivation->standing.port;
	const struct vd_prefix *cidr = &derivation->standing.block->cidr;
	const struct vd_attachment *attachment = vd_view_attachment(derivation->view, port->head.project, port->head.name);
	struct vd_plan_record record;

	if (!attachment || strcmp(attachment->host, derivation->view->host) != 0)
		return 0;
	/* Opened by the user as well: that is a record of the port's own. */
	for (size_t i = 0; i < port->allowed_source_count; i++)
		if (vd_prefix_equal(&port->allowed_sources[i], cidr))
			return 0;
	vd_plan_record_init(&record, VD_PLAN_KIND_SOURCE);
	record.source.port = port->head.id;
	record.source.prefix = *cidr;
	return vd_records_add(derivation->records, &record);
}

/*
 * What stands for several blocks is one route, and the first one's. A route of the user's own to the same destination stands in its
 * place.
 */
static int add_in_table(const struct derivation *derivation, uint32_t table)
{
	const struct vd_vpc *vpc = derivation->standing.vpc;
	const struct vd_prefix *destination = &derivation->standing.fit.route;
	const struct vd_address *address = vd_port_address(derivation->standing.port, destination->address.family);
	struct vd_next_hop hop = {.type = VD_NEXT_HOP_TYPE_ADDRESS};
	struct vd_hop_standing standing;
	struct vd_plan_record record;
	int r;

	if (vd_view_has_route(derivation->view, vpc, table, destination))
		return 0;
	init_route(derivation, vpc->head.id, VD_PLAN_ROUTE_TYPE_UNUSABLE, &record);
	record.route.table = table;
	record.route.destination = *destination;
	if (!address)
		return vd_records_add(derivation->records, &record);
	hop.address = *address;
	vd_hop_stand(derivation->view, &hop, address->family, vpc, &standing);
	r = vd_hop_fill(derivation->view, &hop, &standing, vpc, derivation->standing.block->head.id, &record.route,
			derivation->records);
	return r < 0 ? r : vd_records_add(derivation->records, &record);
}

static int add_in_named_table(const struct vd_pair *pair, void *userdata)
{
	const struct derivation *derivation = userdata;
	const struct vd_route_table *table = vd_view_route_table(derivation->view, pair->project, pair->other);

	return table ? add_in_table(derivation, table->head.id) : 0;
}

static int add_in_vpc(struct derivation *derivation)
{
	const struct vd_view *view = derivation->view;
	const struct vd_vpc *vpc = derivation->standing.vpc;
	int r;

	if (!vd_view_is_known(view, vpc->head.project, vpc->head.name))
		return 0;
	r = add_source(derivation);
	if (r < 0 || !vd_view_fit(view, &derivation->standing)->is_first || vd_vpc_covers(vpc, &derivation->standing.fit.route))
		return r;
	r = add_in_table(derivation, 0);
	if (r < 0 || !vd_view_is_present(view, vpc->head.project, vpc->head.name))
		return r;
	return vd_view_each_table_of_vpc(view, vpc, add_in_named_table, derivation);
}

/* ---- in peers of that VPC ---- */

static int add_in_table_of_peer(struct derivation *derivation, uint32_t table)
{
	const struct vd_prefix *destination = &derivation->seen;
	struct vd_plan_record record;

	if (vd_view_has_route(derivation->view, derivation->peer, table, destination))
		return 0;
	init_route(derivation, derivation->peer->head.id, VD_PLAN_ROUTE_TYPE_PEER, &record);
	record.route.table = table;
	record.route.destination = *destination;
	record.route.peer_domain = derivation->standing.vpc->head.id;
	return vd_records_add(derivation->records, &record);
}

static int add_in_named_table_of_peer(const struct vd_pair *pair, void *userdata)
{
	struct derivation *derivation = userdata;
	const struct vd_route_table *table = vd_view_route_table(derivation->view, pair->project, pair->other);

	return table ? add_in_table_of_peer(derivation, table->head.id) : 0;
}

static int add_in_peer(const struct vd_resource *resource, void *userdata)
{
	const struct vd_peering *peering = (const struct vd_peering *)resource;
	struct derivation *derivation = userdata;
	const struct vd_view *view = derivation->view;
	const char *name = vd_peering_other(peering, derivation->standing.vpc->head.name);
	int r;

	if (peering->routes != VD_PEERING_ROUTES_AUTO || !vd_view_is_present(view, resource->project, name))
		return 0;
	derivation->peer = vd_view_vpc(view, resource->project, name);
	derivation->seen = vd_peering_translate(peering, derivation->standing.vpc->head.name, &derivation->standing.fit.route);
	if (!derivation->peer || vd_vpc_covers(derivation->peer, &derivation->seen))
		return 0;
	r = add_in_table_of_peer(derivation, 0);
	return r < 0 ? r : vd_view_each_table_of_vpc(view, derivation->peer, add_in_named_table_of_peer, derivation);
}

/* They have a route to the whole network already where it is the VPC's own. */
static int add_in_peers(struct derivation *derivation)
{
	const struct vd_view *view = derivation->view;
	const struct vd_resource *vpc = &derivation->standing.vpc->head;
	const char *own = derivation->standing.network->vpc;

	if ((own && strcmp(own, vpc->name) == 0) || !vd_view_fit(view, &derivation->standing)->is_first)
		return 0;
	vd_view_read(view, vd_key_members(VD_KIND_PEERING, "vpc", vpc->project, vpc->name));
	return vd_model_each_peering_of_vpc(view->model, vpc->project, vpc->name, add_in_peer, derivation);
}

int vd_derive_container_block(const struct vd_view *view, const struct vd_unit *unit, struct vd_records *ret)
{
	const struct vd_container_block *block = vd_view_container_block(view, unit->project, unit->name);
	struct derivation derivation = {.view = view, .records = ret};
	int r;

	if (!block || !vd_block_stand(view, block, &derivation.standing))
		return 0;
	r = add_in_domain(&derivation);
	if (r < 0 || !derivation.standing.vpc)
		return r;
	r = add_in_vpc(&derivation);
	return r < 0 ? r : add_in_peers(&derivation);
}

/* ---- what it counts for ---- */

int vd_container_block_hold(const struct vd_view *view, const struct vd_container_block *block, struct vd_holdings *holdings)
{
	struct vd_block_standing standing;
	const struct vd_resource *network;
	char text[VD_ALLOTMENT_TEXT];
	int r = 0;

	if (!vd_block_stand(view, block, &standing))
		return 0;
	network = &standing.network->head;
	if (block->node)
		r = vd_graph_hold(view->graph, holdings, VD_RELATION_TYPE_MEMBERS, network->project, network->name, block->node);
	if (r < 0 || !standing.vpc)
		return r;
	return vd_graph_hold(view->graph, holdings, VD_RELATION_TYPE_BLOCKS, standing.vpc->head.project, standing.vpc->head.name,
			     vd_allotment_text(&block->cidr, standing.port->head.id, text));
}
