/* SPDX-License-Identifier: Apache-2.0 */
#include "model/block.h"

#include "base/cleanup.h"
#include "model/container.h"
#include "model/pull.h"

#include <errno.h>
#include <string.h>

VD_DEFINE_CLEANUP(struct vd_changes, vd_changes_free)
VD_DEFINE_CLEANUP(struct vd_resource, vd_resource_unref)

uint8_t vd_block_length(const struct vd_container_network *network, unsigned family)
{
	return (uint8_t)(family == VD_FAMILY_IPV6 ? network->block_size6 : network->block_size);
}

/* A block of a network's own size has at least four addresses. */
bool vd_block_is_moved(const struct vd_container_block *block)
{
	return block->cidr.length == vd_address_bits(&block->cidr.address);
}

struct vd_address vd_block_gateway(const struct vd_container_block *block)
{
	struct vd_address first = vd_prefix_first(&block->cidr);

	return vd_block_is_moved(block) ? (struct vd_address){} : vd_address_add(&first, 1);
}

const struct vd_container_network *vd_block_network(const struct vd_model *model, const struct vd_container_block *block)
{
	return (const struct vd_container_network *)vd_model_get(model, VD_KIND_CONTAINER_NETWORK, block->head.project,
								 block->container_network);
}

/* --- all blocks of a network --- */

struct blocks {
	const struct vd_container_block **items;
	size_t count, size;
};

static void clear_blocks(struct blocks *blocks)
{
	free(blocks->items);
}

static int collect(const struct vd_resource *resource, void *userdata)
{
	struct blocks *blocks = userdata;

	if (blocks->count == blocks->size) {
		size_t size = blocks->size * 2 + 64;
		const struct vd_container_block **items =
			reallocarray(blocks->items, size, sizeof(const struct vd_container_block *));

		if (!items)
			return -ENOMEM;
		blocks->items = items;
		blocks->size = size;
	}
	blocks->items[blocks->count++] = (const struct vd_container_block *)resource;
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct vd_prefix *left = &(*(const struct vd_container_block *const *)a)->cidr;
	const struct vd_prefix *right = &(*(const struct vd_container_block *const *)b)->cidr;
	int order = vd_address_compare(&left->address, &right->address);

	return order != 0 ? order : (int)left->length - (int)right->length;
}

/* In the order of their addresses, what encloses before what is enclosed. */
static int collect_blocks(const struct vd_model *model, const struct vd_container_network *network, struct blocks *blocks)
{
	int r = vd_model_each_block_of_container_network(model, network->head.project, network->head.name, collect, blocks);

	if (r == 0 && blocks->count > 0)
		qsort(blocks->items, blocks->count, sizeof(*blocks->items), compare);
	return r;
}

static bool same_holder(const struct vd_container_block *a, const struct vd_container_block *b)
{
	if (a->node && b->node)
		return strcmp(a->node, b->node) == 0;
	return a->port && b->port && strcmp(a->port, b->port) == 0;
}

/* outer: the last block that is no moved address, or NULL. */
static int check_moved(const struct vd_validation *validation, const struct vd_container_block *block,
		       const struct vd_container_block *outer)
{
	char object[VD_OBJECT_SIZE], other[VD_OBJECT_SIZE];

	vd_resource_text(&block->head, object);
	if (!outer || !vd_prefix_covers(&outer->cidr, &block->cidr))
		return vd_error_set(
			validation->error, -EINVAL,
			"%s: it is one address, which is in nobody's block and so cannot have moved; choose a whole block", object);
	if (same_holder(block, outer))
		return vd_error_set(validation->error, -EEXIST, "%s: it lies in %s, which %s %s holds too; leave it out", object,
				    vd_resource_text(&outer->head, other), block->node ? "node" : "port",
				    block->node ? block->node : block->port);
	return 0;
}

int vd_blocks_check(struct vd_validation *validation, const struct vd_container_network *network)
{
	VD_CLEANUP(clear_blocks) struct blocks blocks = {};
	const struct vd_container_block *outer = NULL;
	int r;

	if (!vd_validation_once(validation, "blocks", network->head.project, network->head.name))
		return 0;
	r = collect_blocks(validation->model, network, &blocks);
	for (size_t i = 0; r == 0 && i < blocks.count; i++) {
		const struct vd_container_block *block = blocks.items[i];

		r = vd_block_check_place(validation, block, network);
		if (r < 0)
			return r;
		if (vd_block_is_moved(block)) {
			r = check_moved(validation, block, outer);
			continue;
		}
		/* All of one length, each with a name made of its CIDR: no two of them overlap. */
		outer = block;
	}
	return r;
}

struct inside {
	const struct vd_container_block *block;
	const struct vd_resource *found;
};

static int find_inside(const struct vd_resource *resource, void *userdata)
{
	const struct vd_container_block *block = (const struct vd_container_block *)resource;
	struct inside *inside = userdata;

	if (block->cidr.length == inside->block->cidr.length || !vd_prefix_covers(&inside->block->cidr, &block->cidr))
		return 0;
	inside->found = resource;
	return 1;
}

static const struct vd_container_block *inside_of(const struct vd_model *model, const struct vd_container_block *block)
{
	struct inside inside = {.block = block};

	vd_model_each_block_of_container_network(model, block->head.project, block->container_network, find_inside, &inside);
	return (const struct vd_container_block *)inside.found;
}

bool vd_block_is_lent(const struct vd_model *model, const struct vd_container_block *block)
{
	return inside_of(model, block) != NULL;
}

bool vd_block_is_over(const struct vd_model *model, const struct vd_container_block *block, int64_t now)
{
	return block->assigned_state == VD_BLOCK_STATE_QUARANTINED && (int64_t)block->assigned_quarantined_until <= now &&
	       !vd_block_is_lent(model, block);
}

int vd_block_check_removal(const struct vd_validation *validation, const struct vd_container_block *block, struct vd_error *error)
{
	/* Its own place may be taken already: what stands there now is looked at by itself. */
	const struct vd_container_block *inside = inside_of(validation->model, block);
	char object[VD_OBJECT_SIZE], other[VD_OBJECT_SIZE];

	if (!inside)
		return 0;
	return vd_error_set(error, -EBUSY,
			    "%s is needed by %s, an address of it that moved to %s %s; delete that first, or both together",
			    vd_resource_text(&block->head, object), vd_resource_text(&inside->head, other),
			    inside->node ? "node" : "port", inside->node ? inside->node : inside->port);
}

/* --- which one is free --- */

struct choice {
	const struct vd_block_request *request;
	const struct vd_prefix *cidr; /* of the network */
	uint8_t length;
	struct vd_prefix *taken; /* in the order of their addresses; none inside another */
	size_t count;
};

/* A prefix of this length next to where from left off: the first one behind the address that is free, if any. */
static bool find_free(const struct choice *choice, const struct vd_prefix *space, uint8_t length, struct vd_prefix *ret)
{
	struct vd_prefix candidate = {.address = vd_prefix_first(space), .length = length};
	size_t i = 0;

	while (vd_prefix_contains(space, &candidate.address)) {
		struct vd_address last = vd_prefix_last(&candidate), next;
		const struct vd_prefix *hit = NULL;

		while (i < choice->count && !hit) {
			struct vd_address end = vd_prefix_last(&choice->taken[i]);

			if (vd_prefix_overlaps(&choice->taken[i], &candidate))
				hit = &choice->taken[i];
			else if (vd_address_compare(&end, &candidate.address) < 0)
				i++;
			else
				break;
		}
		if (!hit) {
			*ret = candidate;
			return true;
		}
		/* Behind what is taken, or behind the candidate: the one that ends later. */
		next = vd_prefix_last(hit);
		if (vd_address_compare(&next, &last) < 0)
			next = last;
		last = vd_prefix_last(space);
		if (vd_address_compare(&next, &last) >= 0)
			return false;
		candidate.address = vd_address_add(&next, 1);
	}
	return false;
}

static int compare_prefixes(const void *a, const void *b)
{
	const struct vd_prefix *left = a, *right = b;
	int order = vd_address_compare(&left->address, &right->address);

	return order != 0 ? order : (int)left->length - (int)right->length;
}

static void take(struct choice *choice, const struct vd_prefix *prefix)
{
	if (prefix->length > 0 && vd_prefix_overlaps(prefix, choice->cidr)) {
		choice->taken[choice->count] = *prefix;
		vd_prefix_normalise(&choice->taken[choice->count++]);
	}
}

static void take_occupied(struct choice *choice, const struct vd_occupied *occupied, size_t count)
{
	for (size_t i = 0; i < count; i++)
		take(choice, &occupied[i].prefix);
}

/* Sorts, and leaves out what lies inside another. */
static void settle(struct choice *choice)
{
	size_t count = 0;

	if (choice->count > 0)
		qsort(choice->taken, choice->count, sizeof(*choice->taken), compare_prefixes);
	for (size_t i = 0; i < choice->count; i++)
		if (count == 0 || !vd_prefix_covers(&choice->taken[count - 1], &choice->taken[i]))
			choice->taken[count++] = choice->taken[i];
	choice->count = count;
}

/*
 * Is it nobody's any more, though it still stands? Not while an address that moved out of it stands: then somebody's container has
 * that. next: the block behind it in order.
 */
static bool is_over(const struct vd_container_block *block, const struct vd_container_block *next, int64_t now)
{
	return block->assigned_state == VD_BLOCK_STATE_QUARANTINED && (int64_t)block->assigned_quarantined_until <= now &&
	       !(next && vd_prefix_covers(&block->cidr, &next->cidr));
}

/* The prefix twice as large around it, and its other half. */
static struct vd_prefix sibling_of(const struct vd_prefix *prefix)
{
	struct vd_prefix sibling = *prefix;
	uint8_t bit = (uint8_t)(prefix->length - 1);

	sibling.address.bytes[bit / 8] ^= (uint8_t)(0x80 >> (bit % 8));
	return sibling;
}

static bool is_own(const struct choice *choice, const struct vd_container_block *block)
{
	return block->node && strcmp(block->node, choice->request->host) == 0 && block->cidr.length == choice->length &&
	       block->assigned_state != VD_BLOCK_STATE_QUARANTINED && vd_prefix_covers(choice->cidr, &block->cidr);
}

/* Does the node hold all of it? The blocks are sorted. */
static bool owns_all(const struct choice *choice, const struct blocks *blocks, const struct vd_prefix *prefix)
{
	struct vd_prefix expected = {.address = vd_prefix_first(prefix), .length = choice->length};

	for (size_t i = 0; i < blocks->count; i++) {
		struct vd_address last = vd_prefix_last(prefix), end;

		if (!is_own(choice, blocks->items[i]) || !vd_prefix_equal(&blocks->items[i]->cidr, &expected))
			continue;
		end = vd_prefix_last(&expected);
		if (vd_address_compare(&end, &last) >= 0)
			return true;
		expected.address = vd_address_add(&end, 1);
	}
	return false;
}

/* A free block that lies with one of the node's own in the smallest prefix possible. */
static bool find_beside(const struct choice *choice, const struct blocks *blocks, struct vd_prefix *ret)
{
	struct vd_prefix best = {};
	int best_length = -1;

	for (size_t i = 0; i < blocks->count; i++) {
		struct vd_prefix around = blocks->items[i]->cidr, sibling;

		if (!is_own(choice, blocks->items[i]))
			continue;
		/* What it holds all of is one prefix already. */
		while (around.length > choice->cidr->length && (int)around.length > best_length) {
			sibling = sibling_of(&around);
			if (find_free(choice, &sibling, choice->length, &best)) {
				best_length = around.length;
				*ret = best;
				break;
			}
			if (!owns_all(choice, blocks, &sibling))
				break;
			around.length--;
			vd_prefix_normalise(&around);
		}
	}
	return best_length >= 0;
}

static bool find(const struct choice *choice, const struct blocks *blocks, struct vd_prefix *ret)
{
	if (find_beside(choice, blocks, ret))
		return true;
	/* With its neighbour free as well, so that there is room beside it. */
	if (choice->length > choice->cidr->length && find_free(choice, choice->cidr, (uint8_t)(choice->length - 1), ret)) {
		ret->length = choice->length;
		return true;
	}
	return find_free(choice, choice->cidr, choice->length, ret);
}

const struct vd_occupied *vd_block_collision(const struct vd_model *model, const char *host, const struct vd_prefix *prefix)
{
	const struct vd_claim *claim = (const struct vd_claim *)vd_model_get(model, VD_KIND_CLAIM, VD_PROJECT_DEFAULT, host);

	/* A default route stands in nobody's way. */
	for (size_t i = 0; claim && i < claim->occupied_count; i++)
		if (claim->occupied[i].prefix.length > 0 && vd_prefix_overlaps(&claim->occupied[i].prefix, prefix))
			return &claim->occupied[i];
	return NULL;
}

/* Who of those that the host named stands in the way of this one, which would be free otherwise? */
static const struct vd_occupied *blame(const struct vd_model *model, const struct vd_block_request *request,
				       const struct vd_prefix *prefix)
{
	for (size_t i = 0; i < request->occupied_count; i++)
		if (request->occupied[i].prefix.length > 0 && vd_prefix_overlaps(&request->occupied[i].prefix, prefix))
			return &request->occupied[i];
	return vd_block_collision(model, request->host, prefix);
}

static const struct vd_prefix *cidr_of(const struct vd_container_network *network, unsigned family)
{
	for (size_t i = 0; i < network->cidr_count; i++)
		if (network->cidrs[i].address.family == family)
			return &network->cidrs[i];
	return NULL;
}

int vd_block_choose(const struct vd_model *model, const struct vd_block_request *request, struct vd_prefix *ret,
		    const struct vd_occupied **ret_occupied)
{
	const struct vd_claim *claim =
		(const struct vd_claim *)vd_model_get(model, VD_KIND_CLAIM, VD_PROJECT_DEFAULT, request->host);
	struct choice choice = {.request = request,
				.cidr = cidr_of(request->network, request->family),
				.length = vd_block_length(request->network, request->family)};
	VD_CLEANUP(clear_blocks) struct blocks blocks = {};
	VD_FREE struct vd_prefix *taken = NULL;
	const struct vd_occupied *occupied = NULL;
	struct vd_prefix found;
	size_t held;
	int r;

	r = collect_blocks(model, request->network, &blocks);
	if (r < 0)
		return r;
	taken = calloc(blocks.count + request->occupied_count + (claim ? claim->occupied_count : 0) + 1, sizeof(*taken));
	if (!taken)
		return -ENOMEM;
	choice.taken = taken;
	for (size_t i = 0; choice.cidr && i < blocks.count; i++)
		if (!is_over(blocks.items[i], i + 1 < blocks.count ? blocks.items[i + 1] : NULL, request->now))
			take(&choice, &blocks.items[i]->cidr);
	held = choice.count;
	if (choice.cidr) {
		take_occupied(&choice, request->occupied, request->occupied_count);
		take_occupied(&choice, claim ? claim->occupied : NULL, claim ? claim->occupied_count : 0);
	}
	settle(&choice);
	if (choice.cidr && find(&choice, &blocks, ret))
		return 0;
	/* Once more without what the host has itself, to say what is in the way. */
	choice.count = 0;
	for (size_t i = 0; choice.cidr && i < blocks.count && choice.count < held; i++)
		if (!is_over(blocks.items[i], i + 1 < blocks.count ? blocks.items[i + 1] : NULL, request->now))
			take(&choice, &blocks.items[i]->cidr);
	settle(&choice);
	if (choice.cidr && find_free(&choice, choice.cidr, choice.length, &found))
		occupied = blame(model, request, &found);
	if (ret_occupied)
		*ret_occupied = occupied;
	return -ENOSPC;
}

/* --- what a host writes --- */

static int make_block(const struct vd_block_write *write, const struct vd_container_block *before, struct vd_resource **ret,
		      struct vd_error *error)
{
	char cidr[VD_PREFIX_TEXT];
	json_t *document = json_pack("{s:s, s:s, s:s, s:s, s:s}", "kind", vd_kind_word(VD_KIND_CONTAINER_BLOCK), "project",
				     write->project, "container_network", write->container_network, "cidr",
				     vd_prefix_format(&write->cidr, cidr), "node", write->node);
	struct vd_container_block *block;
	int r;

	if (!document)
		return -ENOMEM;
	/* What people wrote at it stays. */
	if (before && before->head.description)
		json_object_set_new(document, "description", json_string(before->head.description));
	r = vd_resource_parse(document, NULL, ret, error);
	json_decref(document);
	if (r < 0)
		return r;
	block = (struct vd_container_block *)*ret;
	block->head.id = before ? before->head.id : 0;
	block->assigned_state = write->state;
	block->assigned_quarantined_until = write->quarantined_until;
	return 0;
}

static int refuse_write(const struct vd_container_block *block, int64_t now, struct vd_error *error)
{
	long long left = (long long)block->assigned_quarantined_until - now;
	char object[VD_OBJECT_SIZE];

	vd_resource_text(&block->head, object);
	if (block->port)
		return vd_error_set(error, -EBUSY, "%s is behind port %s", object, block->port);
	if (block->assigned_state != VD_BLOCK_STATE_QUARANTINED)
		return vd_error_set(error, -EBUSY, "%s is %s %s", object,
				    block->assigned_state == VD_BLOCK_STATE_CHOSEN ? "chosen for node" : "held by node",
				    block->node);
	if (left > 0)
		return vd_error_set(error, -EBUSY, "%s was held by node %s, which died; it is free in %lld s", object, block->node,
				    left);
	return vd_error_set(error, -EBUSY, "%s was held by node %s, which died, and an address of it that moved is in use", object,
			    block->node);
}

static bool may_write(const struct vd_model *model, const struct vd_block_writes *writes, const struct vd_block_write *write,
		      const struct vd_container_block *before)
{
	bool is_mine = before && before->node && strcmp(before->node, writes->host) == 0;
	bool stays = before && before->node && write->node && strcmp(before->node, write->node) == 0;
	bool is_free = !before || vd_block_is_over(model, before, writes->now);

	if (!write->node)
		return is_mine || is_free;
	if (write->state == VD_BLOCK_STATE_QUARANTINED)
		return stays && before->assigned_state != VD_BLOCK_STATE_CHOSEN;
	return write->state == VD_BLOCK_STATE_HELD && strcmp(write->node, writes->host) == 0 && (is_mine || is_free);
}

static int add_write(struct vd_changes *changes, const struct vd_model *model, const struct vd_block_writes *writes,
		     const struct vd_block_write *write, struct vd_error *error)
{
	VD_CLEANUP(vd_resource_unref_cleanup) struct vd_resource *after = NULL;
	char text[VD_PREFIX_TEXT], name[VD_IDENTITY_SIZE], object[VD_OBJECT_SIZE];
	const struct vd_container_block *before;
	int r;

	snprintf(name, sizeof(name), "%s/%s", write->container_network, vd_prefix_format(&write->cidr, text));
	before = (const struct vd_container_block *)vd_model_get(model, VD_KIND_CONTAINER_BLOCK, write->project, name);
	vd_object_text(VD_KIND_CONTAINER_BLOCK, write->project, name, object);
	if (!before && (!write->node || write->state != VD_BLOCK_STATE_HELD))
		return vd_error_set(error, -ENOENT, "%s does not exist", object);
	if (!may_write(model, writes, write, before))
		return before ? refuse_write(before, writes->now, error)
			      : vd_error_set(error, -EINVAL, "%s: only node %s itself can take it", object, write->node);
	if (write->node) {
		r = make_block(write, before, &after, error);
		if (r < 0)
			return r;
	}
	return vd_changes_add(changes, VD_KIND_CONTAINER_BLOCK, write->project, name, before ? &before->head : NULL, after);
}

int vd_changes_from_blocks(const struct vd_model *model, const struct vd_block_writes *writes, uint32_t next_id,
			   struct vd_changes **ret, struct vd_error *error)
{
	VD_CLEANUP(vd_changes_free_cleanup) struct vd_changes *changes = vd_changes_new(writes->count);
	int r = changes ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < writes->count; i++)
		r = add_write(changes, model, writes, &writes->items[i], error);
	if (r == 0) {
		changes->next_id = next_id;
		r = vd_changes_finish(model, changes, error);
	}
	if (r < 0)
		return r;
	*ret = VD_TAKE(changes);
	return 0;
}
