/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/status.h"

#include "compile/reach.h"

#include "model/block.h"

#include <string.h>

/* Container networks and their nodes. */

/* ---- a node in a network ---- */

struct holding {
	const char *host;
	json_t *blocks;
};

static int list_block_of_host(const struct vd_resource *resource, void *userdata)
{
	const struct vd_container_block *block = (const struct vd_container_block *)resource;
	struct holding *holding = userdata;

	if (block->assigned_state == VD_BLOCK_STATE_HELD && block->node && strcmp(block->node, holding->host) == 0)
		json_array_append_new(holding->blocks, vd_prefix_status(&block->cidr));
	return 0;
}

static json_t *blocks_of(const struct vd_view *view, const struct vd_container_network *network, const char *host)
{
	struct holding holding = {host, json_array()};

	vd_model_each_block_of_container_network(view->model, network->head.project, network->head.name, list_block_of_host,
						 &holding);
	return vd_sorted_status(holding.blocks);
}

static json_t *own_collision(const struct vd_view *view, const char *host, const json_t *blocks)
{
	json_t *reason = NULL, *block;
	size_t i;

	json_array_foreach ((json_t *)blocks, i, block) {
		struct vd_prefix prefix;

		if (!reason && vd_prefix_parse(json_string_value(block), &prefix) == 0)
			reason = vd_collision_reason(view, host, &prefix);
	}
	return reason;
}

/* What takes a part of the network from the node: no harm as long as nobody's block is there. */
static json_t *narrow_reason(const struct vd_view *view, const struct vd_container_network *network, const char *host)
{
	char text[VD_PREFIX_TEXT], other[VD_PREFIX_TEXT];

	for (size_t i = 0; i < network->cidr_count; i++) {
		const struct vd_occupied *occupied = vd_block_collision(view->model, host, &network->cidrs[i]);

		if (occupied)
			return json_sprintf("%s collides with %s (%s) on node %s: it takes no block there",
					    vd_prefix_format(&network->cidrs[i], text), occupied->name,
					    vd_prefix_format(&occupied->prefix, other), host);
	}
	return NULL;
}

static json_t *part_reason(const struct vd_view *view, const json_t *alive, const struct vd_container_network *network,
			   const char *host, const json_t *blocks, const char **ret_state)
{
	json_t *reason;

	if (!vd_model_node_in_network(view->model, network, host)) {
		*ret_state = "leaving";
		return json_sprintf("node %s has left, but containers still stand in its blocks: stop them", host);
	}
	reason = vd_silence_reason(alive, host);
	if (reason) {
		*ret_state = "silent";
		return reason;
	}
	reason = own_collision(view, host, blocks);
	if (reason) {
		*ret_state = "colliding";
		return reason;
	}
	if (json_array_size(blocks) > 0 || network->mode == VD_CONTAINER_MODE_NATIVE)
		return narrow_reason(view, network, host);
	*ret_state = "waiting";
	reason = narrow_reason(view, network, host);
	if (reason)
		return reason;
	return json_sprintf("node %s has no block yet: its viaductd takes one, if there is one free", host);
}

/* How one host takes part: {"state": …, "blocks": […], "reason": …}. */
static json_t *part_status(const struct vd_view *view, const json_t *alive, const struct vd_container_network *network,
			   const char *host)
{
	json_t *blocks = network->mode == VD_CONTAINER_MODE_NATIVE ? NULL : blocks_of(view, network, host);
	const char *state = "active";
	json_t *reason = part_reason(view, alive, network, host, blocks, &state);

	return json_pack("{s:s, s:o*, s:o*}", "state", state, "blocks", blocks, "reason", reason);
}

/* ---- container_network ---- */

struct census {
	const struct vd_view *view;
	const json_t *alive;
	const struct vd_container_network *network;
	json_t *nodes; /* an object, by host */
	json_int_t held, chosen, quarantined, whole;
};

static void take_host(struct census *census, const char *host)
{
	if (!json_object_get(census->nodes, host))
		json_object_set_new(census->nodes, host, part_status(census->view, census->alive, census->network, host));
}

static int take_node(const struct vd_resource *node, void *userdata)
{
	take_host(userdata, node->name);
	return 0;
}

static int take_block(const struct vd_resource *resource, void *userdata)
{
	const struct vd_container_block *block = (const struct vd_container_block *)resource;
	struct census *census = userdata;

	/* Of those that blocks of IPv4 are cut from. */
	census->whole += block->cidr.address.family == VD_FAMILY_IPV4 && !vd_block_is_moved(block);
	switch (block->assigned_state) {
	case VD_BLOCK_STATE_HELD:
		census->held++;
		if (block->node)
			take_host(census, block->node);
		break;
	case VD_BLOCK_STATE_CHOSEN:
		census->chosen++;
		break;
	case VD_BLOCK_STATE_QUARANTINED:
		census->quarantined++;
		break;
	}
	return 0;
}

static json_t *free_blocks(const struct census *census)
{
	for (size_t i = 0; i < census->network->cidr_count; i++) {
		const struct vd_prefix *cidr = &census->network->cidrs[i];

		if (cidr->address.family == VD_FAMILY_IPV4)
			return json_integer(((json_int_t)1 << (vd_block_length(census->network, VD_FAMILY_IPV4) - cidr->length)) -
					    census->whole);
	}
	return NULL;
}

/* Of the first node, by name, that has one. */
static json_t *first_collision(const json_t *nodes)
{
	const char *host, *first = NULL;
	json_t *node;

	json_object_foreach ((json_t *)nodes, host, node)
		if (strcmp(json_string_value(json_object_get(node, "state")), "colliding") == 0 &&
		    (!first || strcmp(host, first) < 0))
			first = host;
	return first ? json_incref(json_object_get(json_object_get(nodes, first), "reason")) : NULL;
}

json_t *vd_container_network_status(const struct vd_view *view, const json_t *alive, const struct vd_container_network *network)
{
	struct census census = {.view = view, .alive = alive, .network = network, .nodes = json_object()};
	const char *project = network->head.project, *name = network->head.name, *state = "active";
	json_t *status;

	vd_model_each_node_of_container_network(view->model, project, name, take_node, &census);
	vd_model_each_block_of_container_network(view->model, project, name, take_block, &census);
	if (json_object_size(census.nodes) == 0)
		state = "idle";
	status = json_pack("{s:s, s:o, s:o*}", "state", state, "nodes", census.nodes, "reason", first_collision(census.nodes));
	if (network->mode == VD_CONTAINER_MODE_NATIVE)
		return status;
	json_object_set_new(status, "vni", json_integer(network->assigned_vni));
	json_object_set_new(status, "mtu", json_integer(vd_view_node_mtu(view, network)));
	json_object_set_new(status, "blocks",
			    json_pack("{s:I, s:I, s:I, s:o*}", "held", census.held, "chosen", census.chosen, "quarantined",
				      census.quarantined, "free", free_blocks(&census)));
	return status;
}

/* ---- node ---- */

static json_t *node_reason(const struct vd_view *view, const json_t *alive, const struct vd_node *node, const char **ret_state)
{
	const struct vd_port *port = node->port ? vd_view_port(view, node->head.project, node->port) : NULL;
	json_t *reason;

	if (!vd_model_get(view->model, VD_KIND_CLAIM, VD_HOST_PROJECT, node->host)) {
		*ret_state = "absent";
		return json_sprintf("no daemon has run as host %s yet: start viaductd --host %s there", node->host, node->host);
	}
	reason = vd_silence_reason(alive, node->host);
	if (reason) {
		*ret_state = "silent";
		return reason;
	}
	if (port && !vd_view_attachment(view, port->head.project, port->head.name)) {
		*ret_state = "detached";
		return json_sprintf("port %s, which it is, is not attached: attach it", node->port);
	}
	return NULL;
}

json_t *vd_node_status(const struct vd_view *view, const json_t *alive, const struct vd_node *node)
{
	const char *state = "joined";
	json_t *networks = json_object(), *reason = node_reason(view, alive, node, &state);
	char lan[VD_NAME_SIZE];

	for (size_t i = 0; i < node->container_network_count; i++) {
		const char *name = node->container_networks[i];
		const struct vd_container_network *network = vd_view_container_network(view, node->head.project, name);

		if (network)
			json_object_set_new(networks, name, part_status(view, alive, network, node->host));
	}
	vd_view_lan(view, node->head.project, node->host, lan);
	return json_pack("{s:s, s:s*, s:o, s:o*}", "state", state, "lan", lan[0] ? lan : NULL, "container_networks", networks,
			 "reason", reason);
}
