/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/alive.h"

#include "base/cleanup.h"
#include "store/replica.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <uthash.h>

struct name {
	UT_hash_handle hh;
	char text[];
};

struct vd_alive {
	struct vd_store *store;
	void (*changed)(void *userdata);
	void *userdata;
	struct vd_watch *watch; /* of who refreshes */

	pthread_mutex_t lock; /* guards what follows */
	struct name *names;
	bool stale; /* to be read anew */
};

static const char *host_of_key(const char *key)
{
	return key + strlen(VD_STORE_PREFIX_STATUS_ALIVE);
}

static struct name *name_find(struct name *names, const char *text)
{
	struct name *name;

	HASH_FIND_STR(names, text, name);
	return name;
}

/* Memory that runs out makes somebody look dead: the store itself is asked before anything is done about that. */
static void name_set(struct vd_alive *alive, const char *text, bool lives)
{
	struct name *name = name_find(alive->names, text);

	if (name && !lives) {
		HASH_DEL(alive->names, name);
		free(name);
	} else if (!name && lives) {
		name = calloc(1, sizeof(*name) + strlen(text) + 1);
		if (!name)
			return;
		strcpy(name->text, text);
		HASH_ADD_KEYPTR(hh, alive->names, name->text, strlen(name->text), name);
	}
}

static void names_clear(struct vd_alive *alive)
{
	struct name *name, *next;

	HASH_ITER (hh, alive->names, name, next) {
		HASH_DEL(alive->names, name);
		free(name);
	}
}

static void events_seen(const struct vd_event *events, size_t count, int64_t revision, void *userdata)
{
	struct vd_alive *alive = userdata;

	pthread_mutex_lock(&alive->lock);
	for (size_t i = 0; i < count; i++)
		name_set(alive, host_of_key(events[i].kv.key), !events[i].is_delete);
	pthread_mutex_unlock(&alive->lock);
	if (count > 0)
		alive->changed(alive->userdata);
}

static void compacted(int64_t compact_revision, void *userdata)
{
	struct vd_alive *alive = userdata;

	pthread_mutex_lock(&alive->lock);
	alive->stale = true;
	pthread_mutex_unlock(&alive->lock);
	alive->changed(alive->userdata);
}

/* Reads who lives and watches from there. */
static int follow(struct vd_alive *alive, struct vd_error *error)
{
	static const struct vd_watch_callbacks callbacks = {.events = events_seen, .compacted = compacted};
	struct vd_kvs *standing = NULL;
	int r;

	if (alive->watch)
		vd_watch_free(alive->watch);
	alive->watch = NULL;
	r = vd_store_range(alive->store, VD_STORE_PREFIX_STATUS_ALIVE, true, 0, 0, &standing, error);
	if (r < 0)
		return r;
	pthread_mutex_lock(&alive->lock);
	names_clear(alive);
	for (size_t i = 0; i < standing->count; i++)
		name_set(alive, host_of_key(standing->items[i].key), true);
	alive->stale = false;
	pthread_mutex_unlock(&alive->lock);
	r = vd_store_watch(alive->store, VD_STORE_PREFIX_STATUS_ALIVE, standing->revision + 1, &callbacks, alive, &alive->watch,
			   error);
	vd_kvs_free(standing);
	pthread_mutex_lock(&alive->lock);
	alive->stale |= r < 0;
	pthread_mutex_unlock(&alive->lock);
	return r;
}

int vd_alive_new(struct vd_store *store, void (*changed)(void *userdata), void *userdata, struct vd_alive **ret,
		 struct vd_error *error)
{
	struct vd_alive *alive = calloc(1, sizeof(*alive));
	int r;

	if (!alive)
		return -ENOMEM;
	alive->store = store;
	alive->changed = changed;
	alive->userdata = userdata;
	pthread_mutex_init(&alive->lock, NULL);
	r = follow(alive, error);
	if (r < 0) {
		vd_alive_free(alive);
		return r;
	}
	*ret = alive;
	return 0;
}

void vd_alive_free(struct vd_alive *alive)
{
	if (!alive)
		return;
	if (alive->watch)
		vd_watch_free(alive->watch);
	names_clear(alive);
	pthread_mutex_destroy(&alive->lock);
	free(alive);
}

bool vd_alive_has(struct vd_alive *alive, const char *host)
{
	bool has;

	pthread_mutex_lock(&alive->lock);
	has = name_find(alive->names, host);
	pthread_mutex_unlock(&alive->lock);
	return has;
}

int vd_alive_refresh(struct vd_alive *alive, struct vd_error *error)
{
	bool stale;

	pthread_mutex_lock(&alive->lock);
	stale = alive->stale;
	pthread_mutex_unlock(&alive->lock);
	return stale ? follow(alive, error) : 0;
}

int vd_alive_ask(const struct vd_alive *alive, const char *host, struct vd_error *error)
{
	VD_FREE char *key = NULL;
	struct vd_kvs *standing = NULL;
	int r;

	if (asprintf(&key, "%s%s", VD_STORE_PREFIX_STATUS_ALIVE, host) < 0)
		return -ENOMEM;
	r = vd_store_range(alive->store, key, false, 0, 0, &standing, error);
	if (r < 0)
		return r;
	r = standing->count > 0;
	vd_kvs_free(standing);
	return r;
}
