/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/map.h"

#include "base/cleanup.h"
#include "datapath/memory.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#define BATCH_ENTRIES 1024

static const struct {
	const char *name;
	enum vd_map_role role;
} descriptions[VD_MAP_COUNT] = {
#define X(enumerator, map_name, map_role) [VD_MAP_##enumerator] = {map_name, VD_MAP_ROLE_##map_role},
	VD_MAPS(X)
#undef X
};

const char *vd_map_name(enum vd_map map)
{
	return descriptions[map].name;
}

enum vd_map_role vd_map_role(enum vd_map map)
{
	return descriptions[map].role;
}

int vd_map_definition_read(int fd, struct vd_map_definition *ret)
{
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		return -errno;
	*ret = (struct vd_map_definition){info.type, info.key_size, info.value_size, info.max_entries, info.map_flags, info.id};
	return 0;
}

bool vd_map_definition_equal(const struct vd_map_definition *a, const struct vd_map_definition *b)
{
	return a->type == b->type && a->key_size == b->key_size && a->value_size == b->value_size &&
	       a->max_entries == b->max_entries && a->flags == b->flags;
}

static bool is_per_cpu(uint32_t type)
{
	return type == BPF_MAP_TYPE_PERCPU_ARRAY || type == BPF_MAP_TYPE_PERCPU_HASH || type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
}

static bool is_array(uint32_t type)
{
	return type == BPF_MAP_TYPE_ARRAY || type == BPF_MAP_TYPE_PERCPU_ARRAY;
}

size_t vd_map_value_bytes(const struct vd_map_definition *definition)
{
	int cpus = libbpf_num_possible_cpus();

	if (!is_per_cpu(definition->type))
		return definition->value_size;
	return (size_t)(cpus > 0 ? cpus : 1) * ((definition->value_size + 7u) & ~7u);
}

/* The kernel's cursor is a bucket number for hashes and a key for tries: room for the larger. */
int vd_map_each(int fd, vd_map_visit *visit, void *userdata)
{
	VD_FREE uint8_t *keys = NULL, *values = NULL, *cursor = NULL;
	struct vd_map_definition definition;
	uint32_t capacity = BATCH_ENTRIES;
	bool started = false, more = true;
	int r;

	r = vd_map_definition_read(fd, &definition);
	if (r)
		return r;
	keys = malloc((size_t)capacity * definition.key_size);
	values = malloc((size_t)capacity * definition.value_size);
	cursor = calloc(1, definition.key_size + sizeof(uint64_t));
	if (!keys || !values || !cursor)
		return -ENOMEM;
	while (more) {
		uint32_t count = capacity;

		r = bpf_map_lookup_batch(fd, started ? cursor : NULL, cursor, keys, values, &count, NULL) ? -errno : 0;
		if (r == -ENOSPC) { /* one bucket holds more than all of our room */
			capacity *= 2;
			free(keys);
			free(values);
			keys = malloc((size_t)capacity * definition.key_size);
			values = malloc((size_t)capacity * definition.value_size);
			if (!keys || !values)
				return -ENOMEM;
			continue;
		}
		if (r && r != -ENOENT)
			return r;
		more = !r;
		started = true;
		for (uint32_t i = 0; i < count; i++) {
			r = visit(keys + (size_t)i * definition.key_size, values + (size_t)i * definition.value_size, userdata);
			if (r)
				return r;
		}
	}
	return 0;
}

int vd_map_count_visit(const void *key, const void *value, void *userdata)
{
	(*(size_t *)userdata)++;
	return 0;
}

int vd_map_entry_count(int fd, size_t *ret)
{
	size_t count = 0;
	int r = vd_map_each(fd, vd_map_count_visit, &count);

	if (!r)
		*ret = count;
	return r;
}

int vd_map_update(int fd, const void *key, const void *value, uint64_t flags)
{
	struct vd_memory_wait wait = {};
	int r;

	do
		r = bpf_map_update_elem(fd, key, value, flags) ? -errno : 0;
	while (r == -ENOMEM && vd_memory_wait(&wait));
	return r;
}

struct copy {
	int to;
	size_t size_from, size_to;
	uint8_t *value; /* of the target's size, zeroed */
};

static int copy_visit(const void *key, const void *value, void *userdata)
{
	struct copy *copy = userdata;

	memcpy(copy->value, value, copy->size_from < copy->size_to ? copy->size_from : copy->size_to);
	return vd_map_update(copy->to, key, copy->value, BPF_ANY);
}

/* Arrays have every key; those per CPU exchange one value, rounded up to eight bytes, for each possible CPU. */
static int array_copy(int from, int to, const struct vd_map_definition *source, const struct vd_map_definition *target)
{
	size_t bytes_from = vd_map_value_bytes(source), bytes_to = vd_map_value_bytes(target);
	size_t lanes = is_per_cpu(source->type) ? bytes_from / ((source->value_size + 7u) & ~7u) : 1;
	size_t step_from = bytes_from / lanes, step_to = bytes_to / lanes;
	VD_FREE uint8_t *value_from = calloc(1, bytes_from), *value_to = calloc(1, bytes_to);

	if (!value_from || !value_to)
		return -ENOMEM;
	for (uint32_t key = 0; key < source->max_entries && key < target->max_entries; key++) {
		if (bpf_map_lookup_elem(from, &key, value_from))
			return -errno;
		for (size_t lane = 0; lane < lanes; lane++)
			memcpy(value_to + lane * step_to, value_from + lane * step_from, step_from < step_to ? step_from : step_to);
		if (bpf_map_update_elem(to, &key, value_to, BPF_ANY))
			return -errno;
	}
	return 0;
}

int vd_map_copy(int from, int to)
{
	struct vd_map_definition source, target;
	VD_FREE uint8_t *value = NULL;
	struct copy copy;
	int r;

	r = vd_map_definition_read(from, &source);
	if (!r)
		r = vd_map_definition_read(to, &target);
	if (r)
		return r;
	if (source.key_size != target.key_size || is_per_cpu(source.type) != is_per_cpu(target.type) ||
	    is_array(source.type) != is_array(target.type))
		return -EINVAL;
	if (is_array(source.type))
		return array_copy(from, to, &source, &target);
	value = calloc(1, target.value_size);
	if (!value)
		return -ENOMEM;
	copy = (struct copy){to, source.value_size, target.value_size, value};
	return vd_map_each(from, copy_visit, &copy);
}
