/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/status.h"

#include "base/cleanup.h"
#include "compile/derive.h"
#include "compile/reach.h"

#include "model/block.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Blocks of container networks. */

json_t *vd_prefix_status(const struct vd_prefix *prefix)
{
	char text[VD_PREFIX_TEXT];

	return json_string(vd_prefix_format(prefix, text));
}

/* ---- what is in the way on a host ---- */

json_t *vd_collision_reason(const struct vd_view *view, const char *host, const struct vd_prefix *prefix)
{
	const struct vd_occupied *occupied = vd_block_collision(view->model, host, prefix);
	char text[VD_PREFIX_TEXT], other[VD_PREFIX_TEXT];

	if (!occupied)
		return NULL;
	return json_sprintf("%s collides with %s (%s) on node %s, which cannot reach both: remove the one or the other",
			    vd_prefix_format(prefix, text), occupied->name, vd_prefix_format(&occupied->prefix, other), host);
}

struct collision {
	const struct vd_view *view;
	const struct vd_prefix *prefix;
	const char *host; /* of those where it collides, the first by name */
};

static int find_collision(const struct vd_resource *node, void *userdata)
{
	struct collision *collision = userdata;

	if (vd_block_collision(collision->view->model, node->name, collision->prefix) &&
	    (!collision->host || strcmp(node->name, collision->host) < 0))
		collision->host = node->name;
	return 0;
}

/* On its own node first, then on any that wants to reach it. */
static json_t *block_collision(const struct vd_view *view, const struct vd_container_block *block)
{
	struct collision collision = {view, &block->cidr, NULL};

	if (block->node && vd_block_collision(view->model, block->node, &block->cidr))
		return vd_collision_reason(view, block->node, &block->cidr);
	vd_model_each_node_of_container_network(view->model, block->head.project, block->container_network, find_collision,
						&collision);
	return collision.host ? vd_collision_reason(view, collision.host, &block->cidr) : NULL;
}

/* ---- container_block: who reaches it how ---- */

/* They: the nodes that ask. */
static json_t *lan_reason(const struct vd_view *view, const char *host, const struct vd_block_standing *standing)
{
	const char *project = standing->network->head.project, *node = standing->block->node;
	char mine[VD_NAME_SIZE], theirs[VD_NAME_SIZE];

	vd_view_lan(view, project, host, mine);
	vd_view_lan(view, project, node, theirs);
	if (theirs[0] == '\0')
		return json_sprintf("on which LAN node %s is, nobody knows: start viaductd there, or set its lan", node);
	if (mine[0] == '\0')
		return json_sprintf("on which LAN they are, nobody knows: start viaductd there, or set their lan");
	return json_sprintf("node %s is on LAN %s, they are on LAN %s", node, theirs, mine);
}

static json_t *reach_reason(const struct vd_view *view, const char *host, const struct vd_block_standing *standing,
			    enum vd_reach_reason reason)
{
	const char *node = standing->block->node ? standing->block->node : standing->block->port;
	char lan[VD_NAME_SIZE];

	switch (reason) {
	case VD_REACH_REASON_NONE:
		break;
	case VD_REACH_REASON_MODE:
		return json_sprintf("container_network %s is of mode tunnel", standing->network->head.name);
	case VD_REACH_REASON_LAN:
		return lan_reason(view, host, standing);
	case VD_REACH_REASON_GATEWAY:
		return json_sprintf("no gateway of container_network %s is on LAN %s", standing->network->head.name,
				    vd_view_lan(view, standing->network->head.project, host, lan));
	case VD_REACH_REASON_FAMILY:
		return json_sprintf("the underlay address of node %s is not of the block's family", node);
	case VD_REACH_REASON_HERE:
		return json_sprintf("they name no port of a VPC: set it");
	case VD_REACH_REASON_THERE:
		return json_sprintf("%s stands in no VPC: give it a port of one", node);
	case VD_REACH_REASON_VPC:
		return json_sprintf("they are not in VPC %s, nor in a peer that gets its routes by itself",
				    standing->vpc->head.name);
	case VD_REACH_REASON_QUOTA:
		return json_sprintf("VPC %s has no route left for it: its route_quota is %u; raise it", standing->vpc->head.name,
				    standing->vpc->route_quota);
	case VD_REACH_REASON_MOVED:
		return json_sprintf("it moved out of a block that they hold, or reach by tunnel themselves");
	}
	return NULL;
}

/* Every other node of the network asks for the way to one block. */
struct asking {
	const struct vd_view *view;
	struct vd_block_standing *standing;
	json_t *nodes; /* an object: by reason, the names of nodes */
	json_int_t routed, tunnelled, lost;
};

static int ask_from_node(const struct vd_resource *node, void *userdata)
{
	struct asking *asking = userdata;
	const char *holder = asking->standing->block->node;
	struct vd_reach reach;
	json_t *reason, *names;

	if (holder && strcmp(holder, node->name) == 0)
		return 0;
	vd_reach(asking->view, node->name, asking->standing, &reach);
	asking->tunnelled += reach.type == VD_REACH_TYPE_TUNNEL;
	asking->lost += reach.type == VD_REACH_TYPE_NONE;
	asking->routed += reach.reason == VD_REACH_REASON_NONE;
	reason = reach_reason(asking->view, node->name, asking->standing, reach.reason);
	if (!reason)
		return 0;
	names = json_object_get(asking->nodes, json_string_value(reason));
	if (!names) {
		names = json_array();
		json_object_set_new(asking->nodes, json_string_value(reason), names);
	}
	json_array_append_new(names, json_string(node->name));
	json_decref(reason);
	return 0;
}

static int compare_exceptions(const void *a, const void *b)
{
	return strcmp(json_string_value(json_object_get(*(json_t *const *)a, "reason")),
		      json_string_value(json_object_get(*(json_t *const *)b, "reason")));
}

/* [{"reason": …, "nodes": […]}], in the order of the sentences. */
static json_t *exceptions_of(const json_t *nodes)
{
	size_t count = json_object_size(nodes), i = 0;
	VD_FREE json_t **items = calloc(count + 1, sizeof(json_t *));
	json_t *list = json_array(), *names;
	const char *reason;

	if (!items)
		return list;
	json_object_foreach ((json_t *)nodes, reason, names)
		items[i++] = json_pack("{s:s, s:o}", "reason", reason, "nodes", vd_sorted_status(json_incref(names)));
	qsort(items, count, sizeof(json_t *), compare_exceptions);
	for (i = 0; i < count; i++)
		json_array_append_new(list, items[i]);
	return list;
}

static void set_ways(const struct vd_view *view, struct vd_block_standing *standing, json_t *status)
{
	const struct vd_resource *network = &standing->network->head;
	struct asking asking = {view, standing, json_object()};

	vd_model_each_node_of_container_network(view->model, network->project, network->name, ask_from_node, &asking);
	json_object_set_new(
		status, "reached",
		json_pack("{s:I, s:I, s:I}", "by_route", asking.routed, "by_tunnel", asking.tunnelled, "not", asking.lost));
	/* Of a network that has no routes it is nothing to be told. */
	if (json_object_size(asking.nodes) > 0 && standing->network->mode == VD_CONTAINER_MODE_ROUTED)
		json_object_set_new(status, "not_by_route", exceptions_of(asking.nodes));
	json_decref(asking.nodes);
}

/* ---- container_block: its route in the VPC ---- */

/* A route of the user's own, to the same destination, in a table of the VPC. */
struct search {
	const struct vd_view *view;
	const struct vd_vpc *vpc;
	const struct vd_prefix *destination;
	const struct vd_route *found;
};

static int stop_at_vpc(const struct vd_vpc *vpc, uint32_t table, void *userdata)
{
	return vpc == ((const struct search *)userdata)->vpc;
}

static int find_route(const struct vd_resource *resource, void *userdata)
{
	const struct vd_route *route = (const struct vd_route *)resource;
	struct search *search = userdata;

	if (vd_fit_compare(&route->destination, search->destination) != 0 ||
	    !vd_route_each_vpc(search->view, route, stop_at_vpc, search))
		return 0;
	if (!search->found || strcmp(resource->name, search->found->head.name) < 0)
		search->found = route;
	return 0;
}

static json_t *replaced_reason(const struct vd_view *view, const struct vd_block_standing *standing)
{
	struct search search = {view, standing->vpc, &standing->fit.route, NULL};

	vd_model_each(view->model, VD_KIND_ROUTE, standing->vpc->head.project, find_route, &search);
	if (!search.found)
		return NULL;
	return json_sprintf("route %s stands in its place there: delete it, unless it is meant", search.found->head.name);
}

/* Why what the VPC sends there may not arrive; NULL: it does. */
static json_t *vpc_reason(const struct vd_view *view, const json_t *alive, struct vd_block_standing *standing)
{
	const struct vd_prefix *route = &vd_view_fit(view, standing)->route;
	const char *vpc = standing->vpc->head.name, *port = standing->port->head.name;
	const struct vd_attachment *attachment = vd_view_attachment(view, standing->port->head.project, port);
	char text[VD_PREFIX_TEXT];
	json_t *reason;

	if (route->address.family == VD_FAMILY_NONE)
		return json_sprintf("VPC %s has no route left for it: its route_quota is %u; raise it. Nodes reach it by tunnel, "
				    "other instances do not",
				    vpc, standing->vpc->route_quota);
	if (vd_vpc_covers(standing->vpc, route))
		return json_sprintf("%s lies inside VPC %s, where the VPC's own subnets decide", vd_prefix_format(route, text),
				    vpc);
	if (!vd_port_address(standing->port, route->address.family))
		return json_sprintf("port %s, which it stands behind, has no address of its family: give it one", port);
	if (!attachment)
		return json_sprintf("port %s, which it stands behind, is not attached: attach it", port);
	reason = replaced_reason(view, standing);
	return reason ? reason : vd_silence_reason(alive, attachment->host);
}

static json_t *unplaced_reason(const struct vd_block_standing *standing)
{
	if (standing->network->mode != VD_CONTAINER_MODE_ROUTED || standing->network->provider != VD_ROUTE_PROVIDER_VPC)
		return NULL;
	if (standing->block->port)
		return json_sprintf("port %s is in no subnet of a VPC", standing->block->port);
	return json_sprintf("node %s names no port of a VPC: set its port", standing->block->node);
}

static void set_route(const struct vd_view *view, struct vd_block_standing *standing, json_t *status)
{
	const struct vd_fit_block *fit = vd_view_fit(view, standing);
	const struct vd_address *next_hop;
	char text[VD_ADDRESS_TEXT];

	if (!fit || fit->route.address.family == VD_FAMILY_NONE)
		return;
	next_hop = vd_port_address(standing->port, fit->route.address.family);
	json_object_set_new(status, "vpc", json_string(standing->vpc->head.name));
	json_object_set_new(status, "route", vd_prefix_status(&fit->route));
	if (next_hop)
		json_object_set_new(status, "next_hop", json_string(vd_address_format(next_hop, text)));
}

/* ---- container_block ---- */

static json_t *quarantine_reason(const struct vd_container_block *block)
{
	time_t until = (time_t)block->assigned_quarantined_until;
	char text[32];
	struct tm tm;

	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&until, &tm));
	return json_sprintf("node %s was found dead while it held it; the block is free at %s", block->node, text);
}

static json_t *held_status(const struct vd_view *view, const json_t *alive, const struct vd_container_block *block)
{
	struct vd_block_standing standing;
	json_t *status, *reason;
	const char *state = "active";

	if (!vd_block_stand(view, block, &standing))
		return json_pack("{s:s, s:o}", "state", "inert", "reason",
				 json_sprintf("container_network %s has no blocks", block->container_network));
	reason = block_collision(view, block);
	if (reason)
		state = "colliding";
	if (!reason && block->node && (reason = vd_silence_reason(alive, block->node)))
		state = "uncertain";
	if (!reason) {
		reason = standing.vpc ? vpc_reason(view, alive, &standing) : unplaced_reason(&standing);
		state = reason ? "impaired" : "active";
	}
	status = json_pack("{s:s, s:s*, s:o*}", "state", state, "host", block->node, "reason", reason);
	set_route(view, &standing, status);
	set_ways(view, &standing, status);
	return status;
}

json_t *vd_container_block_status(const struct vd_view *view, const json_t *alive, const struct vd_container_block *block)
{
	switch (block->assigned_state) {
	case VD_BLOCK_STATE_CHOSEN:
		return json_pack("{s:s, s:s*, s:o}", "state", "chosen", "host", block->node, "reason",
				 json_sprintf("node %s has not taken it up: viaductd there does so when it joins", block->node));
	case VD_BLOCK_STATE_QUARANTINED:
		return json_pack("{s:s, s:s*, s:o}", "state", "quarantined", "host", block->node, "reason",
				 quarantine_reason(block));
	case VD_BLOCK_STATE_HELD:
		break;
	}
	return held_status(view, alive, block);
}
