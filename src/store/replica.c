/* SPDX-License-Identifier: Apache-2.0 */
#include "store/replica_private.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <errno.h>
#include <string.h>
#include <time.h>

VD_DEFINE_CLEANUP(struct vd_kvs, vd_kvs_free)

/* Between tries to read everything anew. */
#define RELOAD_PAUSE_MS 1000
/* Request keys live for at least the first, since a lease is used for the difference; seconds. */
#define REQUEST_TTL 600
#define LEASE_TTL 1200

/* The lock is held. false: deadline (milliseconds) is over. */
static bool changed_wait(struct vd_replica *replica, int64_t deadline)
{
	struct timespec until = {.tv_sec = deadline / 1000, .tv_nsec = deadline % 1000 * 1000000};

	return pthread_cond_timedwait(&replica->changed, &replica->lock, &until) != ETIMEDOUT;
}

/* The lock is held. Something that was written could not be taken in: read everything anew rather than go on with a hole. */
static void stale_set(struct vd_replica *replica)
{
	replica->stale = true;
	pthread_cond_broadcast(&replica->changed);
}

static void on_events(const struct vd_event *events, size_t count, int64_t revision, void *userdata)
{
	struct vd_replica *replica = userdata;
	struct vd_changes *changes = NULL;
	int r = 0;

	pthread_mutex_lock(&replica->lock);
	for (size_t i = 0; r == 0 && i < count && !replica->stale; i++)
		r = vd_replica_state_take(&replica->state, events[i].kv.key, events[i].is_delete ? NULL : events[i].kv.value,
					  events[i].kv.size, events[i].kv.mod_revision);
	if (r == 0 && !replica->stale)
		r = vd_replica_state_settle(&replica->state, revision, &changes);
	if (r < 0)
		stale_set(replica);
	if (changes && replica->callback)
		replica->callback(replica->state.model, changes, revision, replica->userdata);
	if (changes)
		vd_changes_free(changes);
	pthread_cond_broadcast(&replica->changed);
	pthread_mutex_unlock(&replica->lock);
}

static void on_compacted(int64_t compact_revision, void *userdata)
{
	struct vd_replica *replica = userdata;

	pthread_mutex_lock(&replica->lock);
	stale_set(replica);
	pthread_mutex_unlock(&replica->lock);
}

static const struct vd_watch_callbacks watch_callbacks = {.events = on_events, .compacted = on_compacted};

static int state_load(struct vd_store *store, struct vd_replica_state *state, struct vd_error *error)
{
	VD_CLEANUP(vd_kvs_free_cleanup) struct vd_kvs *kvs = NULL;
	struct vd_changes *changes = NULL;
	int r = vd_store_range(store, VD_STORE_PREFIX, true, 0, 0, &kvs, error);

	for (size_t i = 0; r == 0 && i < kvs->count; i++)
		r = vd_replica_state_take(state, kvs->items[i].key, kvs->items[i].value, kvs->items[i].size,
					  kvs->items[i].mod_revision);
	if (r == 0)
		r = vd_replica_state_settle(state, kvs->revision, &changes);
	if (changes)
		vd_changes_free(changes);
	return r;
}

/* Reads everything, tells the callback, and watches from there. Nobody watches yet or any more. */
static int replica_load(struct vd_replica *replica, struct vd_error *error)
{
	struct vd_replica_state state;
	int r = vd_replica_state_init(&state);

	if (r < 0)
		return r;
	r = state_load(replica->store, &state, error);
	if (r < 0) {
		vd_replica_state_clear(&state);
		return r;
	}
	pthread_mutex_lock(&replica->lock);
	struct vd_replica_state old = replica->state;

	replica->state = state;
	replica->stale = false;
	if (replica->callback)
		replica->callback(state.model, NULL, state.revision, replica->userdata);
	/* Under the lock: resources are counted without atomics, and the callback may have kept some. */
	vd_replica_state_clear(&old);
	pthread_cond_broadcast(&replica->changed);
	r = vd_store_watch(replica->store, VD_STORE_PREFIX, state.revision + 1, &watch_callbacks, replica, &replica->watch, error);
	if (r < 0)
		stale_set(replica);
	pthread_mutex_unlock(&replica->lock);
	return r;
}

/* Reads everything anew when the watch could not go on. */
static void *replica_run(void *userdata)
{
	struct vd_replica *replica = userdata;

	pthread_mutex_lock(&replica->lock);
	while (!replica->stopping) {
		struct vd_watch *watch;
		int64_t deadline;
		int r;

		if (!replica->stale) {
			pthread_cond_wait(&replica->changed, &replica->lock);
			continue;
		}
		watch = VD_TAKE(replica->watch);
		pthread_mutex_unlock(&replica->lock);
		vd_watch_free(watch);
		r = replica_load(replica, NULL);
		pthread_mutex_lock(&replica->lock);
		deadline = vd_clock_ms() + RELOAD_PAUSE_MS;
		while (r < 0 && !replica->stopping && changed_wait(replica, deadline))
			;
	}
	pthread_mutex_unlock(&replica->lock);
	return NULL;
}

static void replica_destroy(struct vd_replica *replica)
{
	vd_watch_free(replica->watch);
	vd_replica_state_clear(&replica->state);
	pthread_cond_destroy(&replica->changed);
	pthread_mutex_destroy(&replica->lock);
	pthread_mutex_destroy(&replica->writing);
	free(replica);
}

static void replica_locks_init(struct vd_replica *replica)
{
	pthread_mutexattr_t mutex;

	/* A callback may ask what else the replica knows. */
	pthread_mutexattr_init(&mutex);
	pthread_mutexattr_settype(&mutex, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&replica->lock, &mutex);
	pthread_mutexattr_destroy(&mutex);
	pthread_mutex_init(&replica->writing, NULL);
	vd_clock_cond_init(&replica->changed);
}

int vd_replica_new(struct vd_store *store, vd_replica_callback *callback, void *userdata, struct vd_replica **ret,
		   struct vd_error *error)
{
	struct vd_replica *replica = calloc(1, sizeof(*replica));
	int r;

	if (!replica)
		return -ENOMEM;
	replica->store = store;
	replica->callback = callback;
	replica->userdata = userdata;
	replica_locks_init(replica);
	r = replica_load(replica, error);
	if (r == 0) {
		r = -pthread_create(&replica->thread, NULL, replica_run, replica);
		if (r < 0)
			vd_error_set(error, r, "store: cannot start a thread that follows it");
	}
	if (r < 0) {
		replica_destroy(replica);
		return r;
	}
	*ret = replica;
	return 0;
}

void vd_replica_free(struct vd_replica *replica)
{
	if (!replica)
		return;
	pthread_mutex_lock(&replica->lock);
	replica->stopping = true;
	pthread_cond_broadcast(&replica->changed);
	pthread_mutex_unlock(&replica->lock);
	pthread_join(replica->thread, NULL);
	replica_destroy(replica);
}

const struct vd_model *vd_replica_lock(struct vd_replica *replica, int64_t *ret_revision, int64_t *ret_epoch, uint32_t *ret_next_id)
{
	pthread_mutex_lock(&replica->lock);
	if (ret_revision)
		*ret_revision = replica->state.revision;
	if (ret_epoch)
		*ret_epoch = replica->state.epoch;
	if (ret_next_id)
		*ret_next_id = replica->state.next_id;
	return replica->state.model;
}

void vd_replica_unlock(struct vd_replica *replica)
{
	pthread_mutex_unlock(&replica->lock);
}

int vd_replica_wait(struct vd_replica *replica, int64_t revision, unsigned timeout_ms)
{
	int64_t deadline = vd_clock_ms() + timeout_ms;
	int r;

	pthread_mutex_lock(&replica->lock);
	while (replica->state.revision < revision && changed_wait(replica, deadline))
		;
	r = replica->state.revision < revision ? -ETIMEDOUT : 0;
	pthread_mutex_unlock(&replica->lock);
	return r;
}

json_t *vd_replica_problems(struct vd_replica *replica)
{
	json_t *problems;

	pthread_mutex_lock(&replica->lock);
	problems = vd_replica_state_problems(&replica->state);
	pthread_mutex_unlock(&replica->lock);
	if (json_array_size(problems) > 0)
		return problems;
	json_decref(problems);
	return NULL;
}

int vd_replica_lease(struct vd_replica *replica, int64_t *ret, struct vd_error *error)
{
	int64_t now = vd_clock_ms() / 1000, lease;
	int r;

	pthread_mutex_lock(&replica->lock);
	lease = now < replica->lease_until ? replica->lease : 0;
	pthread_mutex_unlock(&replica->lock);
	if (!lease) {
		r = vd_store_lease_grant(replica->store, LEASE_TTL, &lease, error);
		if (r < 0)
			return r;
		pthread_mutex_lock(&replica->lock);
		replica->lease = lease;
		replica->lease_until = now + LEASE_TTL - REQUEST_TTL;
		pthread_mutex_unlock(&replica->lock);
	}
	*ret = lease;
	return 0;
}
