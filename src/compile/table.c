/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_FIRST 64

static size_t bucket_of(const struct vd_table *table, uint64_t hash)
{
	/* FNV's low bits are weaker than its high ones. */
	return (hash ^ hash >> 32) & (table->size - 1);
}

static void link_node(struct vd_table *table, struct vd_table_node *node)
{
	struct vd_table_node **bucket = &table->buckets[bucket_of(table, node->hash)];

	node->next = *bucket;
	node->previous = bucket;
	if (node->next)
		node->next->previous = &node->next;
	*bucket = node;
}

static int grow(struct vd_table *table)
{
	struct vd_table larger = {.size = table->size ? table->size * 2 : SIZE_FIRST, .count = table->count};

	larger.buckets = calloc(larger.size, sizeof(*larger.buckets));
	if (!larger.buckets)
		return -ENOMEM;
	for (size_t i = 0; i < table->size; i++)
		for (struct vd_table_node *node = table->buckets[i], *next; node; node = next) {
			next = node->next;
			link_node(&larger, node);
		}
	free(table->buckets);
	*table = larger;
	return 0;
}

int vd_table_add(struct vd_table *table, struct vd_table_node *node, uint64_t hash)
{
	if (table->count >= table->size) {
		int r = grow(table);

		if (r < 0)
			return r;
	}
	node->hash = hash;
	link_node(table, node);
	table->count++;
	return 0;
}

void vd_table_remove(struct vd_table *table, struct vd_table_node *node)
{
	*node->previous = node->next;
	if (node->next)
		node->next->previous = node->previous;
	table->count--;
}

static struct vd_table_node *skip_to(struct vd_table_node *node, uint64_t hash)
{
	while (node && node->hash != hash)
		node = node->next;
	return node;
}

struct vd_table_node *vd_table_first(const struct vd_table *table, uint64_t hash)
{
	return table->size ? skip_to(table->buckets[bucket_of(table, hash)], hash) : NULL;
}

struct vd_table_node *vd_table_next(const struct vd_table_node *node)
{
	return skip_to(node->next, node->hash);
}

void vd_table_clear(struct vd_table *table, void (*release)(struct vd_table_node *node))
{
	for (size_t i = 0; i < table->size; i++)
		for (struct vd_table_node *node = table->buckets[i], *next; node; node = next) {
			next = node->next;
			release(node);
		}
	free(table->buckets);
	*table = (struct vd_table){};
}

uint64_t vd_hash_bytes(uint64_t hash, const void *bytes, size_t size)
{
	const uint8_t *byte = bytes;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ byte[i]) * 0x100000001b3u;
	return hash;
}

uint64_t vd_hash_text(uint64_t hash, const char *text)
{
	return vd_hash_bytes(hash, text, strlen(text) + 1);
}
