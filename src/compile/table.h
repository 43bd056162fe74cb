/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_COMPILE_TABLE_H
#define VD_COMPILE_TABLE_H

#include <stddef.h>
#include <stdint.h>

/* A chained hash table of nodes that live inside what they index. Several nodes may have one hash: the caller compares. */
struct vd_table_node {
	struct vd_table_node *next, **previous; /* in the bucket */
	uint64_t hash;
};

struct vd_table {
	struct vd_table_node **buckets; /* a power of two, or none */
	size_t size, count;
};

#define VD_CONTAINER(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

/* Adds node under hash; -ENOMEM. */
int vd_table_add(struct vd_table *table, struct vd_table_node *node, uint64_t hash);
void vd_table_remove(struct vd_table *table, struct vd_table_node *node);
/* The first node with this hash, and the one after; NULL at the end. */
struct vd_table_node *vd_table_first(const struct vd_table *table, uint64_t hash);
struct vd_table_node *vd_table_next(const struct vd_table_node *node);
/* Calls release on every node and forgets them all. */
void vd_table_clear(struct vd_table *table, void (*release)(struct vd_table_node *node));

/* FNV-1a, 64 bits, over strings with their ends, so that ("ab", "c") is not ("a", "bc"). */
#define VD_HASH_START 0xcbf29ce484222325u
uint64_t vd_hash_bytes(uint64_t hash, const void *bytes, size_t size);
uint64_t vd_hash_text(uint64_t hash, const char *text);

#endif
