/* SPDX-License-Identifier: Apache-2.0 */
#include "store/replica_state.h"

#include "base/cleanup.h"
#include "store/staging.h"

#include <errno.h>
#include <string.h>
#include <uthash.h>

VD_DEFINE_CLEANUP(json_t, json_decref)

struct vd_replica_entry {
	char *key;
	char *value;
	size_t size;
	int64_t mod_revision;
	UT_hash_handle hh;
};

static const char *key_rest(const char *key, const char *prefix)
{
	size_t size = strlen(prefix);

	return strncmp(key, prefix, size) ? NULL : key + size;
}

static struct vd_replica_entry *entry_find(struct vd_replica_entry *entries, const char *key)
{
	struct vd_replica_entry *entry = NULL;

	HASH_FIND_STR(entries, key, entry);
	return entry;
}

static void entry_free(struct vd_replica_entry *entry)
{
	free(entry->key);
	free(entry->value);
	free(entry);
}

static void entry_remove(struct vd_replica_entry **entries, const char *key)
{
	struct vd_replica_entry *entry = entry_find(*entries, key);

	if (!entry)
		return;
	HASH_DEL(*entries, entry);
	entry_free(entry);
}

static int entry_put(struct vd_replica_entry **entries, const char *key, const char *value, size_t size, int64_t mod_revision)
{
	struct vd_replica_entry *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return -ENOMEM;
	entry->key = strdup(key);
	entry->value = calloc(1, size + 1);
	if (!entry->key || !entry->value) {
		entry_free(entry);
		return -ENOMEM;
	}
	memcpy(entry->value, value, size);
	entry->size = size;
	entry->mod_revision = mod_revision;
	entry_remove(entries, key);
	HASH_ADD_KEYPTR(hh, *entries, entry->key, strlen(entry->key), entry);
	return 0;
}

static void entries_clear(struct vd_replica_entry **entries)
{
	struct vd_replica_entry *entry, *next;

	HASH_ITER (hh, *entries, entry, next) {
		HASH_DEL(*entries, entry);
		entry_free(entry);
	}
}

static void changes_clear(struct vd_change *changes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(changes[i].project);
		free(changes[i].name);
		vd_resource_unref(changes[i].before);
		vd_resource_unref(changes[i].after);
	}
	free(changes);
}

int vd_replica_state_init(struct vd_replica_state *state)
{
	*state = (struct vd_replica_state){.next_id = 1};
	state->model = vd_model_new();
	return state->model ? 0 : -ENOMEM;
}

void vd_replica_state_clear(struct vd_replica_state *state)
{
	entries_clear(&state->entries);
	entries_clear(&state->problems);
	changes_clear(state->changes, state->change_count);
	vd_model_free(state->model);
	free(state->pending);
	*state = (struct vd_replica_state){0};
}

static int problem_add(struct vd_replica_state *state, const char *key, const struct vd_error *error)
{
	return entry_put(&state->problems, key, error->text, strlen(error->text), 0);
}

/* Takes after (may be NULL). before is the model's. */
static int change_add(struct vd_replica_state *state, enum vd_kind kind, const char *project, const char *name,
		      const struct vd_resource *before, struct vd_resource *after)
{
	struct vd_change change = {.kind = kind, .project = strdup(project), .name = strdup(name), .after = after};

	if (state->change_count == state->change_room) {
		size_t room = state->change_room ? state->change_room * 2 : 16;
		struct vd_change *changes = reallocarray(state->changes, room, sizeof(*changes));

		if (changes) {
			state->changes = changes;
			state->change_room = room;
		}
	}
	if (!change.project || !change.name || state->change_count == state->change_room) {
		free(change.project);
		free(change.name);
		vd_resource_unref(after);
		return -ENOMEM;
	}
	change.before = before ? vd_resource_ref((struct vd_resource *)before) : NULL;
	state->changes[state->change_count++] = change;
	return 0;
}

static int resource_take(struct vd_replica_state *state, const char *key, const char *value, size_t size, enum vd_kind kind,
			 const char *project, const char *name)
{
	const struct vd_resource *before = vd_model_get(state->model, kind, project, name);
	struct vd_resource *after = NULL;
	struct vd_error error = {0};
	int r;

	if (value) {
		r = vd_resource_decode(kind, project, name, value, size, &after, &error);
		/* What stands stays: a record that only a newer build can read must not take a running network down. */
		if (r < 0)
			return r == -ENOMEM ? r : problem_add(state, key, &error);
	}
	entry_remove(&state->problems, key);
	if ((!before && !after) || (before && after && vd_resource_equal(before, after))) {
		vd_resource_unref(after);
		return 0;
	}
	r = change_add(state, kind, project, name, before, after);
	if (r < 0)
		return r;
	if (after)
		return vd_model_put(state->model, after);
	vd_model_remove(state->model, kind, project, name);
	return 0;
}

static int epoch_take(struct vd_replica_state *state, const char *value, size_t size, int64_t mod_revision)
{
	VD_CLEANUP(json_decref_cleanup) json_t *object = value ? json_loadb(value, size, 0, NULL) : NULL;
	const char *pending = json_string_value(json_object_get(object, "pending"));
	json_int_t next_id = json_integer_value(json_object_get(object, "next_id"));
	VD_FREE char *copy = NULL;

	if (value && (next_id < 1 || next_id > UINT32_MAX))
		return problem_add(
			state, VD_STORE_KEY_EPOCH,
			&(struct vd_error){"store: the epoch key " VD_STORE_KEY_EPOCH " cannot be read; restore a backup"});
	entry_remove(&state->problems, VD_STORE_KEY_EPOCH);
	if (pending) {
		copy = strdup(pending);
		if (!copy)
			return -ENOMEM;
	}
	state->pending_new = copy && (!state->pending || strcmp(copy, state->pending));
	free(state->pending);
	state->pending = VD_TAKE(copy);
	state->epoch = value ? mod_revision : 0;
	state->next_id = value ? (uint32_t)next_id : 1;
	state->epoch_moved = true;
	return 0;
}

int vd_replica_state_take(struct vd_replica_state *state, const char *key, const char *value, size_t size, int64_t mod_revision)
{
	char project[VD_NAME_SIZE];
	enum vd_kind kind;
	const char *name;

	if (!strcmp(key, VD_STORE_KEY_EPOCH))
		return epoch_take(state, value, size, mod_revision);
	if (key_rest(key, VD_STORE_PREFIX "meta/")) {
		if (value)
			return entry_put(&state->entries, key, value, size, mod_revision);
		entry_remove(&state->entries, key);
		return 0;
	}
	if (vd_resource_key_parse(key, &kind, project, &name) < 0)
		return 0;
	return resource_take(state, key, value, size, kind, project, name);
}

/* "<prefix><request>/": a string to free. */
static char *staged_prefix(const char *request)
{
	char *prefix;

	return asprintf(&prefix, VD_STORE_PREFIX_STAGED "%s/", request) < 0 ? NULL : prefix;
}

static int chunk_take(struct vd_replica_state *state, const struct vd_replica_entry *entry)
{
	struct vd_staging staging = {0};
	struct vd_error error;
	int r = vd_staging_decode(entry->value, entry->size, &staging);

	if (r == -EBADMSG) {
		vd_error_set(&error, r, "store: the staged chunk %s cannot be read; restore a backup", entry->key);
		r = problem_add(state, entry->key, &error);
	}
	for (size_t i = 0; r == 0 && i < staging.count; i++) {
		const char *value = staging.items[i].value;
		char project[VD_NAME_SIZE];
		enum vd_kind kind;
		const char *name;

		/* Only resources are staged. */
		if (vd_resource_key_parse(staging.items[i].key, &kind, project, &name) == 0)
			r = resource_take(state, staging.items[i].key, value, value ? strlen(value) : 0, kind, project, name);
	}
	vd_staging_clear(&staging);
	return r;
}

static int pending_take(struct vd_replica_state *state)
{
	VD_FREE char *prefix = staged_prefix(state->pending);
	struct vd_replica_entry *entry, *next;

	if (!prefix)
		return -ENOMEM;
	HASH_ITER (hh, state->entries, entry, next) {
		int r = key_rest(entry->key, prefix) ? chunk_take(state, entry) : 0;

		if (r < 0)
			return r;
	}
	state->pending_new = false;
	return 0;
}

static int change_order(const void *left, const void *right)
{
	const struct vd_change *a = left, *b = right;
	int order = (a->kind > b->kind) - (a->kind < b->kind);

	if (!order)
		order = strcmp(a->project, b->project);
	return order ? order : strcmp(a->name, b->name);
}

int vd_replica_state_settle(struct vd_replica_state *state, int64_t revision, struct vd_changes **ret)
{
	struct vd_changes *changes = NULL;
	int r = state->pending_new ? pending_take(state) : 0;

	if (r < 0)
		return r;
	state->revision = revision;
	if (state->change_count || state->epoch_moved) {
		changes = calloc(1, sizeof(*changes));
		if (!changes)
			return -ENOMEM;
		changes->notes = json_array();
		changes->next_id = state->next_id;
		if (state->change_count)
			qsort(state->changes, state->change_count, sizeof(*state->changes), change_order);
		changes->items = VD_TAKE(state->changes);
		changes->count = state->change_count;
		state->change_count = state->change_room = 0;
		state->epoch_moved = false;
	}
	*ret = changes;
	return 0;
}

int64_t vd_replica_state_entry(const struct vd_replica_state *state, const char *prefix, const char *name)
{
	VD_FREE char *key = NULL;
	const struct vd_replica_entry *entry;

	if (asprintf(&key, "%s%s", prefix, name) < 0) {
		key = NULL;
		return 0;
	}
	entry = entry_find(state->entries, key);
	return entry ? entry->mod_revision : 0;
}

char *vd_replica_state_abandoned(const struct vd_replica_state *state)
{
	const struct vd_replica_entry *entry, *next;

	HASH_ITER (hh, state->entries, entry, next) {
		const char *rest = key_rest(entry->key, VD_STORE_PREFIX_STAGED);
		const char *slash = rest ? strchr(rest, '/') : NULL;
		VD_FREE char *request = slash ? strndup(rest, (size_t)(slash - rest)) : NULL;

		if (request && (!state->pending || strcmp(request, state->pending)) &&
		    !vd_replica_state_entry(state, VD_STORE_PREFIX_STAGER, request))
			return VD_TAKE(request);
	}
	return NULL;
}

json_t *vd_replica_state_problems(const struct vd_replica_state *state)
{
	json_t *problems = json_array();
	const struct vd_replica_entry *entry, *next;

	HASH_ITER (hh, state->problems, entry, next)
		json_array_append_new(problems, json_sprintf("%s: %s", entry->key, entry->value));
	return problems;
}
