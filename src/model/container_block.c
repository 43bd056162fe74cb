/* SPDX-License-Identifier: Apache-2.0 */
#include "model/binding.h"
#include "model/container.h"
#include "model/prefixes.h"

#include <errno.h>
#include <string.h>

#define OFFSET(member) offsetof(struct vd_container_block, member)

static const char *const states[] = {"chosen", "held", "quarantined", NULL};

static const struct vd_field fields[] = {
	{"container_network", .type = VD_FIELD_TYPE_NAME, .required = true, .offset = OFFSET(container_network),
	 .is_reference = true, .reference = VD_KIND_CONTAINER_NETWORK, .help = "What it is part of."},
	{"cidr", .type = VD_FIELD_TYPE_PREFIX, .required = true, .offset = OFFSET(cidr),
	 .help = "Its addresses, of the network's block size; or one address inside another node's block, which moved."},
	{"node", .type = VD_FIELD_TYPE_NAME, .offset = OFFSET(node), .is_reference = true, .reference = VD_KIND_HOST,
	 .help = "The host that holds it; either this or port. Cannot change."},
	{"port", .type = VD_FIELD_TYPE_NAME, .offset = OFFSET(port), .is_reference = true, .reference = VD_KIND_PORT,
	 .help = "The instance, without a viaductd of its own, behind which its containers stand."},
	{"state", .type = VD_FIELD_TYPE_WORD, .is_assigned = true, .offset = OFFSET(assigned_state), .words = states,
	 .help = "chosen for a node that has not taken it up, held by it, or quarantined after the node died."},
	{"quarantined_until", .type = VD_FIELD_TYPE_NUMBER64, .is_assigned = true, .offset = OFFSET(assigned_quarantined_until),
	 .help = "When a quarantined one is free, in seconds since 1970."},
};

static int block_complete(struct vd_resource *resource, const char *object, struct vd_error *error)
{
	struct vd_container_block *block = (struct vd_container_block *)resource;
	char text[VD_PREFIX_TEXT], name[VD_IDENTITY_SIZE];

	snprintf(name, sizeof(name), "%s/%s", block->container_network, vd_prefix_format(&block->cidr, text));
	free(resource->name);
	resource->name = strdup(name);
	if (!resource->name)
		return -ENOMEM;
	/* Until a succession says otherwise. */
	block->assigned_state = block->port ? VD_BLOCK_STATE_HELD : VD_BLOCK_STATE_CHOSEN;
	if (!block->node == !block->port)
		return vd_error_set(error, -EINVAL,
				    "%s: name either node: (a host with viaductd) or port: (an instance without one)", object);
	return 0;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static int block_succeed(const struct vd_resource *before, struct vd_resource *after, const char *object, struct vd_error *error)
{
	const struct vd_container_block *old = (const struct vd_container_block *)before;
	struct vd_container_block *block = (struct vd_container_block *)after;

	if (same_text(old->node, block->node) && same_text(old->port, block->port)) {
		block->assigned_state = old->assigned_state;
		block->assigned_quarantined_until = old->assigned_quarantined_until;
		return 0;
	}
	/* Nobody's containers are in what is only chosen; behind a port they are the user's own affair. */
	if (old->port || old->assigned_state == VD_BLOCK_STATE_CHOSEN)
		return 0;
	return vd_error_set(error, -EBUSY,
			    "%s: node %s %s, and containers may stand in it; let that node leave container_network %s first",
			    object, old->node, old->assigned_state == VD_BLOCK_STATE_HELD ? "holds it" : "held it until it died",
			    old->container_network);
}

/* --- the model around it --- */

static int check_port(const struct vd_validation *validation, const struct vd_container_block *block,
		      const struct vd_container_network *network, const char *object)
{
	const struct vd_port *port =
		(const struct vd_port *)vd_model_get(validation->model, VD_KIND_PORT, block->head.project, block->port);
	const char *vpc = vd_port_vpc(validation->model, port);

	if (network->provider != VD_ROUTE_PROVIDER_VPC)
		return vd_error_set(
			validation->error, -EINVAL,
			"%s: without a viaductd behind port %s only routes of a VPC can lead there, and container_network "
			"%s has none; name a node, or use one that is routed by its VPC",
			object, block->port, network->head.name);
	if (vpc && strcmp(vpc, network->vpc) == 0)
		return 0;
	return vd_error_set(validation->error, -EINVAL,
			    "%s: port %s is not in VPC %s, which has the routes of container_network %s; "
			    "choose one that is",
			    object, block->port, network->vpc, network->head.name);
}

int vd_block_check_place(const struct vd_validation *validation, const struct vd_container_block *block,
			 const struct vd_container_network *network)
{
	const struct vd_prefix *cidr = NULL;
	uint8_t length = vd_block_length(network, block->cidr.address.family);
	char object[VD_OBJECT_SIZE], cidrs[2 * VD_PREFIX_TEXT + 8];

	vd_resource_text(&block->head, object);
	if (network->mode == VD_CONTAINER_MODE_NATIVE)
		return vd_error_set(validation->error, -EINVAL,
				    "%s: container_network %s is native: its containers are ports of subnet %s and need no blocks",
				    object, network->head.name, network->subnet);
	for (size_t i = 0; i < network->cidr_count; i++)
		if (vd_prefix_covers(&network->cidrs[i], &block->cidr))
			cidr = &network->cidrs[i];
	if (!cidr)
		return vd_error_set(validation->error, -EINVAL, "%s: it lies outside %s of container_network %s; choose one inside",
				    object, vd_prefixes_format(network->cidrs, network->cidr_count, cidrs, sizeof(cidrs)),
				    network->head.name);
	if (block->cidr.length != length && !vd_block_is_moved(block))
		return vd_error_set(validation->error, -EINVAL,
				    "%s: a block of container_network %s is a /%u, or one address that moved out of such a block",
				    object, network->head.name, length);
	return block->port ? check_port(validation, block, network, object) : 0;
}

static int block_check(struct vd_validation *validation, const struct vd_resource *before, const struct vd_resource *after,
		       const char *object, struct vd_error *error)
{
	return vd_blocks_check(validation, vd_block_network(validation->model, (const struct vd_container_block *)after));
}

const struct vd_kind_type vd_kind_type_container_block = {
	.word = "container_block",
	.plural = "container_blocks",
	.naming = VD_NAMING_DERIVED,
	.help = "Part of a container network: the addresses of one node's containers.",
	.size = sizeof(struct vd_container_block),
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
	.complete = block_complete,
	.succeed = block_succeed,
	.check = block_check,
};
