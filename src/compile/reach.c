/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/reach.h"

#include "compile/derive.h"
#include "compile/key.h"

#include "model/block.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- where a block stands ---- */

static bool is_by_vpc(const struct vd_container_network *network)
{
	return network->mode == VD_CONTAINER_MODE_ROUTED && network->provider == VD_ROUTE_PROVIDER_VPC;
}

static void find_port(const struct vd_view *view, struct vd_block_standing *standing)
{
	const char *project = standing->block->head.project;
	const char *name = standing->block->port ? standing->block->port : standing->node ? standing->node->port : NULL;
	const struct vd_port *port = name ? vd_view_port(view, project, name) : NULL;
	const struct vd_subnet *subnet = port && port->subnet ? vd_view_subnet(view, project, port->subnet) : NULL;
	const struct vd_vpc *vpc = subnet ? vd_view_vpc(view, project, subnet->vpc) : NULL;

	if (!vpc)
		return;
	standing->port = port;
	standing->subnet = subnet;
	standing->vpc = vpc;
}

bool vd_block_stand(const struct vd_view *view, const struct vd_container_block *block, struct vd_block_standing *ret)
{
	const char *project = block->head.project;

	*ret = (struct vd_block_standing){.block = block};
	if (block->assigned_state != VD_BLOCK_STATE_HELD)
		return false;
	ret->network = vd_view_container_network(view, project, block->container_network);
	if (!ret->network || ret->network->mode == VD_CONTAINER_MODE_NATIVE)
		return false;
	ret->node = block->node ? vd_view_node(view, project, block->node) : NULL;
	if (is_by_vpc(ret->network))
		find_port(view, ret);
	return true;
}

/* ---- the quota of its VPC, where nothing is counted ---- */

struct wanting {
	const struct vd_view *view;
	const struct vd_vpc *vpc;
	struct vd_fit_block *blocks;
	size_t count, size, customs;
};

static int want_route(const struct vd_resource *resource, void *userdata)
{
	struct wanting *wanting = userdata;
	struct vd_block_standing standing;

	if (!vd_block_stand(wanting->view, (const struct vd_container_block *)resource, &standing) || !standing.vpc ||
	    strcmp(standing.vpc->head.name, wanting->vpc->head.name) != 0)
		return 0;
	if (wanting->count < wanting->size)
		wanting->blocks[wanting->count++] =
			(struct vd_fit_block){.prefix = standing.block->cidr, .owner = standing.port->head.id};
	return 0;
}

static int stop_at_vpc(const struct vd_vpc *vpc, uint32_t table, void *userdata)
{
	const struct wanting *wanting = userdata;

	return strcmp(vpc->head.name, wanting->vpc->head.name) == 0;
}

static int count_custom(const struct vd_resource *resource, void *userdata)
{
	const struct vd_route *route = (const struct vd_route *)resource;
	struct vd_table_name table = {route->head.project, route->table, route->table_is_vpc};
	struct wanting *wanting = userdata;

	wanting->customs += vd_table_each_vpc(wanting->view, &table, false, stop_at_vpc, wanting) == 1;
	return 0;
}

static int compare_blocks(const void *a, const void *b)
{
	const struct vd_fit_block *left = a, *right = b;

	return vd_fit_compare(&left->prefix, &right->prefix);
}

/* More than enough for whatever there is, in this VPC and in all others. */
static bool is_ample(const struct vd_model *model, size_t quota)
{
	return vd_model_count(model, VD_KIND_CONTAINER_BLOCK) + vd_model_count(model, VD_KIND_ROUTE) <= quota;
}

static void work_out_fit(const struct vd_view *view, struct vd_block_standing *standing)
{
	struct wanting wanting = {view, standing->vpc, .size = vd_model_count(view->model, VD_KIND_CONTAINER_BLOCK)};
	const char *project = standing->block->head.project;
	size_t quota = standing->vpc->route_quota;

	if (is_ample(view->model, quota)) {
		standing->fit.route = standing->block->cidr;
		standing->fit.is_first = true;
		return;
	}
	wanting.blocks = calloc(wanting.size, sizeof(*wanting.blocks));
	if (!wanting.blocks)
		return;
	vd_model_each(view->model, VD_KIND_CONTAINER_BLOCK, project, want_route, &wanting);
	vd_model_each(view->model, VD_KIND_ROUTE, project, count_custom, &wanting);
	qsort(wanting.blocks, wanting.count, sizeof(*wanting.blocks), compare_blocks);
	vd_fit(wanting.blocks, wanting.count, quota > wanting.customs ? quota - wanting.customs : 0);
	for (size_t i = 0; i < wanting.count; i++)
		if (vd_fit_compare(&wanting.blocks[i].prefix, &standing->block->cidr) == 0)
			standing->fit = wanting.blocks[i];
	free(wanting.blocks);
}

static void look_up_fit(const struct vd_view *view, struct vd_block_standing *standing)
{
	const struct vd_resource *vpc = &standing->vpc->head;
	const struct vd_fit_block *fit;

	vd_view_read(view, vd_key_allotment(vpc->project, vpc->name, &standing->block->cidr));
	fit = vd_allotments_get(&view->graph->allotments, vpc->project, vpc->name, &standing->block->cidr);
	if (fit)
		standing->fit = *fit;
}

const struct vd_fit_block *vd_view_fit(const struct vd_view *view, struct vd_block_standing *standing)
{
	if (!standing->vpc)
		return NULL;
	if (standing->has_fit)
		return &standing->fit;
	standing->has_fit = true;
	standing->fit.prefix = standing->block->cidr;
	if (view->graph)
		look_up_fit(view, standing);
	else
		work_out_fit(view, standing);
	return &standing->fit;
}

/* ---- who reaches whom ---- */

bool vd_is_lan_gateway(const struct vd_container_network *network, const char *host)
{
	for (size_t i = 0; i < network->gateway_count; i++)
		if (strcmp(network->gateways[i], host) == 0)
			return true;
	return false;
}

const char *vd_view_lan(const struct vd_view *view, const char *project, const char *host, char text[VD_NAME_SIZE])
{
	const struct vd_node *node = vd_view_node(view, project, host);
	char prefix[VD_PREFIX_TEXT];
	struct vd_station station;

	text[0] = '\0';
	if (node && node->lan) {
		snprintf(text, VD_NAME_SIZE, "%s", node->lan);
		return text;
	}
	vd_view_station(view, host, &station);
	if (station.lan.address.family != VD_FAMILY_NONE)
		snprintf(text, VD_NAME_SIZE, "%s", vd_prefix_format(&station.lan, prefix));
	return text;
}

const char *vd_peering_other(const struct vd_peering *peering, const char *vpc)
{
	return strcmp(peering->vpc, vpc) == 0 ? peering->peer : peering->vpc;
}

struct peers {
	const char *vpc, *peer;
	const struct vd_prefix *prefix;
};

static bool sees_as_it_is(const struct vd_peering *peering, const char *vpc, const struct vd_prefix *prefix)
{
	struct vd_prefix seen = vd_peering_translate(peering, vpc, prefix);

	return vd_prefix_equal(&seen, prefix);
}

static int stop_at_auto(const struct vd_resource *resource, void *userdata)
{
	const struct vd_peering *peering = (const struct vd_peering *)resource;
	const struct peers *peers = userdata;

	return peering->routes == VD_PEERING_ROUTES_AUTO && strcmp(vd_peering_other(peering, peers->vpc), peers->peer) == 0 &&
	       sees_as_it_is(peering, peers->vpc, peers->prefix) && sees_as_it_is(peering, peers->peer, peers->prefix);
}

bool vd_view_are_peers(const struct vd_view *view, const struct vd_vpc *vpc, const char *peer, const struct vd_prefix *prefix)
{
	struct peers peers = {vpc->head.name, peer, prefix};

	vd_view_read(view, vd_key_members(VD_KIND_PEERING, "vpc", vpc->head.project, vpc->head.name));
	return vd_model_each_peering_of_vpc(view->model, vpc->head.project, vpc->head.name, stop_at_auto, &peers);
}

static bool has_gateway(const struct vd_view *view, const struct vd_container_network *network, const char *lan)
{
	char text[VD_NAME_SIZE];

	for (size_t i = 0; i < network->gateway_count; i++)
		if (strcmp(vd_view_lan(view, network->head.project, network->gateways[i], text), lan) == 0)
			return true;
	return false;
}

/* By a route of our own: only between addresses of one family. */
static enum vd_reach_reason set_next_hop(const struct vd_view *view, const struct vd_container_block *block, struct vd_reach *reach)
{
	struct vd_station station;

	vd_view_station(view, block->node, &station);
	if (station.underlay.family != block->cidr.address.family)
		return VD_REACH_REASON_FAMILY;
	reach->type = VD_REACH_TYPE_ROUTED;
	reach->next_hop = station.underlay;
	return VD_REACH_REASON_NONE;
}

static enum vd_reach_reason reach_on_lan(const struct vd_view *view, const char *host, const struct vd_block_standing *standing,
					 struct vd_reach *reach)
{
	const struct vd_container_network *network = standing->network;
	char mine[VD_NAME_SIZE], theirs[VD_NAME_SIZE];

	if (!standing->block->node)
		return VD_REACH_REASON_THERE;
	vd_view_lan(view, network->head.project, host, mine);
	vd_view_lan(view, network->head.project, standing->block->node, theirs);
	if (mine[0] == '\0' || strcmp(mine, theirs) != 0)
		return VD_REACH_REASON_LAN;
	if (network->provider == VD_ROUTE_PROVIDER_HOST || vd_is_lan_gateway(network, host))
		return set_next_hop(view, standing->block, reach);
	if (!has_gateway(view, network, mine))
		return VD_REACH_REASON_GATEWAY;
	reach->type = VD_REACH_TYPE_STACK;
	return VD_REACH_REASON_NONE;
}

/* The VPC that a host stands in as an instance, or NULL. */
static const struct vd_vpc *vpc_of_host(const struct vd_view *view, const char *project, const char *host)
{
	const struct vd_node *node = vd_view_node(view, project, host);
	const struct vd_port *port = node && node->port ? vd_view_port(view, project, node->port) : NULL;
	const struct vd_subnet *subnet = port && port->subnet ? vd_view_subnet(view, project, port->subnet) : NULL;

	return subnet ? vd_view_vpc(view, project, subnet->vpc) : NULL;
}

static enum vd_reach_reason reach_in_vpc(const struct vd_view *view, const char *host, struct vd_block_standing *standing,
					 struct vd_reach *reach)
{
	const struct vd_vpc *mine = vpc_of_host(view, standing->block->head.project, host), *theirs = standing->vpc;

	if (!theirs)
		return VD_REACH_REASON_THERE;
	if (!mine)
		return VD_REACH_REASON_HERE;
	if (mine != theirs && !vd_view_are_peers(view, theirs, mine->head.name, &standing->block->cidr))
		return VD_REACH_REASON_VPC;
	if (vd_view_fit(view, standing)->route.address.family == VD_FAMILY_NONE)
		return VD_REACH_REASON_QUOTA;
	reach->type = VD_REACH_TYPE_STACK;
	return VD_REACH_REASON_NONE;
}

static void reach(const struct vd_view *view, const char *host, struct vd_block_standing *standing, struct vd_reach *ret)
{
	*ret = (struct vd_reach){.type = standing->block->node ? VD_REACH_TYPE_TUNNEL : VD_REACH_TYPE_NONE};
	if (standing->network->mode != VD_CONTAINER_MODE_ROUTED)
		ret->reason = VD_REACH_REASON_MODE;
	else if (standing->network->provider == VD_ROUTE_PROVIDER_VPC)
		ret->reason = reach_in_vpc(view, host, standing, ret);
	else
		ret->reason = reach_on_lan(view, host, standing, ret);
}

/* An address that moved: whether what the host's kernel knows of the block around it leads into the host port. */
static bool is_around_ours(const struct vd_view *view, const char *host, const struct vd_block_standing *standing)
{
	const struct vd_container_network *network = standing->network;
	struct vd_prefix around = standing->block->cidr;
	const struct vd_container_block *block;
	struct vd_block_standing outer;
	char prefix[VD_PREFIX_TEXT], name[VD_NAME_SIZE + VD_PREFIX_TEXT];
	struct vd_reach way;

	if (!vd_block_is_moved(standing->block))
		return false;
	around.length = vd_block_length(network, around.address.family);
	vd_prefix_normalise(&around);
	snprintf(name, sizeof(name), "%s/%s", network->head.name, vd_prefix_format(&around, prefix));
	block = vd_view_container_block(view, network->head.project, name);
	if (!block || !vd_block_stand(view, block, &outer))
		return false;
	if (block->node && strcmp(block->node, host) == 0)
		return true;
	reach(view, host, &outer, &way);
	return way.type == VD_REACH_TYPE_TUNNEL;
}

void vd_reach(const struct vd_view *view, const char *host, struct vd_block_standing *standing, struct vd_reach *ret)
{
	reach(view, host, standing, ret);
	if (ret->type == VD_REACH_TYPE_STACK && standing->block->node && is_around_ours(view, host, standing))
		*ret = (struct vd_reach){.type = VD_REACH_TYPE_TUNNEL, .reason = VD_REACH_REASON_MOVED};
}
