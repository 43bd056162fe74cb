/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/block_duty.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

static const struct vd_container_network *network_of(const struct vd_model *model, const struct vd_container_block *block)
{
	return (const struct vd_container_network *)vd_model_get(model, VD_KIND_CONTAINER_NETWORK, block->head.project,
								 block->container_network);
}

static enum vd_block_duty duty_of_ours(const struct vd_block_office *office, const struct vd_container_block *block)
{
	const struct vd_container_network *network = network_of(office->model, block);
	bool takes_part = network && vd_model_node_in_network(office->model, network, office->host);
	/* An address of it that is another node's keeps it. */
	enum vd_block_duty leave = vd_block_is_lent(office->model, block) ? VD_BLOCK_DUTY_NOTHING : VD_BLOCK_DUTY_LEAVE;

	switch (block->assigned_state) {
	case VD_BLOCK_STATE_CHOSEN:
		return takes_part ? VD_BLOCK_DUTY_TAKE : VD_BLOCK_DUTY_NOTHING;
	case VD_BLOCK_STATE_HELD:
		return takes_part ? VD_BLOCK_DUTY_NOTHING : leave;
	case VD_BLOCK_STATE_QUARANTINED:
		return takes_part ? VD_BLOCK_DUTY_TAKE : leave;
	}
	return VD_BLOCK_DUTY_NOTHING;
}

enum vd_block_duty vd_block_duty_of(const struct vd_block_office *office, const struct vd_container_block *block)
{
	/* Behind a port nobody is there who could do anything. */
	if (!block->node)
		return VD_BLOCK_DUTY_NOTHING;
	if (strcmp(block->node, office->host) == 0)
		return duty_of_ours(office, block);
	/* Who is not seen alive itself has lost the store, or just found it: what it believes of others is worth nothing. */
	if (office->is_alive(block->node, office->userdata) || !office->is_alive(office->host, office->userdata))
		return VD_BLOCK_DUTY_NOTHING;
	switch (block->assigned_state) {
	case VD_BLOCK_STATE_CHOSEN:
		return VD_BLOCK_DUTY_NOTHING;
	case VD_BLOCK_STATE_HELD:
		return VD_BLOCK_DUTY_QUARANTINE;
	case VD_BLOCK_STATE_QUARANTINED:
		return vd_block_is_over(office->model, block, office->now) ? VD_BLOCK_DUTY_END : VD_BLOCK_DUTY_NOTHING;
	}
	return VD_BLOCK_DUTY_NOTHING;
}

/* --- writes --- */

struct collection {
	const struct vd_block_office *office;
	enum vd_block_duty duty;
	struct vd_block_write *items;
	size_t count, size;
	const struct vd_container_network *full;
};

static int add(struct collection *collection, const struct vd_block_write *write)
{
	if (collection->count == collection->size) {
		size_t size = collection->size * 2 + 16;
		struct vd_block_write *items = reallocarray(collection->items, size, sizeof(*items));

		if (!items)
			return -ENOMEM;
		collection->items = items;
		collection->size = size;
	}
	collection->items[collection->count++] = *write;
	return 0;
}

static int visit_block(const struct vd_resource *resource, void *userdata)
{
	const struct vd_container_block *block = (const struct vd_container_block *)resource;
	struct collection *collection = userdata;
	struct vd_block_write write = {.project = resource->project,
				       .container_network = block->container_network,
				       .cidr = block->cidr,
				       .state = VD_BLOCK_STATE_HELD};
	const struct vd_container_network *network;

	if (vd_block_duty_of(collection->office, block) != collection->duty)
		return 0;
	if (collection->duty == VD_BLOCK_DUTY_TAKE)
		write.node = collection->office->host;
	if (collection->duty == VD_BLOCK_DUTY_QUARANTINE) {
		network = network_of(collection->office->model, block);
		write.node = block->node;
		write.state = VD_BLOCK_STATE_QUARANTINED;
		write.quarantined_until = (uint64_t)(collection->office->now + (network ? network->quarantine : 0));
	}
	return add(collection, &write);
}

struct possession {
	const char *host;
	const struct vd_prefix *cidr;
	bool found;
};

static int visit_possession(const struct vd_resource *resource, void *userdata)
{
	const struct vd_container_block *block = (const struct vd_container_block *)resource;
	struct possession *possession = userdata;

	possession->found |= block->node && strcmp(block->node, possession->host) == 0 && !vd_block_is_moved(block) &&
			     block->cidr.address.family == possession->cidr->address.family;
	return possession->found;
}

/* A block of each family, when there is none of ours: another one is claimed when that one is full, and by who fills it. */
static int need_block(struct collection *collection, const struct vd_container_network *network, const struct vd_prefix *cidr)
{
	const struct vd_block_office *office = collection->office;
	struct possession possession = {.host = office->host, .cidr = cidr};
	struct vd_block_request request = {
		.network = network, .host = office->host, .family = cidr->address.family, .now = office->now};
	struct vd_block_write write = {.project = network->head.project,
				       .container_network = network->head.name,
				       .node = office->host,
				       .state = VD_BLOCK_STATE_HELD};
	int r;

	vd_model_each_block_of_container_network(office->model, network->head.project, network->head.name, visit_possession,
						 &possession);
	if (possession.found)
		return 0;
	r = vd_block_choose(office->model, &request, &write.cidr, NULL);
	if (r == -ENOSPC) {
		collection->full = network;
		return 0;
	}
	return r < 0 ? r : add(collection, &write);
}

static int visit_node(const struct vd_resource *resource, void *userdata)
{
	const struct vd_node *node = (const struct vd_node *)resource;
	struct collection *collection = userdata;
	int r = 0;

	for (size_t i = 0; r == 0 && i < node->container_network_count; i++) {
		const struct vd_container_network *network = (const struct vd_container_network *)vd_model_get(
			collection->office->model, VD_KIND_CONTAINER_NETWORK, resource->project, node->container_networks[i]);

		for (size_t j = 0; r == 0 && network && j < network->cidr_count; j++)
			r = need_block(collection, network, &network->cidrs[j]);
	}
	return r;
}

int vd_block_duties(const struct vd_block_office *office, enum vd_block_duty duty, struct vd_block_writes *ret,
		    const struct vd_container_network **ret_full)
{
	struct collection collection = {.office = office, .duty = duty};
	bool ours = duty == VD_BLOCK_DUTY_TAKE || duty == VD_BLOCK_DUTY_LEAVE;
	int r;

	if (ours)
		r = vd_model_each_block_of_host(office->model, office->host, visit_block, &collection);
	else
		r = vd_model_each(office->model, VD_KIND_CONTAINER_BLOCK, NULL, visit_block, &collection);
	if (r == 0 && duty == VD_BLOCK_DUTY_TAKE)
		r = vd_model_each_node_of_host(office->model, office->host, visit_node, &collection);
	if (r < 0) {
		free(collection.items);
		return r;
	}
	*ret = (struct vd_block_writes){
		.host = office->host, .now = office->now, .items = collection.items, .count = collection.count};
	if (ret_full)
		*ret_full = collection.full;
	return 0;
}

/* --- when, and whether --- */

static int visit_end(const struct vd_resource *resource, void *userdata)
{
	const struct vd_container_block *block = (const struct vd_container_block *)resource;
	int64_t *next = userdata, until = (int64_t)block->assigned_quarantined_until;

	if (block->assigned_state == VD_BLOCK_STATE_QUARANTINED && until < *next)
		*next = until;
	return 0;
}

int64_t vd_block_duty_next(const struct vd_block_office *office)
{
	int64_t next = INT64_MAX;

	vd_model_each(office->model, VD_KIND_CONTAINER_BLOCK, NULL, visit_end, &next);
	return next;
}

static int visit_any(const struct vd_resource *resource, void *userdata)
{
	return 1;
}

bool vd_block_duty_holds(const struct vd_model *model, const char *host)
{
	return vd_model_each_block_of_host(model, host, visit_any, NULL) != 0 ||
	       vd_model_each_node_of_host(model, host, visit_any, NULL) != 0;
}
