/* SPDX-License-Identifier: Apache-2.0 */
#include "api/status.h"

#include "api/item.h"
#include "api/server.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#define PREFIX VD_STORE_PREFIX "status/"

struct vd_statuses {
	struct vd_store *store;
	struct vd_watch *watch;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	json_t *hosts; /* name -> status/host's object */
	json_t *alive; /* name -> status/alive's object */
	json_t *gone;  /* name -> when we saw its life end; seconds since 1970 */
	bool stopping;
	bool stale;     /* the watch ended compacted: it must be begun anew */
	bool repairing; /* somebody does so */
};

/* Which table a key belongs to, and the host's name in it; NULL: none of ours. */
static json_t *statuses_table(struct vd_statuses *statuses, const char *key, const char **ret_host)
{
	if (!strncmp(key, VD_STORE_PREFIX_STATUS_HOST, strlen(VD_STORE_PREFIX_STATUS_HOST))) {
		*ret_host = key + strlen(VD_STORE_PREFIX_STATUS_HOST);
		return statuses->hosts;
	}
	if (!strncmp(key, VD_STORE_PREFIX_STATUS_ALIVE, strlen(VD_STORE_PREFIX_STATUS_ALIVE))) {
		*ret_host = key + strlen(VD_STORE_PREFIX_STATUS_ALIVE);
		return statuses->alive;
	}
	return NULL;
}

static void statuses_put(struct vd_statuses *statuses, const struct vd_kv *kv)
{
	const char *host;
	json_t *table = statuses_table(statuses, kv->key, &host), *value;

	if (!table)
		return;
	value = json_loadb(kv->value, kv->size, 0, NULL);
	if (json_is_object(value))
		json_object_set(table, host, value);
	json_decref(value);
}

static void watch_events(const struct vd_event *events, size_t count, int64_t revision, void *userdata)
{
	struct vd_statuses *statuses = userdata;
	const char *host;
	json_t *table;

	pthread_mutex_lock(&statuses->lock);
	for (size_t i = 0; i < count; i++) {
		table = statuses_table(statuses, events[i].kv.key, &host);
		if (table && table == statuses->alive && events[i].is_delete && json_object_get(table, host))
			json_object_set_new(statuses->gone, host, json_integer(time(NULL)));
		if (table && events[i].is_delete)
			json_object_del(table, host);
		else
			statuses_put(statuses, &events[i].kv);
	}
	if (count)
		pthread_cond_broadcast(&statuses->changed);
	pthread_mutex_unlock(&statuses->lock);
}

static void statuses_set_stale(struct vd_statuses *statuses)
{
	pthread_mutex_lock(&statuses->lock);
	statuses->stale = true;
	pthread_cond_broadcast(&statuses->changed);
	pthread_mutex_unlock(&statuses->lock);
}

/* A watch cannot be freed from inside its callback: the next one who asks begins it anew. */
static void watch_compacted(int64_t compact_revision, void *userdata)
{
	statuses_set_stale(userdata);
}

static int statuses_begin(struct vd_statuses *statuses, struct vd_error *error)
{
	static const struct vd_watch_callbacks callbacks = {.events = watch_events, .compacted = watch_compacted};
	struct vd_kvs *kvs = NULL;
	int64_t next;
	int r;

	r = vd_store_range(statuses->store, PREFIX, true, 0, 0, &kvs, error);
	if (r)
		return r;
	pthread_mutex_lock(&statuses->lock);
	json_object_clear(statuses->hosts);
	json_object_clear(statuses->alive);
	for (size_t i = 0; i < kvs->count; i++)
		statuses_put(statuses, &kvs->items[i]);
	statuses->stale = false;
	pthread_mutex_unlock(&statuses->lock);
	next = kvs->revision + 1;
	vd_kvs_free(kvs);
	return vd_store_watch(statuses->store, PREFIX, next, &callbacks, statuses, &statuses->watch, error);
}

/* Called without the lock, by those who ask; the first of them repairs a watch that ended. */
static void statuses_repair(struct vd_statuses *statuses)
{
	struct vd_watch *old = NULL;
	struct vd_error error = {0};
	bool begin;

	pthread_mutex_lock(&statuses->lock);
	begin = statuses->stale && !statuses->stopping && !statuses->repairing;
	if (begin) {
		old = VD_TAKE(statuses->watch);
		statuses->repairing = true;
	}
	pthread_mutex_unlock(&statuses->lock);
	if (!begin)
		return;
	if (old)
		vd_watch_free(old);
	if (statuses_begin(statuses, &error)) {
		vd_log_warning("the hosts' status cannot be followed: %s", error.text);
		statuses_set_stale(statuses);
	}
	pthread_mutex_lock(&statuses->lock);
	statuses->repairing = false;
	pthread_mutex_unlock(&statuses->lock);
}

int vd_statuses_new(struct vd_store *store, struct vd_statuses **ret, struct vd_error *error)
{
	struct vd_statuses *statuses = calloc(1, sizeof(*statuses));
	int r;

	if (!statuses)
		return -ENOMEM;
	statuses->store = store;
	statuses->hosts = json_object();
	statuses->alive = json_object();
	statuses->gone = json_object();
	pthread_mutex_init(&statuses->lock, NULL);
	vd_clock_cond_init(&statuses->changed);
	r = statuses_begin(statuses, error);
	if (r) {
		vd_statuses_free(statuses);
		return r;
	}
	*ret = statuses;
	return 0;
}

void vd_statuses_free(struct vd_statuses *statuses)
{
	if (!statuses)
		return;
	if (statuses->watch)
		vd_watch_free(statuses->watch);
	json_decref(statuses->hosts);
	json_decref(statuses->alive);
	json_decref(statuses->gone);
	pthread_cond_destroy(&statuses->changed);
	pthread_mutex_destroy(&statuses->lock);
	free(statuses);
}

void vd_statuses_stop(struct vd_statuses *statuses)
{
	pthread_mutex_lock(&statuses->lock);
	statuses->stopping = true;
	pthread_cond_broadcast(&statuses->changed);
	pthread_mutex_unlock(&statuses->lock);
}

/* The living hosts that do not obey the revision yet, as "h1, h2"; how many. Locked. */
static size_t statuses_behind(const struct vd_statuses *statuses, int64_t revision, char *names, size_t size)
{
	size_t count = 0, used = 0;
	const char *host;
	json_t *alive;

	names[0] = '\0';
	json_object_foreach (statuses->alive, host, alive) {
		if (json_integer_value(json_object_get(json_object_get(statuses->hosts, host), "revision")) >= revision)
			continue;
		if (used < size)
			used += (size_t)snprintf(names + used, size - used, "%s%s", count ? ", " : "", host);
		count++;
	}
	return count;
}

int vd_statuses_wait(struct vd_statuses *statuses, int64_t revision, unsigned seconds, struct vd_error *error)
{
	struct timespec until;
	char names[256];
	size_t behind;
	int r = 0;

	statuses_repair(statuses);
	until = vd_clock_after(seconds * 1000ULL);
	pthread_mutex_lock(&statuses->lock);
	while (!r && (behind = statuses_behind(statuses, revision, names, sizeof(names))) > 0) {
		if (statuses->stopping)
			r = -ESHUTDOWN;
		else
			r = -pthread_cond_timedwait(&statuses->changed, &statuses->lock, &until);
		if (!r && statuses->stale && !statuses->repairing) {
			pthread_mutex_unlock(&statuses->lock);
			statuses_repair(statuses);
			pthread_mutex_lock(&statuses->lock);
		}
	}
	pthread_mutex_unlock(&statuses->lock);
	if (r == -ESHUTDOWN)
		return vd_error_set(error, r, "the change stands (revision %jd), but this daemon stops and cannot wait",
				    (intmax_t)revision);
	if (r)
		return vd_error_set(error, -ETIMEDOUT,
				    "the change stands (revision %jd), but after %u s these hosts do not obey it yet: %s; see "
				    "\"viaduct status\"",
				    (intmax_t)revision, seconds, names);
	return 0;
}

bool vd_statuses_is_alive(struct vd_statuses *statuses, const char *host)
{
	bool alive;

	pthread_mutex_lock(&statuses->lock);
	alive = json_object_get(statuses->alive, host);
	pthread_mutex_unlock(&statuses->lock);
	return alive;
}

json_t *vd_statuses_absent(struct vd_statuses *statuses)
{
	json_t *absent = json_object(), *status, *gone;
	const char *host;

	pthread_mutex_lock(&statuses->lock);
	json_object_foreach (statuses->hosts, host, status) {
		if (json_object_get(statuses->alive, host))
			continue;
		gone = json_object_get(statuses->gone, host);
		json_object_set_new(absent, host, json_integer(json_integer_value(gone ? gone : json_object_get(status, "time"))));
	}
	pthread_mutex_unlock(&statuses->lock);
	return absent;
}

/* Locked. */
static json_t *statuses_merge(const struct vd_statuses *statuses, const char *host)
{
	json_t *status = json_object_get(statuses->hosts, host), *alive = json_object_get(statuses->alive, host), *merged;

	if (!status && !alive)
		return NULL;
	merged = status ? json_deep_copy(status) : json_object();
	json_object_set_new(merged, "alive", json_boolean(alive != NULL));
	if (json_object_get(alive, "version"))
		json_object_set_new(merged, "version", json_deep_copy(json_object_get(alive, "version")));
	return merged;
}

json_t *vd_statuses_get(struct vd_statuses *statuses, const char *host)
{
	json_t *merged;

	statuses_repair(statuses);
	pthread_mutex_lock(&statuses->lock);
	merged = statuses_merge(statuses, host);
	pthread_mutex_unlock(&statuses->lock);
	return merged;
}

json_t *vd_statuses_all(struct vd_statuses *statuses)
{
	json_t *all = json_object(), *value;
	const char *host;

	statuses_repair(statuses);
	pthread_mutex_lock(&statuses->lock);
	json_object_foreach (statuses->hosts, host, value)
		json_object_set_new(all, host, statuses_merge(statuses, host));
	json_object_foreach (statuses->alive, host, value)
		if (!json_object_get(all, host))
			json_object_set_new(all, host, statuses_merge(statuses, host));
	pthread_mutex_unlock(&statuses->lock);
	return all;
}

static int host_add(const struct vd_resource *resource, void *userdata)
{
	json_t *all = userdata, *host = json_object_get(all, resource->name);
	const struct vd_claim *claim = (const struct vd_claim *)resource;
	char text[VD_ADDRESS_TEXT];

	if (!host) {
		host = json_pack("{s:b}", "alive", 0);
		json_object_set_new(all, resource->name, host);
	}
	json_object_set_new(host, "underlay", json_string(vd_address_format(&claim->underlay, text)));
	if (claim->api)
		json_object_set_new(host, "api", json_string(claim->api));
	if (claim->version && !json_object_get(host, "version"))
		json_object_set_new(host, "version", json_string(claim->version));
	return 0;
}

int vd_answer_status(struct vd_request *request, struct vd_error *error)
{
	json_t *all = vd_statuses_all(request->api->statuses), *counts = json_object(), *hosts = json_array(), *host;
	const struct vd_model *model;
	int64_t revision, epoch;
	const char *name;

	model = vd_replica_lock(request->api->replica, &revision, &epoch, NULL);
	vd_model_each(model, VD_KIND_CLAIM, NULL, host_add, all);
	for (int kind = 0; kind < VD_KIND_USER_COUNT; kind++)
		json_object_set_new(counts, vd_kind_plural((enum vd_kind)kind),
				    json_integer((json_int_t)vd_model_count(model, (enum vd_kind)kind)));
	vd_replica_unlock(request->api->replica);
	json_object_foreach (all, name, host) {
		json_object_set_new(host, "name", json_string(name));
		json_object_set_new(host, "behind", json_boolean(json_integer_value(json_object_get(host, "revision")) < epoch));
		json_array_append(hosts, host);
	}
	json_decref(all);
	return vd_request_reply(request, MHD_HTTP_OK,
				json_pack("{s:s, s:s, s:I, s:I, s:o, s:o}", "host", request->api->options.host, "version",
					  VD_VERSION, "revision", (json_int_t)revision, "resources_revision", (json_int_t)epoch,
					  "resources", counts, "hosts", hosts));
}

int vd_answer_version(struct vd_request *request, struct vd_error *error)
{
	return vd_request_reply(
		request, MHD_HTTP_OK,
		json_pack("{s:s, s:s, s:s}", "version", VD_VERSION, "api", "v1", "host", request->api->options.host));
}
