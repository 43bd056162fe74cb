/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>
#include <time.h>

VD_DEFINE_CLEANUP(struct vd_kvs, vd_kvs_free)

/*
 * A watch is a thread that reads what was written since it last looked, so that a slow one costs no memory and holds up nobody.
 */
struct sqlite_watch {
	struct vd_watch watch;
	struct vd_sqlite *sqlite;
	char *prefix;
	size_t prefix_size;
	int64_t next; /* the first revision not delivered */
	struct vd_watch_callbacks callbacks;
	void *userdata;
	pthread_t thread;
	bool stop; /* guarded by the store's state lock */
};

/* A batch ends with the revision in which it gets so many events. */
#define BATCH 512

/* Waits until there are revisions to deliver. false: stop. */
static bool watch_wait(struct sqlite_watch *watch, int64_t *ret_target)
{
	struct vd_sqlite *sqlite = watch->sqlite;
	bool stop;

	pthread_mutex_lock(&sqlite->state);
	while (!watch->stop && sqlite->revision < watch->next)
		pthread_cond_wait(&sqlite->moved, &sqlite->state);
	*ret_target = sqlite->revision;
	stop = watch->stop;
	pthread_mutex_unlock(&sqlite->state);
	return !stop;
}

/* Adds the rows with the prefix from next to target, cut behind a whole revision; ret_target: the last revision looked at. */
static int rows_read(struct sqlite_watch *watch, int64_t target, struct vd_kvs *kvs, int64_t *ret_target)
{
	sqlite3_stmt *statement = vd_sqlite_statement(&watch->sqlite->reader, VD_SQLITE_STATEMENT_EVENTS);
	int64_t last = watch->next;
	int r;

	sqlite3_bind_int64(statement, 1, watch->next);
	sqlite3_bind_int64(statement, 2, target);
	*ret_target = target;
	while ((r = sqlite3_step(statement)) == SQLITE_ROW) {
		int64_t revision = sqlite3_column_int64(statement, 3);
		const void *key = sqlite3_column_blob(statement, 0);

		if (revision != last && kvs->count >= BATCH) {
			*ret_target = last;
			break;
		}
		last = revision;
		if ((size_t)sqlite3_column_bytes(statement, 0) < watch->prefix_size ||
		    memcmp(key, watch->prefix, watch->prefix_size))
			continue;
		if (!vd_sqlite_row(statement, kvs)) {
			r = SQLITE_NOMEM;
			break;
		}
	}
	sqlite3_reset(statement);
	return r == SQLITE_ROW || r == SQLITE_DONE ? 0 : -EIO;
}

/* -ESTALE: what to deliver next is forgotten; ret_target is then where the store begins. */
static int batch_read(struct sqlite_watch *watch, int64_t target, struct vd_kvs *kvs, int64_t *ret_target)
{
	struct vd_sqlite_connection *reader = &watch->sqlite->reader;
	int64_t compacted;
	int r;

	pthread_mutex_lock(&reader->lock);
	r = vd_sqlite_run(reader, vd_sqlite_statement(reader, VD_SQLITE_STATEMENT_BEGIN_READ), NULL);
	if (r == 0) {
		r = vd_sqlite_meta_get(reader, "compacted", &compacted, NULL);
		if (r == 0 && watch->next < compacted) {
			*ret_target = compacted;
			r = -ESTALE;
		}
		if (r == 0)
			r = rows_read(watch, target, kvs, ret_target);
		vd_sqlite_run(reader, vd_sqlite_statement(reader, VD_SQLITE_STATEMENT_COMMIT), NULL);
	}
	pthread_mutex_unlock(&reader->lock);
	return r;
}

/* One call for each revision. */
static int batch_deliver(struct sqlite_watch *watch, const struct vd_kvs *kvs, int64_t target)
{
	VD_FREE struct vd_event *events = NULL;
	size_t start = 0;

	if (!kvs->count) {
		watch->callbacks.events(NULL, 0, target, watch->userdata);
		return 0;
	}
	events = calloc(kvs->count, sizeof(*events));
	if (!events)
		return -ENOMEM;
	for (size_t i = 0; i < kvs->count; i++) {
		/* Only a deletion's row has version 0. */
		events[i] = (struct vd_event){.is_delete = kvs->items[i].version == 0, .kv = kvs->items[i]};
		if (i + 1 < kvs->count && kvs->items[i + 1].mod_revision == kvs->items[i].mod_revision)
			continue;
		watch->callbacks.events(&events[start], i + 1 - start, kvs->items[i].mod_revision, watch->userdata);
		start = i + 1;
	}
	if (kvs->items[kvs->count - 1].mod_revision < target)
		watch->callbacks.events(NULL, 0, target, watch->userdata);
	return 0;
}

/* 0, -ESTALE when the watch has ended, or another error: nothing was delivered, try again. */
static int watch_step(struct sqlite_watch *watch, int64_t target)
{
	VD_CLEANUP(vd_kvs_free_cleanup) struct vd_kvs *kvs = vd_kvs_new();
	int64_t last = 0;
	int r;

	if (!kvs)
		return -ENOMEM;
	r = batch_read(watch, target, kvs, &last);
	if (r == -ESTALE)
		watch->callbacks.compacted(last, watch->userdata);
	if (r < 0)
		return r;
	r = batch_deliver(watch, kvs, last);
	if (r == 0)
		watch->next = last + 1;
	return r;
}

static void *watch_run(void *userdata)
{
	struct sqlite_watch *watch = userdata;
	bool lost = false;
	int64_t target;

	while (watch_wait(watch, &target)) {
		int r = watch_step(watch, target);

		if (r == -ESTALE)
			break;
		if (lost != (r < 0)) {
			lost = r < 0;
			if (watch->callbacks.interrupted)
				watch->callbacks.interrupted(lost, watch->userdata);
		}
		if (r < 0)
			nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
	}
	return NULL;
}

int vd_sqlite_watch(struct vd_store *store, const char *prefix, int64_t start, const struct vd_watch_callbacks *callbacks,
		    void *userdata, struct vd_watch **ret, struct vd_error *error)
{
	struct vd_sqlite *sqlite = (struct vd_sqlite *)store;
	VD_FREE struct sqlite_watch *watch = calloc(1, sizeof(*watch));
	VD_FREE char *prefix_copy = strdup(prefix);
	int r;

	if (!watch || !prefix_copy)
		return -ENOMEM;
	watch->watch.store = store;
	watch->sqlite = sqlite;
	watch->prefix = prefix_copy;
	watch->prefix_size = strlen(prefix);
	watch->callbacks = *callbacks;
	watch->userdata = userdata;
	watch->next = start;
	if (start <= 0) {
		pthread_mutex_lock(&sqlite->state);
		watch->next = sqlite->revision + 1;
		pthread_mutex_unlock(&sqlite->state);
	}
	r = pthread_create(&watch->thread, NULL, watch_run, watch);
	if (r)
		return vd_error_set(error, -r, "store %s: cannot start a thread for a watch", sqlite->path);
	VD_TAKE(prefix_copy);
	*ret = &VD_TAKE(watch)->watch;
	return 0;
}

void vd_sqlite_watch_free(struct vd_watch *base)
{
	struct sqlite_watch *watch = (struct sqlite_watch *)base;

	pthread_mutex_lock(&watch->sqlite->state);
	watch->stop = true;
	pthread_cond_broadcast(&watch->sqlite->moved);
	pthread_mutex_unlock(&watch->sqlite->state);
	pthread_join(watch->thread, NULL);
	free(watch->prefix);
	free(watch);
}
