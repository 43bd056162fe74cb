/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/allotment.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t hash_of(const char *project, const char *vpc)
{
	return vd_hash_text(vd_hash_text(VD_HASH_START, project), vpc);
}

static void free_allotment(struct vd_table_node *node)
{
	struct vd_allotment *allotment = VD_CONTAINER(node, struct vd_allotment, node);

	free(allotment->blocks);
	free(allotment);
}

void vd_allotments_clear(struct vd_allotments *allotments)
{
	vd_table_clear(&allotments->table, free_allotment);
	*allotments = (struct vd_allotments){};
}

static struct vd_allotment *find(const struct vd_allotments *allotments, const char *project, const char *vpc)
{
	struct vd_table_node *node = vd_table_first(&allotments->table, hash_of(project, vpc));

	for (; node; node = vd_table_next(node)) {
		struct vd_allotment *allotment = VD_CONTAINER(node, struct vd_allotment, node);

		if (strcmp(allotment->project, project) == 0 && strcmp(allotment->vpc, vpc) == 0)
			return allotment;
	}
	return NULL;
}

static struct vd_allotment *allotment_new(const char *project, const char *vpc)
{
	size_t project_size = strlen(project) + 1, vpc_size = strlen(vpc) + 1;
	struct vd_allotment *allotment = malloc(sizeof(*allotment) + project_size + vpc_size);

	if (!allotment)
		return NULL;
	*allotment = (struct vd_allotment){};
	allotment->project = memcpy(allotment->text, project, project_size);
	allotment->vpc = memcpy(allotment->text + project_size, vpc, vpc_size);
	return allotment;
}

/* Finds or makes it, among those to be settled. */
static struct vd_allotment *touch(struct vd_allotments *allotments, const char *project, const char *vpc)
{
	struct vd_allotment *allotment = find(allotments, project, vpc);

	if (!allotment) {
		allotment = allotment_new(project, vpc);
		if (!allotment)
			return NULL;
		if (vd_table_add(&allotments->table, &allotment->node, hash_of(project, vpc)) < 0) {
			free(allotment);
			return NULL;
		}
	}
	if (!allotment->is_touched) {
		allotment->is_touched = true;
		allotment->next_touched = allotments->touched;
		allotments->touched = allotment;
	}
	return allotment;
}

int vd_allotments_limit(struct vd_allotments *allotments, const char *project, const char *vpc, size_t limit)
{
	struct vd_allotment *allotment = touch(allotments, project, vpc);

	if (!allotment)
		return -ENOMEM;
	allotment->limit = limit;
	return 0;
}

int vd_allotments_count(struct vd_allotments *allotments, const char *project, const char *vpc, int customs)
{
	struct vd_allotment *allotment = touch(allotments, project, vpc);

	if (!allotment)
		return -ENOMEM;
	allotment->customs += (size_t)customs;
	return 0;
}

/* ---- blocks ---- */

const char *vd_allotment_text(const struct vd_prefix *prefix, uint32_t owner, char text[VD_ALLOTMENT_TEXT])
{
	char prefix_text[VD_PREFIX_TEXT];

	snprintf(text, VD_ALLOTMENT_TEXT, "%s %" PRIu32, vd_prefix_format(prefix, prefix_text), owner);
	return text;
}

static struct vd_fit_block parse(const char *text)
{
	const char *space = strchr(text, ' ');
	char prefix[VD_PREFIX_TEXT] = "";
	struct vd_fit_block block = {.owner = (uint32_t)strtoul(space, NULL, 10)};

	memcpy(prefix, text, (size_t)(space - text));
	vd_prefix_parse(prefix, &block.prefix);
	return block;
}

static int order_of(const struct vd_fit_block *block, const struct vd_prefix *prefix, uint32_t owner)
{
	int order = vd_fit_compare(&block->prefix, prefix);

	return order ? order : (block->owner > owner) - (block->owner < owner);
}

/* The first that is not before it. */
static size_t position(const struct vd_allotment *allotment, const struct vd_prefix *prefix, uint32_t owner)
{
	size_t low = 0, high = allotment->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (order_of(&allotment->blocks[middle], prefix, owner) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int vd_allotments_add(struct vd_allotments *allotments, const char *project, const char *vpc, const char *text)
{
	struct vd_allotment *allotment = touch(allotments, project, vpc);
	struct vd_fit_block block = parse(text);
	size_t at;

	if (!allotment)
		return -ENOMEM;
	if (allotment->count == allotment->size) {
		size_t size = allotment->size ? allotment->size * 2 : 16;
		struct vd_fit_block *blocks = reallocarray(allotment->blocks, size, sizeof(*blocks));

		if (!blocks)
			return -ENOMEM;
		allotment->blocks = blocks;
		allotment->size = size;
	}
	at = position(allotment, &block.prefix, block.owner);
	memmove(&allotment->blocks[at + 1], &allotment->blocks[at], (allotment->count - at) * sizeof(block));
	/* Its reader is its own unit, which is derived anyway: as if it had been there with a route of its own. */
	block.route = block.prefix;
	block.is_first = true;
	allotment->blocks[at] = block;
	allotment->count++;
	return 0;
}

int vd_allotments_remove(struct vd_allotments *allotments, const char *project, const char *vpc, const char *text)
{
	struct vd_allotment *allotment = touch(allotments, project, vpc);
	struct vd_fit_block block = parse(text);
	size_t at;

	if (!allotment)
		return -ENOMEM;
	at = position(allotment, &block.prefix, block.owner);
	allotment->count--;
	memmove(&allotment->blocks[at], &allotment->blocks[at + 1], (allotment->count - at) * sizeof(block));
	return 0;
}

static int fit_anew(struct vd_allotment *allotment, void (*visit)(const struct vd_allotment *, const struct vd_fit_block *, void *),
		    void *userdata)
{
	size_t limit = allotment->limit > allotment->customs ? allotment->limit - allotment->customs : 0;
	bool was_short = allotment->is_short;
	struct vd_fit_block *before;

	allotment->is_short = allotment->count > limit;
	if (!was_short && !allotment->is_short)
		return 0;
	/* One more: of none it is not NULL. */
	before = calloc(allotment->count + 1, sizeof(*before));
	if (!before)
		return -ENOMEM;
	if (allotment->count > 0)
		memcpy(before, allotment->blocks, allotment->count * sizeof(*before));
	vd_fit(allotment->blocks, allotment->count, limit);
	for (size_t i = 0; i < allotment->count; i++) {
		const struct vd_fit_block *block = &allotment->blocks[i];

		if (vd_fit_compare(&block->route, &before[i].route) != 0 || block->is_first != before[i].is_first)
			visit(allotment, block, userdata);
	}
	free(before);
	return 1;
}

int vd_allotments_settle(struct vd_allotments *allotments,
			 void (*visit)(const struct vd_allotment *, const struct vd_fit_block *, void *), void *userdata)
{
	int r = 0, fitted = 0;

	while (allotments->touched && r >= 0) {
		struct vd_allotment *allotment = allotments->touched;

		allotments->touched = allotment->next_touched;
		allotment->is_touched = false;
		r = fit_anew(allotment, visit, userdata);
		fitted += r > 0;
		if (allotment->limit == 0 && allotment->customs == 0 && allotment->count == 0) {
			vd_table_remove(&allotments->table, &allotment->node);
			free_allotment(&allotment->node);
		}
	}
	return r < 0 ? r : fitted;
}

const struct vd_fit_block *vd_allotments_get(const struct vd_allotments *allotments, const char *project, const char *vpc,
					     const struct vd_prefix *prefix)
{
	const struct vd_allotment *allotment = find(allotments, project, vpc);
	size_t at;

	if (!allotment)
		return NULL;
	at = position(allotment, prefix, 0);
	return at < allotment->count && vd_fit_compare(&allotment->blocks[at].prefix, prefix) == 0 ? &allotment->blocks[at] : NULL;
}
