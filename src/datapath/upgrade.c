/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/upgrade.h"

#include "abi/maps.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "datapath/map.h"
#include "datapath/uplink.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/stat.h>

struct run {
	const struct vd_upgrade *upgrade;
	char build[VD_BUILD_TEXT];
	char *making;
	/* As they stood when the step began; before PUBLISH the last one is what we replace, after it the last one is ours. */
	struct vd_versions versions;
	/* When CARRY began, ns. 0: a run that goes on after a kill does not know and looks at everything again. */
	uint64_t since;
};

static void run_done(struct run *run)
{
	vd_versions_done(&run->versions);
	free(run->making);
}

static int pinned_open(const char *directory, const char *name)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

static const struct vd_version *current(const struct run *run)
{
	return run->versions.count ? &run->versions.items[run->versions.count - 1] : NULL;
}

/* Someone may have unpinned a part by hand; then the whole is made anew. */
static bool is_complete(const struct vd_version *version)
{
	for (unsigned i = 0; i < VD_MAP_COUNT + VD_FUNCTION_COUNT; i++) {
		VD_CLOSE int fd =
			pinned_open(version->path, i < VD_MAP_COUNT ? vd_map_name(i) : vd_function_name(i - VD_MAP_COUNT));

		if (fd < 0)
			return false;
	}
	return true;
}

static int step_clear(struct run *run, struct vd_error *error)
{
	return vd_version_remove(run->making, error);
}

/* Both versions' map; 1 when they are two, 0 when one is shared or the old version has none. */
static int map_pair(const char *from, const char *to, enum vd_map map, int *ret_from, int *ret_to)
{
	VD_CLOSE int old = pinned_open(from, vd_map_name(map));
	VD_CLOSE int new = pinned_open(to, vd_map_name(map));
	struct vd_map_definition old_definition, new_definition;
	int r;

	if (old == -ENOENT)
		return 0;
	if (old < 0 || new < 0)
		return old < 0 ? old : new;
	r = vd_map_definition_read(old, &old_definition);
	if (!r)
		r = vd_map_definition_read(new, &new_definition);
	if (r || old_definition.id == new_definition.id)
		return r;
	*ret_from = VD_TAKE_FD(old);
	*ret_to = VD_TAKE_FD(new);
	return 1;
}

/* The connections of the old build and their claims, where ours has others: our programs are to know them while interfaces are swapped. */
static int previous_show(const char *from, const char *to, struct vd_error *error)
{
	static const enum vd_map maps[][2] = {{VD_MAP_CONNECTION4, VD_MAP_PREVIOUS4},
					      {VD_MAP_CONNECTION6, VD_MAP_PREVIOUS6},
					      {VD_MAP_NAT4, VD_MAP_PREVIOUS_NAT4},
					      {VD_MAP_NAT6, VD_MAP_PREVIOUS_NAT6}};
	int r = 1;

	for (unsigned i = 0; i < 4 && r == 1; i++) {
		VD_CLOSE int old = -1, new = -1, previous = pinned_open(to, vd_map_name(maps[i][1]));
		uint32_t zero = 0;

		r = previous < 0 ? previous : map_pair(from, to, maps[i][0], &old, &new);
		if (r == 1 && bpf_map_update_elem(previous, &zero, &old, BPF_ANY))
			r = -errno;
	}
	return r < 0 ? vd_error_set(error, r, "cannot show the connections of %s to the new programs: %s", from, strerror(-r)) : 0;
}

static int step_make(struct run *run, struct vd_error *error)
{
	const struct vd_version *old = current(run);
	struct bpf_object *object;
	int r;

	if (mkdir(run->making, 0700))
		return vd_error_set(error, -errno, "cannot make %s: %m", run->making);
	r = vd_program_load(&run->upgrade->object, &run->upgrade->settings, old ? old->path : NULL, false, &object, error);
	if (r)
		return r;
	r = vd_program_pin(object, run->making, error);
	bpf_object__close(object);
	return r || !old ? r : previous_show(old->path, run->making, error);
}

/* ---- connections: copied with the queue by which they expire, and with their claims ---- */

struct carrying {
	int to, queue, claims;
	bool is_ipv4;
	uint64_t since;            /* ns: those that were not seen since are left out */
	size_t size_from, size_to; /* of a value; what the old one has more is cut off */
	size_t key_size;
	uint8_t *value, *held, *element;
};

/* An entry that the programs may have let go of meanwhile: then nothing is done. */
static int entry_replace(int map, const void *key, const void *value)
{
	int r = vd_map_update(map, key, value, BPF_EXIST);

	return r == -ENOENT ? 0 : r;
}

/* The claim that a connection's translation stands on, from its binding: what comes back is known by it. False: it has none. */
static bool claim_of(const struct carrying *carrying, const void *key_bytes, const struct vd_connection *connection,
		     struct vd_nat6_key *ret_key, struct vd_nat_value *ret_value)
{
	struct vd_connection6_key key = {};

	if (connection->translation != VD_TRANSLATION_SNAT && connection->translation != VD_TRANSLATION_ROUTER)
		return false;
	if (carrying->is_ipv4) {
		struct vd_connection4_key narrow;

		memcpy(&narrow, key_bytes, sizeof(narrow));
		key = (struct vd_connection6_key){.domain = narrow.domain,
						  .low = {{narrow.low}},
						  .high = {{narrow.high}},
						  .low_port = narrow.low_port,
						  .high_port = narrow.high_port,
						  .protocol = narrow.protocol};
	} else {
		memcpy(&key, key_bytes, sizeof(key));
	}
	*ret_key = (struct vd_nat6_key){
		.network = connection->network,
		.vip = connection->vip,
		.remote = connection->inner_is_high ? key.low : key.high,
		.vip_port = connection->vip_port,
		.remote_port = connection->inner_is_high ? key.low_port : key.high_port,
		.protocol = key.protocol,
	};
	if (key.protocol == IPPROTO_ICMP || key.protocol == IPPROTO_ICMPV6)
		ret_key->remote_port = ret_key->vip_port; /* the identifier as it is out there */
	*ret_value = (struct vd_nat_value){
		.domain = key.domain,
		.inner = connection->inner_is_high ? key.high : key.low,
		.inner_port = connection->inner_is_high ? key.high_port : key.low_port,
	};
	return true;
}

static const void *claim_key(const struct carrying *carrying, const struct vd_nat6_key *key, struct vd_nat4_key *narrow)
{
	*narrow = (struct vd_nat4_key){
		.network = key->network,
		.vip = key->vip.word[0],
		.remote = key->remote.word[0],
		.vip_port = key->vip_port,
		.remote_port = key->remote_port,
		.protocol = key->protocol,
	};
	return carrying->is_ipv4 ? (const void *)narrow : key;
}

enum claim_result {
	CLAIM_STANDS = 0, /* as it should; or the connection needs none */
	CLAIM_TAKEN = 1,  /* by another connection, while two builds gave out ports: this one cannot go on */
	CLAIM_MADE = 2,
};

static int claim_make(const struct carrying *carrying, const void *key, const struct vd_connection *connection)
{
	struct vd_nat_value value, held;
	struct vd_nat6_key wide;
	struct vd_nat4_key narrow;
	const void *claim;
	int r;

	if (carrying->claims < 0 || !claim_of(carrying, key, connection, &wide, &value))
		return CLAIM_STANDS;
	claim = claim_key(carrying, &wide, &narrow);
	r = vd_map_update(carrying->claims, claim, &value, BPF_NOEXIST);
	if (!r)
		return CLAIM_MADE;
	if (r == -E2BIG || r == -ENOMEM)
		return CLAIM_TAKEN;
	if (r != -EEXIST)
		return r;
	if (bpf_map_lookup_elem(carrying->claims, claim, &held))
		return errno == ENOENT ? CLAIM_TAKEN : -errno;
	return memcmp(&held, &value, sizeof(held)) ? CLAIM_TAKEN : CLAIM_STANDS;
}

static void claim_take_back(const struct carrying *carrying, const void *key, const struct vd_connection *connection)
{
	struct vd_nat_value value;
	struct vd_nat6_key wide;
	struct vd_nat4_key narrow;

	if (claim_of(carrying, key, connection, &wide, &value))
		bpf_map_delete_elem(carrying->claims, claim_key(carrying, &wide, &narrow));
}

static bool binding_equal(const struct vd_connection *a, const struct vd_connection *b)
{
	return a->translation == b->translation && a->network == b->network && a->vip_port == b->vip_port &&
	       !memcmp(&a->vip, &b->vip, sizeof(a->vip));
}

/* The claim, the queue, the connection: what stands in the table has both. */
static int carry_new(const struct carrying *carrying, const void *key, const struct vd_connection *connection)
{
	int claim = claim_make(carrying, key, connection), r;

	if (claim < 0 || claim == CLAIM_TAKEN)
		return claim < 0 ? claim : 0;
	memcpy(carrying->element, key, carrying->key_size);
	r = vd_map_update(carrying->queue, NULL, carrying->element, BPF_ANY)
		    ?: vd_map_update(carrying->to, key, carrying->value, BPF_NOEXIST);
	if (!r)
		return 0;
	if (r != -EEXIST && r != -E2BIG && r != -ENOMEM)
		return r;
	if (claim == CLAIM_MADE)
		claim_take_back(carrying, key, connection);
	return 0;
}

/*
 * The queue first: an element without its connection is let go of, a connection without an element would never expire. Where
 * both tables have it, the one that was seen last wins, unless the new programs have translated it another way. A full table
 * refuses, as it would any new connection.
 */
static int carry_visit(const void *key, const void *value, void *userdata)
{
	struct carrying *carrying = userdata;
	const struct vd_connection *old = value, *held = (const struct vd_connection *)carrying->held;
	int r;

	if (old->last_seen < carrying->since)
		return 0;
	memcpy(carrying->value, value, carrying->size_from < carrying->size_to ? carrying->size_from : carrying->size_to);
	if (bpf_map_lookup_elem(carrying->to, key, carrying->held))
		return carry_new(carrying, key, (const struct vd_connection *)carrying->value);
	if (!binding_equal(held, (const struct vd_connection *)carrying->value))
		return 0;
	r = claim_make(carrying, key, held);
	if (r < 0)
		return r;
	if (held->last_seen >= old->last_seen)
		return 0;
	return entry_replace(carrying->to, key, carrying->value);
}

static int connections_carry(int from, int to, int queue, int claims, uint64_t since)
{
	struct vd_map_definition source, target, elements;
	VD_FREE uint8_t *value = NULL, *held = NULL, *element = NULL;
	struct carrying carrying;
	int r;

	r = vd_map_definition_read(from, &source);
	if (!r)
		r = vd_map_definition_read(to, &target);
	if (!r)
		r = vd_map_definition_read(queue, &elements);
	if (r)
		return r;
	if (source.key_size != target.key_size || elements.value_size < target.key_size)
		return -EINVAL;
	value = calloc(1, target.value_size);
	held = calloc(1, target.value_size);
	element = calloc(1, elements.value_size); /* the key, and zero: never looked at */
	if (!value || !held || !element)
		return -ENOMEM;
	carrying = (struct carrying){
		.to = to,
		.queue = queue,
		.claims = claims,
		.is_ipv4 = target.key_size == sizeof(struct vd_connection4_key),
		.since = since,
		.size_from = source.value_size,
		.size_to = target.value_size,
		.key_size = target.key_size,
		.value = value,
		.held = held,
		.element = element,
	};
	return vd_map_each(from, carry_visit, &carrying);
}

static int map_carry(const char *from_path, const char *to_path, enum vd_map map, uint64_t since, bool *ret_copied)
{
	VD_CLOSE int from = -1, to = -1, queue = -1, claims = -1;
	int r = map_pair(from_path, to_path, map, &from, &to);

	if (r != 1)
		return r;
	if (vd_map_role(map) == VD_MAP_ROLE_LIVE) {
		queue = pinned_open(to_path, vd_map_name(map == VD_MAP_CONNECTION4 ? VD_MAP_EXPIRE4 : VD_MAP_EXPIRE6));
		claims = pinned_open(to_path, vd_map_name(map == VD_MAP_CONNECTION4 ? VD_MAP_NAT4 : VD_MAP_NAT6));
		r = queue < 0 ? queue : claims < 0 ? claims : connections_carry(from, to, queue, claims, since);
	} else {
		r = vd_map_copy(from, to);
	}
	if (!r)
		*ret_copied = true;
	return r;
}

static int step_carry(struct run *run, struct vd_error *error)
{
	const struct vd_version *old = current(run);
	bool copied;

	run->since = vd_clock_coarse_ns();
	for (unsigned i = 0; old && i < VD_MAP_COUNT; i++) {
		enum vd_map_role role = vd_map_role(i);
		int r;

		if (role != VD_MAP_ROLE_PLAN && role != VD_MAP_ROLE_LIVE && role != VD_MAP_ROLE_KEPT)
			continue;
		r = map_carry(old->path, run->making, i, 0, &copied);
		if (r)
			return vd_error_set(error, r, "cannot carry over %s from %s: %s; traffic stays with the old programs",
					    vd_map_name(i), old->path, strerror(-r));
	}
	return 0;
}

static int step_publish(struct run *run, struct vd_error *error)
{
	const struct vd_version *old = current(run);

	return vd_version_publish(run->upgrade->pin_directory, old ? old->sequence + 1 : 1, run->build, error);
}

static int swap_one(uint32_t ifindex, int program)
{
	int r = vd_program_attach(ifindex, program);

	return r == -ENODEV ? 0 : r; /* the interface went while nobody looked */
}

static int swap_visit(const void *key, const void *value, void *userdata)
{
	uint32_t ifindex;

	memcpy(&ifindex, key, sizeof(ifindex));
	return swap_one(ifindex, *(int *)userdata);
}

static int swap_uplink(uint32_t ifindex, void *userdata)
{
	return swap_one(ifindex, *(int *)userdata);
}

static int step_swap(struct run *run, struct vd_error *error)
{
	const char *path = current(run)->path;
	VD_CLOSE int ports = pinned_open(path, vd_map_name(VD_MAP_PORT));
	VD_CLOSE int port = pinned_open(path, vd_function_name(VD_FUNCTION_PORT));
	VD_CLOSE int overlay = pinned_open(path, vd_function_name(VD_FUNCTION_OVERLAY));
	VD_CLOSE int uplink = pinned_open(path, vd_function_name(VD_FUNCTION_UPLINK));
	int r = ports < 0 ? ports : port < 0 ? port : overlay < 0 ? overlay : uplink < 0 ? uplink : 0;

	if (run->versions.count < 2)
		return 0; /* the first: nothing is attached, sync will */
	if (!r)
		r = vd_map_each(ports, swap_visit, &port);
	if (!r)
		r = vd_uplinks_each(run->versions.items, run->versions.count, swap_uplink, &uplink);
	if (!r && run->upgrade->settings.overlay_ifindex)
		r = swap_one(run->upgrade->settings.overlay_ifindex, overlay);
	return r ? vd_error_set(error, r, "cannot swap the programs of %s in: %s", path, strerror(-r)) : 0;
}

static int share_count_visit(const void *key, const void *value, void *userdata)
{
	struct vd_share_value share;
	const int *shares = userdata;
	uint32_t domain;

	memcpy(&domain, key, sizeof(domain)); /* first in the keys of both families */
	if (bpf_map_lookup_elem(*shares, &domain, &share))
		return 0;
	share.used++;
	return entry_replace(*shares, &domain, &share);
}

static int share_clear_visit(const void *key, const void *value, void *userdata)
{
	struct vd_share_value share;

	memcpy(&share, value, sizeof(share));
	share.used = 0;
	return entry_replace(*(int *)userdata, key, &share);
}

/* While two tables stood each expired its own copies; what a domain uses now is what the new one holds. */
static int shares_recount(const char *path)
{
	VD_CLOSE int shares = pinned_open(path, vd_map_name(VD_MAP_SHARE));
	int r = shares < 0 ? shares : vd_map_each(shares, share_clear_visit, &shares);

	for (unsigned i = VD_MAP_CONNECTION4; i <= VD_MAP_CONNECTION6 && !r; i++) {
		VD_CLOSE int connections = pinned_open(path, vd_map_name(i));

		r = connections < 0 ? connections : vd_map_each(connections, share_count_visit, &shares);
	}
	return r;
}

static int settle_from(const struct run *run, const char *from, const char *to, bool *ret_copied)
{
	for (unsigned i = 0; i < VD_MAP_COUNT; i++) {
		int r = vd_map_role(i) == VD_MAP_ROLE_LIVE ? map_carry(from, to, i, run->since, ret_copied) : 0;

		if (r)
			return r;
	}
	return 0;
}

/* Nobody runs the build before any more: its tables go with its pins. A version of a build that knew no handover has none. */
static int previous_forget(const char *path)
{
	int r = 0;

	for (unsigned i = VD_MAP_PREVIOUS4; i <= VD_MAP_PREVIOUS_NAT6 && !r; i++) {
		VD_CLOSE int previous = pinned_open(path, vd_map_name(i));
		uint32_t zero = 0;

		if (previous == -ENOENT)
			continue;
		r = previous < 0 ? previous : bpf_map_delete_elem(previous, &zero) && errno != ENOENT ? -errno : 0;
	}
	return r;
}

/*
 * What CARRY copied and nobody saw since is settled: the new programs may have closed it meanwhile. The rest appeared, or went on,
 * under the old programs.
 */
static int step_settle(struct run *run, struct vd_error *error)
{
	const struct vd_version *new = current(run);
	bool copied = false;
	int r = 0;

	for (size_t i = 0; i + 1 < run->versions.count && !r; i++)
		r = settle_from(run, run->versions.items[i].path, new->path, &copied);
	if (!r && copied)
		r = shares_recount(new->path);
	if (!r)
		r = previous_forget(new->path);
	return r ? vd_error_set(error, r, "cannot carry over the newest connections to %s: %s", new->path, strerror(-r)) : 0;
}

static int step_remove(struct run *run, struct vd_error *error)
{
	int r = 0;

	for (size_t i = 0; i + 1 < run->versions.count && !r; i++)
		r = vd_version_remove(run->versions.items[i].path, error);
	return r;
}

static int (*const steps[VD_UPGRADE_STEP_COUNT])(struct run *run, struct vd_error *error) = {
#define X(enumerator, name) [VD_UPGRADE_STEP_##enumerator] = step_##name,
	VD_UPGRADE_STEPS(X)
#undef X
};

/* An upgrade between two others was cut: each build knows the connections of one before it only, so that one is settled first. */
static int finish_others(struct run *run, struct vd_error *error)
{
	int r = 0;

	for (enum vd_upgrade_step step = VD_UPGRADE_STEP_SWAP; step < VD_UPGRADE_STEP_COUNT && !r; step++)
		r = steps[step](run, error);
	if (r)
		return r;
	vd_versions_done(&run->versions);
	return vd_versions_list(run->upgrade->pin_directory, &run->versions, error);
}

int vd_upgrade_run(const struct vd_upgrade *upgrade, enum vd_upgrade_step until, struct vd_error *error)
{
	VD_CLEANUP(run_done) struct run run = {.upgrade = upgrade};
	enum vd_upgrade_step first = VD_UPGRADE_STEP_CLEAR;
	int r;

	vd_program_build(&upgrade->object, &upgrade->settings, run.build);
	run.making = vd_version_making(upgrade->pin_directory);
	if (!run.making)
		return vd_error_set(error, -ENOMEM, "out of memory");
	r = vd_version_directory_ensure(upgrade->pin_directory, error);
	if (!r)
		r = vd_versions_list(upgrade->pin_directory, &run.versions, error);
	if (r)
		return r;
	if (current(&run) && !strcmp(current(&run)->build, run.build) && is_complete(current(&run))) {
		if (until > VD_UPGRADE_STEP_CLEAR)
			r = step_clear(&run, error);
		first = run.versions.count > 1 ? VD_UPGRADE_STEP_SWAP : VD_UPGRADE_STEP_COUNT;
	}
	if (!r && first == VD_UPGRADE_STEP_CLEAR && run.versions.count > 1 && until > VD_UPGRADE_STEP_CLEAR)
		r = finish_others(&run, error);
	for (enum vd_upgrade_step step = first; step < until && !r; step++) {
		r = steps[step](&run, error);
		if (!r && step == VD_UPGRADE_STEP_PUBLISH) {
			vd_versions_done(&run.versions);
			r = vd_versions_list(upgrade->pin_directory, &run.versions, error);
		}
	}
	return r;
}
