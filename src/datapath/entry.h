/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_DATAPATH_ENTRY_H
#define VD_DATAPATH_ENTRY_H

#include "datapath/map.h"

/* One entry of a map that a plan fills, as bytes; what a key or value does not need is zero. */
#define VD_ENTRY_KEY_SIZE 36
#define VD_ENTRY_VALUE_SIZE 72

struct vd_entry {
	enum vd_map map;
	uint8_t key[VD_ENTRY_KEY_SIZE];
	uint8_t value[VD_ENTRY_VALUE_SIZE];
	/* A value with no room there (the policy routes of a table) stands in one piece of its own, which its list owns. */
	const void *block;
	size_t block_size;
};

struct vd_entries {
	struct vd_entry *items;
	size_t count, capacity;
	void **blocks;
	size_t block_count;
};

void vd_entries_done(struct vd_entries *entries);
#define VD_ENTRIES VD_CLEANUP(vd_entries_done)

/* Adds a copy of key and value. 0 or -ENOMEM. */
int vd_entries_add(struct vd_entries *entries, enum vd_map map, const void *key, size_t key_size, const void *value,
		   size_t value_size);
bool vd_entry_value_equal(const struct vd_entry *a, const struct vd_entry *b);
/* By map, then key. */
int vd_entry_compare(const struct vd_entry *a, const struct vd_entry *b);
/* Sorts, and keeps one of those with the same key (hosts that share a VTEP). */
void vd_entries_sort(struct vd_entries *entries);
/* Adds everything that the map behind fd holds. */
int vd_entries_read(struct vd_entries *entries, enum vd_map map, int fd);

#endif
