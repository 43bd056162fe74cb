/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/entry.h"

#include "abi/maps.h"
#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

void vd_entries_done(struct vd_entries *entries)
{
	for (size_t i = 0; i < entries->block_count; i++)
		free(entries->blocks[i]);
	free(entries->blocks);
	free(entries->items);
	*entries = (struct vd_entries){};
}

/* A copy of value that lives as long as the list; NULL without memory. */
static const void *block_add(struct vd_entries *entries, const void *value, size_t size)
{
	VD_FREE void *block = malloc(size);
	void **blocks = block ? reallocarray(entries->blocks, entries->block_count + 1, sizeof(*blocks)) : NULL;

	if (!blocks)
		return NULL;
	memcpy(block, value, size);
	entries->blocks = blocks;
	return blocks[entries->block_count++] = VD_TAKE(block);
}

int vd_entries_add(struct vd_entries *entries, enum vd_map map, const void *key, size_t key_size, const void *value,
		   size_t value_size)
{
	const void *block = value_size > VD_ENTRY_VALUE_SIZE ? block_add(entries, value, value_size) : NULL;
	struct vd_entry *entry;

	if (value_size > VD_ENTRY_VALUE_SIZE && !block)
		return -ENOMEM;
	if (entries->count == entries->capacity) {
		size_t capacity = entries->capacity ? entries->capacity * 2 : 16;
		struct vd_entry *items = reallocarray(entries->items, capacity, sizeof(*items));

		if (!items)
			return -ENOMEM;
		entries->items = items;
		entries->capacity = capacity;
	}
	entry = &entries->items[entries->count++];
	memset(entry, 0, sizeof(*entry));
	entry->map = map;
	memcpy(entry->key, key, key_size);
	if (block) {
		entry->block = block;
		entry->block_size = value_size;
	} else {
		memcpy(entry->value, value, value_size);
	}
	return 0;
}

bool vd_entry_value_equal(const struct vd_entry *a, const struct vd_entry *b)
{
	if (a->block && b->block)
		return a->block_size == b->block_size && !memcmp(a->block, b->block, a->block_size);
	return !a->block && !b->block && !memcmp(a->value, b->value, sizeof(a->value));
}

int vd_entry_compare(const struct vd_entry *a, const struct vd_entry *b)
{
	if (a->map != b->map)
		return a->map < b->map ? -1 : 1;
	return memcmp(a->key, b->key, sizeof(a->key));
}

static int compare_items(const void *a, const void *b)
{
	return vd_entry_compare(a, b);
}

void vd_entries_sort(struct vd_entries *entries)
{
	size_t kept = 0;

	if (!entries->count)
		return;
	qsort(entries->items, entries->count, sizeof(*entries->items), compare_items);
	for (size_t i = 1; i < entries->count; i++) {
		if (vd_entry_compare(&entries->items[kept], &entries->items[i]))
			kept++;
		entries->items[kept] = entries->items[i];
	}
	entries->count = kept + 1;
}

struct reading {
	struct vd_entries *entries;
	enum vd_map map;
	size_t key_size, value_size;
};

static int read_visit(const void *key, const void *value, void *userdata)
{
	struct reading *reading = userdata;

	return vd_entries_add(reading->entries, reading->map, key, reading->key_size, value, reading->value_size);
}

int vd_entries_read(struct vd_entries *entries, enum vd_map map, int fd)
{
	struct vd_map_definition definition;
	struct reading reading;
	size_t known;
	int r;

	r = vd_map_definition_read(fd, &definition);
	if (r)
		return r;
	reading = (struct reading){entries, map, definition.key_size, definition.value_size};
	known = map == VD_MAP_POLICY_ROUTES ? sizeof(struct vd_policy_routes_value) : VD_ENTRY_VALUE_SIZE;
	if (reading.value_size > known) /* a value that a later build made longer: we know its beginning */
		reading.value_size = known;
	if (reading.key_size > VD_ENTRY_KEY_SIZE)
		return -EINVAL;
	return vd_map_each(fd, read_visit, &reading);
}
