/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/datapath.h"

#include "base/cleanup.h"
#include "datapath/cache.h"
#include "datapath/change.h"
#include "datapath/state.h"
#include "datapath/upgrade.h"
#include "datapath/uplink.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

/* Of a machine with 1 GB: the flow caches take 86 MB, the connections and translations of IPv4 another 80. */
#define ENTRIES_DEFAULT 262144
#define FLOW6_ENTRIES_DEFAULT 65536

/* Who says how many connections he has gets both directions of each into the cache; otherwise it is what a small machine can bear. */
static struct vd_program_settings settings_of(const struct vd_datapath_options *options)
{
	uint32_t connections = options->connection_entries, flows = 2 * connections;

	if (options->flow_entries)
		flows = options->flow_entries;
	return (struct vd_program_settings){
		.overlay_ifindex = options->overlay_ifindex,
		.flow_entries = flows ? flows : ENTRIES_DEFAULT,
		.flow6_entries = flows ? flows : FLOW6_ENTRIES_DEFAULT,
		.connection_entries = connections ? connections : ENTRIES_DEFAULT,
	};
}

void vd_datapath_close(struct vd_datapath *datapath)
{
	if (datapath->tracer)
		vd_tracer_free(datapath->tracer);
	ring_buffer__free(datapath->drop_events);
	ring_buffer__free(datapath->capture_events);
	ring_buffer__free(datapath->neighbour_events);
	if (datapath->generation)
		vd_generation_close(datapath->generation);
	vd_barrier_close(&datapath->barrier);
	if (datapath->names)
		vd_names_free(datapath->names);
	if (datapath->groups)
		vd_groups_free(datapath->groups);
	for (unsigned i = 0; i < VD_MAP_COUNT; i++)
		vd_cleanup_close(&datapath->maps[i]);
	for (unsigned i = 0; i < VD_FUNCTION_COUNT; i++)
		vd_cleanup_close(&datapath->programs[i]);
	free(datapath->captured);
	free(datapath->pin_directory);
	free(datapath->path);
	free(datapath);
}

VD_DEFINE_CLEANUP(struct vd_datapath, vd_datapath_close)

static struct vd_datapath *datapath_new(const struct vd_datapath_options *options)
{
	VD_CLEANUP(vd_datapath_close_cleanup) struct vd_datapath *datapath = calloc(1, sizeof(*datapath));

	if (!datapath)
		return NULL;
	for (unsigned i = 0; i < VD_MAP_COUNT; i++)
		datapath->maps[i] = -1;
	for (unsigned i = 0; i < VD_FUNCTION_COUNT; i++)
		datapath->programs[i] = -1;
	datapath->barrier = (struct vd_barrier){-1, -1};
	datapath->settings = settings_of(options);
	datapath->connection_share =
		options->connection_share ? options->connection_share : datapath->settings.connection_entries / 2;
	datapath->pin_directory = strdup(options->pin_directory);
	datapath->names = vd_names_new();
	datapath->groups = vd_groups_new();
	if (!datapath->pin_directory || !datapath->names || !datapath->groups)
		return NULL;
	return VD_TAKE(datapath);
}

static int pinned_open(const struct vd_datapath *datapath, const char *name)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", datapath->path, name);
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

/* Opens what the current version has pinned. */
static int adopt(struct vd_datapath *datapath)
{
	int r = 0;

	for (unsigned i = 0; i < VD_MAP_COUNT && !r; i++) {
		datapath->maps[i] = pinned_open(datapath, vd_map_name(i));
		r = datapath->maps[i] < 0 ? datapath->maps[i]
					  : vd_map_definition_read(datapath->maps[i], &datapath->definitions[i]);
	}
	for (unsigned i = 0; i < VD_FUNCTION_COUNT && !r; i++) {
		datapath->programs[i] = pinned_open(datapath, vd_function_name(i));
		r = datapath->programs[i] < 0 ? datapath->programs[i]
					      : vd_program_id(datapath->programs[i], &datapath->program_ids[i]);
	}
	return r ? r : vd_generation_open(datapath->maps[VD_MAP_GENERATION], &datapath->generation);
}

int vd_datapath_open(const struct vd_datapath_options *options, struct vd_datapath **ret, struct vd_error *error)
{
	VD_CLEANUP(vd_datapath_close_cleanup) struct vd_datapath *datapath = datapath_new(options);
	VD_VERSIONS struct vd_versions versions = {};
	struct vd_upgrade upgrade;
	int r;

	if (!datapath)
		return vd_error_set(error, -ENOMEM, "out of memory");
	upgrade = (struct vd_upgrade){datapath->pin_directory, vd_object_embedded(), datapath->settings};
	r = vd_upgrade_run(&upgrade, VD_UPGRADE_STEP_COUNT, error);
	if (!r)
		r = vd_versions_list(datapath->pin_directory, &versions, error);
	if (r)
		return r;
	datapath->path = VD_TAKE(versions.items[versions.count - 1].path);
	memcpy(datapath->build, versions.items[versions.count - 1].build, sizeof(datapath->build));
	r = adopt(datapath);
	if (r)
		return vd_error_set(error, r, "cannot open the data plane's pins in %s: %s", datapath->path, strerror(-r));
	r = vd_barrier_open(&datapath->barrier);
	if (r)
		return vd_error_set(error, r, "cannot make the map by which changes wait for packets under way: %s", strerror(-r));
	r = vd_change_recover(datapath, error);
	if (r)
		return r;
	r = vd_program_expiry_start(datapath->programs[VD_FUNCTION_EXPIRE]);
	if (r)
		return vd_error_set(error, r, "cannot start the connections' expiry: %s", strerror(-r));
	*ret = VD_TAKE(datapath);
	return 0;
}

static int detach_visit(const void *key, const void *value, void *userdata)
{
	uint32_t ifindex;

	memcpy(&ifindex, key, sizeof(ifindex));
	return vd_program_detach(ifindex);
}

static int uplink_detach_visit(uint32_t ifindex, void *userdata)
{
	int r = vd_program_detach(ifindex);

	return r ? vd_error_set(userdata, r, "cannot take the data plane off the uplink (interface %u): %s", ifindex, strerror(-r))
		 : 0;
}

int vd_datapath_purge(const struct vd_datapath_options *options, struct vd_error *error)
{
	VD_VERSIONS struct vd_versions versions = {};
	VD_FREE char *making = vd_version_making(options->pin_directory);
	int r;

	if (!making)
		return vd_error_set(error, -ENOMEM, "out of memory");
	r = vd_versions_list(options->pin_directory, &versions, error);
	for (size_t i = 0; i < versions.count && !r; i++) {
		struct vd_datapath version = {.path = versions.items[i].path};
		VD_CLOSE int ports = pinned_open(&version, vd_map_name(VD_MAP_PORT));

		if (ports >= 0)
			r = vd_map_each(ports, detach_visit, NULL);
		if (r)
			vd_error_set(error, r, "cannot take the data plane off its interfaces: %s", strerror(-r));
	}
	if (!r)
		r = vd_uplinks_each(versions.items, versions.count, uplink_detach_visit, error);
	if (!r && options->overlay_ifindex)
		r = vd_program_detach(options->overlay_ifindex);
	for (size_t i = 0; i < versions.count && !r; i++)
		r = vd_version_remove(versions.items[i].path, error);
	if (!r)
		r = vd_version_remove(making, error);
	vd_change_forget(options->pin_directory);
	if (!r)
		rmdir(options->pin_directory); /* stays when someone else put something there */
	return r;
}

/* ---- entries ---- */

/* Room for a value of a later build, which is longer than we know. */
#define VALUE_ROOM 512

int vd_datapath_update(struct vd_datapath *datapath, const struct vd_entry *entry, uint64_t flags)
{
	size_t size = datapath->definitions[entry->map].value_size;
	uint8_t room[VALUE_ROOM] = {};
	VD_FREE uint8_t *block = NULL;

	if (entry->block) {
		block = calloc(1, size > entry->block_size ? size : entry->block_size);
		if (!block)
			return -ENOMEM;
		memcpy(block, entry->block, entry->block_size);
	} else if (size > sizeof(room)) {
		return -EINVAL;
	}
	memcpy(room, entry->value, sizeof(entry->value));
	datapath->writes++;
	return vd_map_update(datapath->maps[entry->map], entry->key, block ? block : room, flags);
}

int vd_datapath_delete(struct vd_datapath *datapath, const struct vd_entry *entry)
{
	datapath->writes++;
	return bpf_map_delete_elem(datapath->maps[entry->map], entry->key) && errno != ENOENT ? -errno : 0;
}

int vd_datapath_lookup(const struct vd_datapath *datapath, struct vd_entry *entry)
{
	uint8_t value[VALUE_ROOM] = {};

	if (datapath->definitions[entry->map].value_size > sizeof(value))
		return -EINVAL;
	if (bpf_map_lookup_elem(datapath->maps[entry->map], entry->key, value))
		return -errno;
	memcpy(entry->value, value, sizeof(entry->value));
	return 0;
}

void vd_datapath_naming_set(struct vd_datapath *datapath, const struct vd_datapath_naming *naming)
{
	datapath->naming = *naming;
}

uint64_t vd_datapath_writes(const struct vd_datapath *datapath)
{
	return datapath->writes;
}

int vd_datapath_deadline_set(struct vd_datapath *datapath, uint64_t ns)
{
	uint32_t zero = 0;

	return bpf_map_update_elem(datapath->maps[VD_MAP_DEADLINE], &zero, &ns, BPF_ANY) ? -errno : 0;
}

/* ---- status ---- */

/* False: nothing that has entries to count. */
static bool entries_count(const struct vd_datapath *datapath, enum vd_map map, size_t *ret)
{
	uint32_t type = datapath->definitions[map].type;

	if (map == VD_MAP_FLOW4 || map == VD_MAP_FLOW6)
		return !vd_cache_count(datapath->maps[map], ret);
	return (type == BPF_MAP_TYPE_HASH || type == BPF_MAP_TYPE_LRU_HASH || type == BPF_MAP_TYPE_LPM_TRIE) &&
	       !vd_map_entry_count(datapath->maps[map], ret);
}

json_t *vd_datapath_status(struct vd_datapath *datapath)
{
	json_t *maps = json_object();

	for (unsigned i = 0; i < VD_MAP_COUNT; i++) {
		size_t count;

		if (!entries_count(datapath, i, &count))
			continue;
		json_object_set_new(maps, vd_map_name(i),
				    json_pack("{s:I, s:I}", "entries", (json_int_t)count, "limit",
					      (json_int_t)datapath->definitions[i].max_entries));
	}
	return json_pack("{s:s, s:s, s:I, s:o}", "build", datapath->build, "pins", datapath->path, "writes",
			 (json_int_t)datapath->writes, "maps", maps);
}
