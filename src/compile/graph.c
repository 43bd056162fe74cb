/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/graph.h"

#include "compile/key.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint64_t hash_unit(enum vd_unit_type type, const char *project, const char *name, const char *extra)
{
	uint8_t byte = type;

	return vd_hash_text(vd_hash_text(vd_hash_text(vd_hash_bytes(VD_HASH_START, &byte, 1), project), name), extra);
}

static void free_unit(struct vd_table_node *node)
{
	struct vd_unit *unit = VD_CONTAINER(node, struct vd_unit, node);

	free(unit->edges);
	free(unit->records);
	free(unit->holdings.items);
	free(unit);
}

static void free_key(struct vd_table_node *node)
{
	free(VD_CONTAINER(node, struct vd_key, node));
}

void vd_graph_clear(struct vd_graph *graph)
{
	vd_table_clear(&graph->units, free_unit);
	vd_table_clear(&graph->keys, free_key);
	for (int i = 0; i < VD_RELATION_TYPE_COUNT; i++)
		vd_relation_clear(&graph->relations[i]);
	vd_group_sets_clear(&graph->group_sets);
	vd_policies_clear(&graph->policies);
	vd_allotments_clear(&graph->allotments);
	free(graph->reads);
	free(graph->dirty);
	*graph = (struct vd_graph){.derived = graph->derived};
}

static struct vd_unit *unit_new(enum vd_unit_type type, const char *project, const char *name, const char *extra)
{
	size_t project_size = strlen(project) + 1, name_size = strlen(name) + 1, extra_size = strlen(extra) + 1;
	struct vd_unit *unit = malloc(sizeof(*unit) + project_size + name_size + extra_size);

	if (!unit)
		return NULL;
	*unit = (struct vd_unit){.type = type};
	unit->project = memcpy(unit->text, project, project_size);
	unit->name = memcpy(unit->text + project_size, name, name_size);
	unit->extra = memcpy(unit->text + project_size + name_size, extra, extra_size);
	return unit;
}

struct vd_unit *vd_graph_unit(struct vd_graph *graph, enum vd_unit_type type, const char *project, const char *name,
			      const char *extra)
{
	uint64_t hash = hash_unit(type, project, name, extra);
	struct vd_unit *unit;

	for (struct vd_table_node *node = vd_table_first(&graph->units, hash); node; node = vd_table_next(node)) {
		unit = VD_CONTAINER(node, struct vd_unit, node);
		if (unit->type == type && strcmp(unit->project, project) == 0 && strcmp(unit->name, name) == 0 &&
		    strcmp(unit->extra, extra) == 0)
			return unit;
	}

	unit = unit_new(type, project, name, extra);
	if (!unit)
		return NULL;
	if (vd_table_add(&graph->units, &unit->node, hash) < 0) {
		free(unit);
		return NULL;
	}
	return unit;
}

static void unlink_edges(struct vd_graph *graph, struct vd_unit *unit)
{
	for (uint32_t i = 0; i < unit->edge_count; i++) {
		struct vd_edge *edge = &unit->edges[i];

		*edge->previous = edge->next;
		if (edge->next)
			edge->next->previous = edge->previous;
		if (!edge->key->readers) {
			vd_table_remove(&graph->keys, &edge->key->node);
			free(edge->key);
		}
	}
	free(unit->edges);
	unit->edges = NULL;
	unit->edge_count = 0;
}

void vd_graph_remove_unit(struct vd_graph *graph, struct vd_unit *unit)
{
	unlink_edges(graph, unit);
	vd_table_remove(&graph->units, &unit->node);
	free_unit(&unit->node);
}

void vd_graph_mark(struct vd_graph *graph, struct vd_unit *unit)
{
	if (unit->is_dirty)
		return;
	if (graph->dirty_count == graph->dirty_size) {
		size_t size = graph->dirty_size ? graph->dirty_size * 2 : 16;
		struct vd_unit **dirty = reallocarray(graph->dirty, size, sizeof(struct vd_unit *));

		if (!dirty) {
			graph->error = -ENOMEM;
			return;
		}
		graph->dirty = dirty;
		graph->dirty_size = size;
	}
	graph->dirty[graph->dirty_count++] = unit;
	unit->is_dirty = true;
}

static struct vd_key *find_key(const struct vd_graph *graph, uint64_t hash)
{
	struct vd_table_node *node = vd_table_first(&graph->keys, hash);

	return node ? VD_CONTAINER(node, struct vd_key, node) : NULL;
}

void vd_graph_touch(struct vd_graph *graph, uint64_t hash)
{
	struct vd_key *key = find_key(graph, hash);

	if (key)
		for (struct vd_edge *edge = key->readers; edge; edge = edge->next)
			vd_graph_mark(graph, edge->unit);
}

static void touch_pair(struct vd_graph *graph, enum vd_relation_type type, const struct vd_pair *pair)
{
	vd_graph_touch(graph, vd_key_pair(type, pair->project, pair->vpc, pair->other));
	vd_graph_touch(graph, vd_key_pairs_of_vpc(type, pair->project, pair->vpc));
	vd_graph_touch(graph, vd_key_pairs_of_other(type, pair->other));
}

/* What counts against a VPC's quota of routes. */
static int count_pair(struct vd_graph *graph, enum vd_relation_type type, const struct vd_pair *pair, bool is_added)
{
	if (type == VD_RELATION_TYPE_CUSTOMS)
		return vd_allotments_count(&graph->allotments, pair->project, pair->vpc, is_added ? 1 : -1);
	if (type == VD_RELATION_TYPE_BLOCKS)
		return is_added ? vd_allotments_add(&graph->allotments, pair->project, pair->vpc, pair->other)
				: vd_allotments_remove(&graph->allotments, pair->project, pair->vpc, pair->other);
	return 0;
}

int vd_graph_hold(struct vd_graph *graph, struct vd_holdings *holdings, enum vd_relation_type type, const char *project,
		  const char *vpc, const char *other)
{
	struct vd_holding *items = reallocarray(holdings->items, holdings->count + 1, sizeof(*items));
	struct vd_pair *pair;
	int r;

	if (!items)
		return -ENOMEM;
	holdings->items = items;
	r = vd_relation_add(&graph->relations[type], project, vpc, other, &pair);
	if (r < 0)
		return r;
	if (r > 0) {
		r = count_pair(graph, type, pair, true);
		touch_pair(graph, type, pair);
	}
	items[holdings->count++] = (struct vd_holding){type, pair};
	return r < 0 ? r : 0;
}

void vd_graph_release(struct vd_graph *graph, struct vd_holdings *holdings)
{
	for (uint32_t i = 0; i < holdings->count; i++) {
		struct vd_holding *holding = &holdings->items[i];

		if (holding->pair->count == 1) {
			/* Taking something away needs no memory. */
			count_pair(graph, holding->type, holding->pair, false);
			touch_pair(graph, holding->type, holding->pair);
		}
		vd_relation_release(&graph->relations[holding->type], holding->pair);
	}
	free(holdings->items);
	*holdings = (struct vd_holdings){};
}

void vd_graph_read(struct vd_graph *graph, uint64_t key)
{
	if (graph->read_count == graph->read_size) {
		size_t size = graph->read_size ? graph->read_size * 2 : 64;
		uint64_t *reads = reallocarray(graph->reads, size, sizeof(*reads));

		if (!reads) {
			graph->error = -ENOMEM;
			return;
		}
		graph->reads = reads;
		graph->read_size = size;
	}
	graph->reads[graph->read_count++] = key;
}

static int compare_hash(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

/* Sorts, and drops what stands twice. */
static size_t distinct(uint64_t *hashes, size_t count)
{
	size_t kept = 0;

	qsort(hashes, count, sizeof(*hashes), compare_hash);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || hashes[kept - 1] != hashes[i])
			hashes[kept++] = hashes[i];
	return kept;
}

static struct vd_key *make_key(struct vd_graph *graph, uint64_t hash)
{
	struct vd_key *key = find_key(graph, hash);

	if (key)
		return key;
	key = calloc(1, sizeof(*key));
	if (key && vd_table_add(&graph->keys, &key->node, hash) < 0) {
		free(key);
		return NULL;
	}
	return key;
}

static int link_edge(struct vd_graph *graph, struct vd_unit *unit, struct vd_edge *edge, uint64_t hash)
{
	struct vd_key *key = make_key(graph, hash);

	if (!key)
		return -ENOMEM;
	*edge = (struct vd_edge){.next = key->readers, .previous = &key->readers, .unit = unit, .key = key};
	if (edge->next)
		edge->next->previous = &edge->next;
	key->readers = edge;
	return 0;
}

/* The same keys as before: nothing to link anew, which is the usual case. */
static bool depends_on(const struct vd_unit *unit, const uint64_t *hashes, size_t count)
{
	if (unit->edge_count != count)
		return false;
	for (size_t i = 0; i < count; i++)
		if (unit->edges[i].key->node.hash != hashes[i])
			return false;
	return true;
}

int vd_graph_settle(struct vd_graph *graph, struct vd_unit *unit, size_t start)
{
	uint64_t *hashes = graph->reads + start;
	size_t count = graph->read_count > start ? distinct(hashes, graph->read_count - start) : 0;

	graph->read_count = start;
	if (graph->error < 0)
		return graph->error;
	if (depends_on(unit, hashes, count))
		return 0;

	unlink_edges(graph, unit);
	if (count == 0)
		return 0;
	unit->edges = calloc(count, sizeof(*unit->edges));
	if (!unit->edges)
		return -ENOMEM;
	for (; unit->edge_count < count; unit->edge_count++) {
		int r = link_edge(graph, unit, &unit->edges[unit->edge_count], hashes[unit->edge_count]);

		if (r < 0)
			return r;
	}
	return 0;
}
