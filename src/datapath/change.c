/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/change.h"

#include "abi/generation.h"
#include "base/cleanup.h"
#include "datapath/policy.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

struct change {
	struct vd_datapath *datapath;
	enum vd_change_scope scope;
	const struct vd_entries *before, *after;
	struct vd_slots slots;
	bool is_announced;
	struct vd_policy_change policy;
	int result; /* the first error */
	struct vd_error *error;
};

static int compare_items(const void *a, const void *b)
{
	return vd_entry_compare(a, b);
}

static const struct vd_entry *find(const struct vd_entries *entries, const struct vd_entry *key)
{
	return entries->count ? bsearch(key, entries->items, entries->count, sizeof(*entries->items), compare_items) : NULL;
}

static uint32_t entry_ifindex(const struct vd_entry *port)
{
	uint32_t ifindex;

	memcpy(&ifindex, port->key, sizeof(ifindex));
	return ifindex;
}

/* What the kernel counts in a share or a limit is none of ours, nor what it learnt of a neighbour. */
static bool value_equal(const struct vd_entry *a, const struct vd_entry *b)
{
	struct vd_share_value x, y;

	if (a->map == VD_MAP_NEIGHBOUR)
		return true;
	if (a->map == VD_MAP_RATE)
		return !memcmp(a->value, b->value, offsetof(struct vd_rate_value, spent));
	if (a->map != VD_MAP_SHARE)
		return vd_entry_value_equal(a, b);
	memcpy(&x, a->value, sizeof(x));
	memcpy(&y, b->value, sizeof(y));
	return x.limit == y.limit;
}

static void note(struct change *change, const struct vd_entry *entry, int r)
{
	const char *map = vd_map_name(entry->map);

	if (!r || change->result)
		return;
	if (r == -E2BIG || r == -ENOSPC)
		change->result = vd_error_set(change->error, r,
					      "the data plane's map %s is full (%u entries): the host carries more than it can",
					      map, change->datapath->definitions[entry->map].max_entries);
	else if (r == -ENOMEM)
		change->result = vd_error_set(change->error, r, "the machine has no memory for the data plane's map %s", map);
	else
		change->result = vd_error_set(change->error, r, "cannot write the data plane's map %s: %s", map, strerror(-r));
}

static void note_attach(struct change *change, uint32_t ifindex, int r)
{
	/* An interface that is gone has no packets; who attached it hears of its end from the kernel. */
	if (r && r != -ENODEV && !change->result)
		change->result =
			vd_error_set(change->error, r, "cannot attach the data plane to interface %u: %s", ifindex, strerror(-r));
}

/* ---- a death between a write and its bump ---- */

static void changing_path(const char *pin_directory, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/changing", pin_directory);
}

/* Before the write. */
static void announce(struct change *change, const struct vd_entry *before, const struct vd_entry *after)
{
	char path[PATH_MAX];

	vd_slots_add_change(&change->slots, before, after);
	if (change->is_announced || (!change->slots.count && !change->slots.all))
		return;
	changing_path(change->datapath->pin_directory, path);
	if (mkdir(path, 0700) && errno != EEXIST && !change->result)
		change->result = vd_error_set(change->error, -errno, "cannot make %s: %m", path);
	change->is_announced = true;
}

void vd_change_forget(const char *pin_directory)
{
	char path[PATH_MAX];

	changing_path(pin_directory, path);
	rmdir(path);
}

int vd_change_recover(struct vd_datapath *datapath, struct vd_error *error)
{
	struct vd_slots slots = {.all = true};
	char path[PATH_MAX];

	changing_path(datapath->pin_directory, path);
	if (access(path, F_OK))
		return errno == ENOENT ? 0 : vd_error_set(error, -errno, "cannot look at %s: %m", path);
	datapath->writes += vd_generation_bump(datapath->generation, &slots);
	vd_change_forget(datapath->pin_directory);
	return 0;
}

/* ---- entries ---- */

/* The domain's share counts connections that outlive it; sync takes it away once they are gone. */
static void share_remove(struct change *change, const struct vd_entry *entry)
{
	struct vd_entry held = *entry;
	struct vd_share_value share;

	if (vd_datapath_lookup(change->datapath, &held))
		return;
	memcpy(&share, held.value, sizeof(share));
	if (!share.used)
		note(change, entry, vd_datapath_delete(change->datapath, entry));
}

static void share_put(struct change *change, const struct vd_entry *entry)
{
	struct vd_entry held = *entry;
	struct vd_share_value share, wanted;

	if (vd_datapath_lookup(change->datapath, &held)) {
		note(change, entry, vd_datapath_update(change->datapath, entry, BPF_ANY));
		return;
	}
	memcpy(&share, held.value, sizeof(share));
	memcpy(&wanted, entry->value, sizeof(wanted));
	if (share.limit == wanted.limit)
		return;
	share.limit = wanted.limit;
	memcpy(held.value, &share, sizeof(share));
	note(change, entry, vd_datapath_update(change->datapath, &held, BPF_ANY));
}

/* What is known of a next hop stays: the data plane learnt it. */
static void neighbour_put(struct change *change, const struct vd_entry *entry)
{
	struct vd_entry held = *entry;
	int r;

	if (!vd_datapath_lookup(change->datapath, &held))
		return;
	r = vd_datapath_update(change->datapath, entry, BPF_NOEXIST);
	note(change, entry, r == -EEXIST ? 0 : r);
}

/* Another limit: what is spent of the old one, and what it dropped, stays. */
static void rate_put(struct change *change, const struct vd_entry *entry)
{
	struct vd_entry held = *entry;

	if (!vd_datapath_lookup(change->datapath, &held))
		memcpy(held.value, entry->value, offsetof(struct vd_rate_value, spent));
	note(change, entry, vd_datapath_update(change->datapath, &held, BPF_ANY));
}

static void entry_put(struct change *change, const struct vd_entry *entry)
{
	if (entry->map == VD_MAP_SHARE)
		share_put(change, entry);
	else if (entry->map == VD_MAP_NEIGHBOUR)
		neighbour_put(change, entry);
	else if (entry->map == VD_MAP_RATE)
		rate_put(change, entry);
	else
		note(change, entry, vd_datapath_update(change->datapath, entry, BPF_ANY));
}

static int vtep_visit(const void *key, const void *value, void *userdata)
{
	struct vd_host_value host;

	memcpy(&host, value, sizeof(host));
	return vd_vtep_fold(&host.vtep) == *(uint32_t *)userdata;
}

/* Several hosts may share a VTEP: it goes with the last of them. */
static void vteps_remove(struct change *change)
{
	for (size_t i = 0; i < change->before->count; i++) {
		const struct vd_entry *entry = &change->before->items[i];
		uint32_t fold;

		if (entry->map != VD_MAP_VTEP || find(change->after, entry))
			continue;
		memcpy(&fold, entry->key, sizeof(fold));
		if (!vd_map_each(change->datapath->maps[VD_MAP_HOST], vtep_visit, &fold))
			note(change, entry, vd_datapath_delete(change->datapath, entry));
	}
}

static void removals(struct change *change)
{
	for (size_t i = change->before->count; i-- > 0;) {
		const struct vd_entry *entry = &change->before->items[i];

		if (entry->map == VD_MAP_VTEP || vd_policy_map(entry->map) || find(change->after, entry))
			continue;
		announce(change, entry, NULL);
		if (entry->map == VD_MAP_SHARE)
			share_remove(change, entry);
		else
			note(change, entry, vd_datapath_delete(change->datapath, entry));
	}
}

/* ---- rules, and who they are about (docs/dev/upgrade.md) ---- */

/* What an entry that stays is between the two passes: all that either value allows, or what both do. */
static struct vd_entry policy_between(const struct change *change, const struct vd_entry *before, const struct vd_entry *after)
{
	return vd_policy_combine(before, after, !change->policy.closes_first);
}

/* Puts entries in place: rules' ports before their remote ends, those before the masks. */
static void policies_widen(struct change *change)
{
	for (size_t i = 0; i < change->after->count; i++) {
		const struct vd_entry *after = &change->after->items[i], *before;
		struct vd_entry from, to = *after;

		if (!vd_policy_map(after->map))
			continue;
		before = find(change->before, after);
		if (before) {
			from = change->policy.closes_first ? policy_between(change, before, after) : *before;
			to = change->policy.closes_first ? *after : policy_between(change, before, after);
		}
		if (!before || !value_equal(&from, &to))
			note(change, after, vd_datapath_update(change->datapath, &to, BPF_ANY));
	}
}

/* Takes away what shall not be allowed any more: masks first, then what they led to. */
static void policies_narrow(struct change *change)
{
	for (size_t i = change->before->count; i-- > 0;) {
		const struct vd_entry *before = &change->before->items[i], *after;
		struct vd_entry from, to;

		if (!vd_policy_map(before->map))
			continue;
		after = find(change->after, before);
		if (!after) {
			announce(change, before, NULL);
			note(change, before, vd_datapath_delete(change->datapath, before));
			continue;
		}
		from = change->policy.closes_first ? *before : policy_between(change, before, after);
		to = change->policy.closes_first ? policy_between(change, before, after) : *after;
		if (value_equal(&from, &to))
			continue;
		announce(change, before, after);
		note(change, before, vd_datapath_update(change->datapath, &to, BPF_ANY));
	}
}

/* Who changes lets nothing through, and is nobody, from here until additions. */
static void movers_close(struct change *change)
{
	for (size_t i = 0; i < change->after->count; i++) {
		const struct vd_entry *after = &change->after->items[i], *before = find(change->before, after);
		struct vd_entry closed;

		if (!before || !vd_policy_moves(before, after))
			continue;
		closed = vd_policy_close(before);
		announce(change, before, after);
		note(change, before, vd_datapath_update(change->datapath, &closed, BPF_ANY));
	}
}

/* No packet that began before this returns is judged any more, and none that comes is judged by what decide remembers of a port. */
static void settle(struct change *change)
{
	struct vd_slots slots = {};
	int r;

	for (size_t i = 0; i < change->before->count; i++) {
		const struct vd_entry *before = &change->before->items[i], *after = find(change->after, before);
		struct vd_port_value port;

		if (before->map != VD_MAP_PORT || (after && !vd_policy_moves(before, after)))
			continue;
		memcpy(&port, before->value, sizeof(port));
		vd_slots_add(&slots, vd_slot_standing(port.id));
	}
	vd_generation_bump(change->datapath->generation, &slots);
	vd_slots_done(&slots);
	r = vd_barrier_wait(&change->datapath->barrier);
	if (r && !change->result)
		change->result = vd_error_set(change->error, r, "cannot wait for the packets under way: %s", strerror(-r));
}

static void port_attach(struct change *change, const struct vd_entry *entry, bool is_new)
{
	uint32_t ifindex = entry_ifindex(entry), id;

	if (!is_new && (change->scope == VD_CHANGE_SCOPE_PART ||
			(!vd_program_attached(ifindex, &id) && id == change->datapath->program_ids[VD_FUNCTION_PORT])))
		return;
	note_attach(change, ifindex, vd_program_attach(ifindex, change->datapath->programs[VD_FUNCTION_PORT]));
}

static void additions(struct change *change)
{
	for (size_t i = 0; i < change->after->count; i++) {
		const struct vd_entry *entry = &change->after->items[i];
		const struct vd_entry *before = find(change->before, entry);

		if (vd_policy_map(entry->map))
			continue;
		if (!before || !value_equal(before, entry)) {
			announce(change, before, entry);
			entry_put(change, entry);
		}
		if (entry->map == VD_MAP_PORT)
			port_attach(change, entry, !before);
	}
}

static void detachments(struct change *change)
{
	for (size_t i = 0; i < change->before->count; i++) {
		const struct vd_entry *entry = &change->before->items[i];

		if (entry->map == VD_MAP_PORT && !find(change->after, entry))
			note_attach(change, entry_ifindex(entry), vd_program_detach(entry_ifindex(entry)));
	}
}

/* All that either plan allows is allowed in between; waiting spares packets that both allow from meeting neither's rules. */
static void exchange(struct change *change)
{
	policies_widen(change);
	if (change->policy.gains && change->policy.moves)
		settle(change);
	removals(change);
	additions(change);
	if (change->policy.losses && (change->policy.gains || change->policy.moves))
		settle(change);
	policies_narrow(change);
}

/* Only what both plans allow is allowed in between (policy.h says why). */
static void close_and_open(struct change *change)
{
	movers_close(change);
	policies_narrow(change);
	removals(change);
	settle(change);
	policies_widen(change);
	additions(change);
}

int vd_change_carry_out(struct vd_datapath *datapath, struct vd_entries *before, struct vd_entries *after,
			enum vd_change_scope scope, struct vd_error *error)
{
	struct change change = {.datapath = datapath, .scope = scope, .before = before, .after = after, .error = error};

	vd_entries_sort(before);
	vd_entries_sort(after);
	change.policy = vd_policy_weigh(before, after);
	if (change.policy.closes_first)
		close_and_open(&change);
	else
		exchange(&change);
	vteps_remove(&change);
	datapath->writes += vd_generation_bump(datapath->generation, &change.slots);
	vd_slots_done(&change.slots);
	if (change.is_announced)
		vd_change_forget(datapath->pin_directory);
	detachments(&change);
	return change.result;
}
