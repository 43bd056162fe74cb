/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/program.h"

#include "abi/maps.h"
#include "base/cleanup.h"
#include "datapath/map.h"
#include "datapath/memory.h"
#ifdef VD_ABI_NEXT
#include "viaduct_next.skel.h"
#else
#include "viaduct.skel.h"
#endif

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/random.h>

#define LOADS_MAX 20

static const char *const names[VD_FUNCTION_COUNT] = {
#define X(enumerator, name) [VD_FUNCTION_##enumerator] = name,
	VD_FUNCTIONS(X)
#undef X
};

const char *vd_function_name(enum vd_function function)
{
	return names[function];
}

struct vd_object vd_object_embedded(void)
{
	struct vd_object object;

	object.bytes = viaduct_bpf__elf_bytes(&object.size);
	return object;
}

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		hash = (hash ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3ull; /* FNV-1a */
	return hash;
}

void vd_program_build(const struct vd_object *object, const struct vd_program_settings *settings, char ret[VD_BUILD_TEXT])
{
	uint64_t hash = hash_bytes(0xcbf29ce484222325ull, object->bytes, object->size);

	hash = hash_bytes(hash, settings, sizeof(*settings));
	snprintf(ret, VD_BUILD_TEXT, "%016llx", (unsigned long long)hash);
}

/* ---- libbpf's own words: the end of what it last said, for the sentence ---- */

static char said[320];

static int libbpf_print(enum libbpf_print_level level, const char *format, va_list arguments)
{
	char text[4096];
	size_t length, kept;

	if (level != LIBBPF_WARN)
		return 0;
	vsnprintf(text, sizeof(text), format, arguments);
	for (char *c = text; *c; c++)
		if (*c == '\n')
			*c = ' ';
	length = strlen(text);
	kept = strlen(said);
	if (length >= sizeof(said)) {
		memcpy(said, text + length - sizeof(said) + 1, sizeof(said));
	} else {
		if (kept + length >= sizeof(said)) {
			memmove(said, said + kept + length - sizeof(said) + 1, sizeof(said) - length);
			kept = sizeof(said) - 1 - length;
		}
		memcpy(said + kept, text, length + 1);
	}
	return 0;
}

static void libbpf_listen(void)
{
	said[0] = 0;
	libbpf_set_print(libbpf_print);
}

/* ---- loading ---- */

static struct bpf_map *find_constants(struct bpf_object *object)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object)
	{
		const char *name = bpf_map__name(map);
		size_t length = strlen(name);

		if (length >= 7 && !strcmp(name + length - 7, ".rodata"))
			return map;
	}
	return NULL;
}

/* Sets a `const volatile` global of the object by its name, so that any build's object can be loaded, not only our skeleton's. */
static int constant_set(struct bpf_object *object, const char *name, const void *value, size_t size)
{
	const struct btf *btf = bpf_object__btf(object);
	struct bpf_map *map = find_constants(object);
	int section = btf ? btf__find_by_name_kind(btf, ".rodata", BTF_KIND_DATASEC) : -ENOENT;
	const struct btf_var_secinfo *variable;
	const struct btf_type *type;
	VD_FREE char *memory = NULL;
	const void *initial = NULL;
	size_t room = 0;

	if (section >= 0 && map)
		initial = bpf_map__initial_value(map, &room);
	if (!initial)
		return -ENOENT;
	memory = malloc(room);
	if (!memory)
		return -ENOMEM;
	memcpy(memory, initial, room);
	type = btf__type_by_id(btf, (__u32)section);
	variable = btf_var_secinfos(type);
	for (unsigned i = 0; i < btf_vlen(type); i++, variable++) {
		if (strcmp(btf__name_by_offset(btf, btf__type_by_id(btf, variable->type)->name_off), name))
			continue;
		if (variable->size != size || variable->offset + size > room)
			return -EINVAL;
		memcpy(memory + variable->offset, value, size);
		return bpf_map__set_initial_value(map, memory, room);
	}
	return -ENOENT;
}

static int constants_set(struct bpf_object *object, const struct vd_program_settings *settings, bool tracing)
{
	const struct vd_flow_size size4 = vd_flow_size_of(settings->flow_entries), size6 = vd_flow_size_of(settings->flow6_entries);

	return constant_set(object, "vd_overlay_ifindex", &settings->overlay_ifindex, sizeof(settings->overlay_ifindex))
		       ?: constant_set(object, "vd_flow4_size", &size4, sizeof(size4))
		       ?: constant_set(object, "vd_flow6_size", &size6, sizeof(size6))
		       ?: constant_set(object, "vd_tracing", &tracing, sizeof(tracing));
}

static int sizes_set(struct bpf_object *object, const struct vd_program_settings *settings)
{
	const struct {
		enum vd_map map;
		uint32_t entries;
	} sizes[] = {
		{VD_MAP_FLOW4, settings->flow_entries},
		{VD_MAP_FLOW6, settings->flow6_entries},
		{VD_MAP_FLOW4_INDEX, vd_flow_size_of(settings->flow_entries).buckets},
		{VD_MAP_FLOW6_INDEX, vd_flow_size_of(settings->flow6_entries).buckets},
		{VD_MAP_CONNECTION4, settings->connection_entries},
		{VD_MAP_CONNECTION6, settings->connection_entries},
		{VD_MAP_EXPIRE4, settings->connection_entries},
		{VD_MAP_EXPIRE6, settings->connection_entries},
		{VD_MAP_NAT4, settings->connection_entries},
		{VD_MAP_NAT6, settings->connection_entries},
	};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(object, vd_map_name(sizes[i].map));
		int r = map ? bpf_map__set_max_entries(map, sizes[i].entries) : -ENOENT;

		if (r)
			return r;
	}
	return 0;
}

static int pinned_open(const char *directory, const char *name)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

/* The pinned map that can stand in for ours, -ENOENT: none is there, or it was made by another definition. */
static int map_find(const struct bpf_map *map, const char *directory)
{
	struct vd_map_definition ours = {
		.type = bpf_map__type(map),
		.key_size = bpf_map__key_size(map),
		.value_size = bpf_map__value_size(map),
		.max_entries = bpf_map__max_entries(map),
		.flags = bpf_map__map_flags(map),
	};
	struct vd_map_definition theirs;
	VD_CLOSE int fd = pinned_open(directory, bpf_map__name(map));
	int r;

	if (fd < 0)
		return fd;
	r = vd_map_definition_read(fd, &theirs);
	if (r)
		return r;
	return vd_map_definition_equal(&ours, &theirs) ? VD_TAKE_FD(fd) : -ENOENT;
}

/*
 * What is shared together or not at all, each row ended by VD_MAP_COUNT. Connections, their expiry queue and their claims: two timers must
 * not empty one queue for two tables, nor one of them take back the claim of a connection that goes on in the other's. The flow cache:
 * one index must not speak of two builds' slots, nor be asked by two seeds.
 */
static const enum vd_map companions[][6] = {
	{VD_MAP_CONNECTION4, VD_MAP_EXPIRE4, VD_MAP_NAT4, VD_MAP_COUNT},
	{VD_MAP_CONNECTION6, VD_MAP_EXPIRE6, VD_MAP_NAT6, VD_MAP_COUNT},
	{VD_MAP_FLOW4, VD_MAP_FLOW4_INDEX, VD_MAP_FLOW6, VD_MAP_FLOW6_INDEX, VD_MAP_FLOW_HEAD, VD_MAP_COUNT},
};

static bool is_among(const enum vd_map *maps, enum vd_map id)
{
	while (*maps != VD_MAP_COUNT && *maps != id)
		maps++;
	return *maps == id;
}

static int object_map_find(struct bpf_object *object, enum vd_map id, const char *directory)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, vd_map_name(id));

	return map ? map_find(map, directory) : -EINVAL;
}

/* 0 when all of them can be shared. */
static int companions_find(struct bpf_object *object, const enum vd_map *maps, const char *directory)
{
	for (; *maps != VD_MAP_COUNT; maps++) {
		VD_CLOSE int fd = object_map_find(object, *maps, directory);

		if (fd < 0)
			return fd;
	}
	return 0;
}

/* The pinned map that ours shall be, -ENOENT: we make our own. */
static int map_share_find(struct bpf_object *object, enum vd_map id, const char *directory)
{
	for (size_t i = 0; i < sizeof(companions) / sizeof(companions[0]); i++) {
		int r = is_among(companions[i], id) ? companions_find(object, companions[i], directory) : 0;

		if (r)
			return r;
	}
	return object_map_find(object, id, directory);
}

static int map_share(struct bpf_object *object, enum vd_map id, const char *directory)
{
	VD_CLOSE int fd = map_share_find(object, id, directory);

	return fd < 0 ? fd : bpf_map__reuse_fd(bpf_object__find_map_by_name(object, vd_map_name(id)), fd);
}

static int maps_share(struct bpf_object *object, const char *directory, bool all)
{
	for (unsigned i = 0; i < VD_MAP_COUNT; i++) {
		int r;

		if (vd_map_role(i) == VD_MAP_ROLE_PRIVATE && !all)
			continue;
		r = map_share(object, i, directory);
		if (r && (r != -ENOENT || all))
			return r;
	}
	return 0;
}

/* What the inner maps are modelled on, until the object is loaded. */
struct previous {
	int fds[4];
};

static void previous_done(struct previous *previous)
{
	for (unsigned i = 0; i < 4; i++)
		vd_cleanup_close(&previous->fds[i]);
}

/* Models an inner map on what the old build has. 1, and the size of a value; 0: it has none, or ours is the same. */
static int previous_model(struct bpf_object *object, const char *directory, enum vd_map ours, enum vd_map array, int *ret_fd,
			  uint32_t *ret_value_size)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, vd_map_name(ours));
	VD_CLOSE int shared = map ? map_share_find(object, ours, directory) : -EINVAL;
	VD_CLOSE int fd = pinned_open(directory, vd_map_name(ours));
	struct vd_map_definition definition;
	int r;

	if (!map || shared >= 0 || fd < 0)
		return map ? 0 : -EINVAL;
	r = vd_map_definition_read(fd, &definition);
	if (!r && definition.key_size != bpf_map__key_size(map))
		r = -EINVAL;
	map = bpf_object__find_map_by_name(object, vd_map_name(array));
	if (!r)
		r = map ? bpf_map__set_inner_map_fd(map, fd) : -EINVAL;
	if (r)
		return r;
	*ret_fd = VD_TAKE_FD(fd);
	*ret_value_size = definition.value_size;
	return 1;
}

/*
 * Connections of another layout, and their claims, stay within reach while we take over: both families' tables, or none. What they
 * hold beyond what we know of a connection is not read. A build may have connections and know of no claims.
 */
static int previous_use(struct bpf_object *object, const char *directory, struct previous *previous)
{
	static const enum vd_map maps[][2] = {{VD_MAP_CONNECTION4, VD_MAP_PREVIOUS4},
					      {VD_MAP_CONNECTION6, VD_MAP_PREVIOUS6},
					      {VD_MAP_NAT4, VD_MAP_PREVIOUS_NAT4},
					      {VD_MAP_NAT6, VD_MAP_PREVIOUS_NAT6}};
	uint32_t sizes[] = {sizeof(struct vd_connection), sizeof(struct vd_nat_value)}, size = 0;
	const bool has_previous = true;
	int r = 1;

	for (unsigned i = 0; i < 4 && r == 1; i++) {
		r = previous_model(object, directory, maps[i][0], maps[i][1], &previous->fds[i], &size);
		if (r == 1)
			sizes[i / 2] = size < sizes[i / 2] ? size : sizes[i / 2];
		else if (i < 2)
			return r;
		else
			sizes[1] = 0;
	}
	if (r < 0)
		return r;
	return constant_set(object, "vd_previous_size", &sizes[0], sizeof(sizes[0]))
		       ?: constant_set(object, "vd_previous_nat_size", &sizes[1], sizeof(sizes[1]))
		       ?: constant_set(object, "vd_has_previous", &has_previous, sizeof(has_previous));
}

static int tail_calls_set(struct bpf_object *object, bool tracing)
{
	static const enum vd_function functions[VD_PROGRAM_COUNT] = {
		[VD_PROGRAM_DECIDE] = VD_FUNCTION_DECIDE,
		[VD_PROGRAM_NEIGHBOUR] = VD_FUNCTION_NEIGHBOUR,
		[VD_PROGRAM_UPLINK] = VD_FUNCTION_UPLINK_DECIDE,
	};
	int array = bpf_object__find_map_fd_by_name(object, vd_map_name(VD_MAP_PROGRAMS));

	for (uint32_t i = 0; i < VD_PROGRAM_COUNT; i++) {
		struct bpf_program *program = bpf_object__find_program_by_name(object, names[functions[i]]);
		int fd = program ? bpf_program__fd(program) : -ENOENT;
		uint32_t index = i + (tracing ? VD_PROGRAM_COUNT : 0);

		if (fd < 0)
			return fd;
		if (bpf_map_update_elem(array, &index, &fd, BPF_ANY))
			return -errno;
	}
	return 0;
}

/* The flow cache's seed is drawn once, and stays as long as the cache does: also for the next build. */
static int seed_draw(struct bpf_object *object)
{
	int map = bpf_object__find_map_fd_by_name(object, vd_map_name(VD_MAP_FLOW_HEAD));
	struct vd_flow_head head;
	uint32_t zero = 0;

	if (map < 0 || bpf_map_lookup_elem(map, &zero, &head))
		return -errno;
	if (memcmp(head.seed, (uint64_t[VD_FLOW_KEY_WORDS + 1]){}, sizeof(head.seed)))
		return 0;
	if (getrandom(head.seed, sizeof(head.seed), 0) != sizeof(head.seed) || bpf_map_update_elem(map, &zero, &head, BPF_ANY))
		return -errno;
	return 0;
}

static void object_close(struct bpf_object **object)
{
	if (*object)
		bpf_object__close(*object);
}

static int object_load(const struct vd_object *object, const struct vd_program_settings *settings, const char *directory,
		       bool tracing, struct bpf_object **ret, struct vd_error *error)
{
	VD_CLEANUP(object_close) struct bpf_object *loaded = NULL;
	VD_CLEANUP(previous_done) struct previous previous = {{-1, -1, -1, -1}};
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "viaduct");
	int r;

	libbpf_listen();
	loaded = bpf_object__open_mem(object->bytes, object->size, &options);
	if (!loaded) {
		r = -errno;
		return vd_error_set(error, r, "cannot read the data plane's programs: %s; the binary is damaged, install it again",
				    said);
	}
	r = constants_set(loaded, settings, tracing);
	if (!r)
		r = sizes_set(loaded, settings);
	if (!r && directory)
		r = maps_share(loaded, directory, tracing);
	if (!r && directory && !tracing)
		r = previous_use(loaded, directory, &previous);
	if (r)
		return vd_error_set(error, r,
				    "cannot prepare the data plane's programs (%s): the binary's programs do not fit it, or pins "
				    "in %s are gone",
				    strerror(-r), directory ? directory : "-");
	r = bpf_object__load(loaded);
	if (r)
		return vd_error_set(error, r, "cannot load the data plane's programs (%s); are we root, on Linux 6.1 or later? %s",
				    strerror(-r), said);
	r = seed_draw(loaded);
	if (r)
		return vd_error_set(error, r, "cannot draw the flow cache's seed: %s", strerror(-r));
	r = tail_calls_set(loaded, tracing);
	if (r)
		return vd_error_set(error, r, "cannot fill the data plane's program array: %s", strerror(-r));
	*ret = VD_TAKE(loaded);
	return 0;
}

int vd_program_load(const struct vd_object *object, const struct vd_program_settings *settings, const char *directory, bool tracing,
		    struct bpf_object **ret, struct vd_error *error)
{
	int r = -EAGAIN;

	/*
	 * A signal ends the kernel's verification with -EAGAIN, also one that only stops us, or a control group that is frozen. libbpf
	 * asks five times; then its object cannot be loaded any more.
	 */
	for (unsigned i = 0; i < LOADS_MAX && r == -EAGAIN; i++)
		r = object_load(object, settings, directory, tracing, ret, error);
	return r;
}

static int pin(int fd, const char *directory, const char *name, struct vd_error *error)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	if (bpf_obj_pin(fd, path)) {
		int r = -errno;

		return vd_error_set(error, r, "cannot pin %s: %s; is its directory on a bpffs?", path, strerror(-r));
	}
	return 0;
}

int vd_program_pin(struct bpf_object *object, const char *directory, struct vd_error *error)
{
	int r = 0;

	for (unsigned i = 0; i < VD_MAP_COUNT && !r; i++)
		r = pin(bpf_object__find_map_fd_by_name(object, vd_map_name(i)), directory, vd_map_name(i), error);
	for (unsigned i = 0; i < VD_FUNCTION_COUNT && !r; i++) {
		struct bpf_program *program = bpf_object__find_program_by_name(object, names[i]);

		r = pin(program ? bpf_program__fd(program) : -1, directory, names[i], error);
	}
	return r;
}

int vd_program_expiry_start(int program_fd)
{
	char packet[64] = {};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet, .data_size_in = sizeof(packet));
	struct vd_memory_wait wait = {};
	int r;

	do
		r = bpf_prog_test_run_opts(program_fd, &run) ? -errno : -(int)run.retval;
	while (r == -ENOMEM && vd_memory_wait(&wait));
	return r;
}

/* ---- attaching ---- */

#define FILTER_HANDLE 1
#define FILTER_PRIORITY 0x5644 /* "VD": far behind what an administrator would choose, and known as ours */

int vd_program_attach(uint32_t ifindex, int program_fd)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY, .prog_fd = program_fd,
		    .flags = BPF_TC_F_REPLACE);
	int r;

	libbpf_listen();
	r = bpf_tc_hook_create(&hook);
	if (r && r != -EEXIST)
		return r;
	return bpf_tc_attach(&hook, &options);
}

int vd_program_attached(uint32_t ifindex, uint32_t *ret_id)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);

	libbpf_listen();
	/* Without clsact the kernel says EINVAL, without the filter ENOENT, without the interface ENODEV. */
	if (bpf_tc_query(&hook, &options))
		return -ENOENT;
	*ret_id = options.prog_id;
	return 0;
}

int vd_program_detach(uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);
	uint32_t id;
	int r;

	libbpf_listen();
	r = bpf_tc_detach(&hook, &options);
	return r && vd_program_attached(ifindex, &id) == -ENOENT ? 0 : r;
}

int vd_program_id(int program_fd, uint32_t *ret)
{
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(program_fd, &info, &size))
		return -errno;
	*ret = info.id;
	return 0;
}
