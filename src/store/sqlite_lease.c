/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <uthash.h>

/*
 * The table keeps which leases there are, memory when they end. So a lease that ran out while no process held the store gets its
 * full ttl at open: its owner had nobody to ask. For the same reason the clock is one that stands still while the machine sleeps,
 * and time in which this process stood still does not count.
 */
struct vd_sqlite_lease {
	int64_t id, ttl;  /* seconds */
	int64_t deadline; /* CLOCK_MONOTONIC, milliseconds */
	UT_hash_handle hh;
};

/* After a failed write of the housekeeper (a full disk), in milliseconds. */
#define RETRY_MS 1000

/* While there are leases, the housekeeper looks at their time so often; when nobody has for so long, the process stood still. */
#define LOOK_MS 1000
#define STILL_MS 2000

/* The state lock is held. */
static struct vd_sqlite_lease *lease_find(struct vd_sqlite *sqlite, int64_t id)
{
	struct vd_sqlite_lease *lease = NULL;

	HASH_FIND(hh, sqlite->leases, &id, sizeof(id), lease);
	return lease;
}

/* What the time is for leases. The state lock is held, or nobody else knows the store. */
static int64_t lease_clock(struct vd_sqlite *sqlite)
{
	int64_t now = vd_clock_ms(), still = now - sqlite->looked;
	struct vd_sqlite_lease *lease, *next;

	if (still > STILL_MS)
		HASH_ITER (hh, sqlite->leases, lease, next)
			lease->deadline += still;
	sqlite->looked = now;
	return now;
}

/* The state lock is held, or nobody else knows the store. */
static int lease_add(struct vd_sqlite *sqlite, int64_t id, int64_t ttl)
{
	struct vd_sqlite_lease *lease = calloc(1, sizeof(*lease));

	if (!lease)
		return -ENOMEM;
	lease->id = id;
	lease->ttl = ttl;
	lease->deadline = lease_clock(sqlite) + ttl * 1000;
	HASH_ADD(hh, sqlite->leases, id, sizeof(lease->id), lease);
	return 0;
}

/* Deletes the lease with its keys, in a transaction that has begun. */
static int lease_end(struct vd_sqlite *sqlite, int64_t id, int64_t *revision, struct vd_error *error)
{
	static const enum vd_sqlite_statement steps[] = {VD_SQLITE_STATEMENT_LEASE_MARK, VD_SQLITE_STATEMENT_LEASE_END};
	sqlite3_stmt *statement;
	int r;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		statement = vd_sqlite_statement(&sqlite->writer, steps[i]);
		sqlite3_bind_int64(statement, 1, id);
		sqlite3_bind_int64(statement, 2, sqlite->revision + 1);
		r = vd_sqlite_run(&sqlite->writer, statement, error);
		if (r < 0)
			return r;
		if (sqlite3_changes(sqlite->writer.db) > 0)
			*revision = sqlite->revision + 1;
	}
	statement = vd_sqlite_statement(&sqlite->writer, VD_SQLITE_STATEMENT_LEASE_DELETE);
	sqlite3_bind_int64(statement, 1, id);
	return vd_sqlite_run(&sqlite->writer, statement, error);
}

/*
 * Ends the lease; only_expired: unless it was kept alive since. It leaves the hash first: from then on keepalive refuses it, and
 * comes back should the write fail.
 */
static int lease_remove(struct vd_sqlite *sqlite, int64_t id, bool only_expired, struct vd_error *error)
{
	struct vd_sqlite_lease *lease;
	int64_t revision = 0;
	int r = vd_sqlite_write_begin(sqlite, error);

	if (r < 0)
		return r;
	revision = sqlite->revision;
	pthread_mutex_lock(&sqlite->state);
	lease = lease_find(sqlite, id);
	if (lease && (!only_expired || lease_clock(sqlite) >= lease->deadline))
		HASH_DEL(sqlite->leases, lease);
	else
		lease = NULL;
	pthread_mutex_unlock(&sqlite->state);
	r = lease ? lease_end(sqlite, id, &revision, error) : -ENOENT;
	r = vd_sqlite_write_end(sqlite, r, revision, error);
	if (lease && r < 0) {
		pthread_mutex_lock(&sqlite->state);
		HASH_ADD(hh, sqlite->leases, id, sizeof(lease->id), lease);
		pthread_mutex_unlock(&sqlite->state);
	} else {
		free(lease);
	}
	return r;
}

static int unknown(struct vd_sqlite *sqlite, int64_t lease, struct vd_error *error)
{
	return vd_error_set(error, -ENOENT, "store %s: lease %" PRId64 " has ended", sqlite->path, lease);
}

int vd_sqlite_leases_load(struct vd_sqlite *sqlite, struct vd_error *error)
{
	sqlite3_stmt *statement;
	int r;

	if (sqlite3_prepare_v2(sqlite->writer.db, "SELECT id, ttl FROM lease", -1, &statement, NULL) != SQLITE_OK)
		return vd_sqlite_error(&sqlite->writer, error);
	while ((r = sqlite3_step(statement)) == SQLITE_ROW)
		if (lease_add(sqlite, sqlite3_column_int64(statement, 0), sqlite3_column_int64(statement, 1)) < 0)
			break;
	r = r == SQLITE_DONE ? 0 : r == SQLITE_ROW ? -ENOMEM : vd_sqlite_error(&sqlite->writer, error);
	sqlite3_finalize(statement);
	return r;
}

void vd_sqlite_leases_free(struct vd_sqlite *sqlite)
{
	struct vd_sqlite_lease *lease, *next;

	HASH_ITER (hh, sqlite->leases, lease, next) {
		HASH_DEL(sqlite->leases, lease);
		free(lease);
	}
}

bool vd_sqlite_lease_exists(struct vd_sqlite *sqlite, int64_t lease)
{
	bool exists;

	pthread_mutex_lock(&sqlite->state);
	exists = lease_find(sqlite, lease);
	pthread_mutex_unlock(&sqlite->state);
	return exists;
}

/* The transaction of a grant has begun. */
static int lease_insert(struct vd_sqlite *sqlite, int64_t id, int64_t ttl, struct vd_error *error)
{
	sqlite3_stmt *statement = vd_sqlite_statement(&sqlite->writer, VD_SQLITE_STATEMENT_LEASE_PUT);
	int r;

	sqlite3_bind_int64(statement, 1, id);
	sqlite3_bind_int64(statement, 2, ttl);
	r = vd_sqlite_run(&sqlite->writer, statement, error);
	if (r < 0)
		return r;
	pthread_mutex_lock(&sqlite->state);
	r = lease_add(sqlite, id, ttl);
	pthread_mutex_unlock(&sqlite->state);
	return r;
}

int vd_sqlite_lease_grant(struct vd_store *store, int64_t ttl, int64_t *ret_lease, struct vd_error *error)
{
	struct vd_sqlite *sqlite = (struct vd_sqlite *)store;
	int64_t id;
	int r;

	/* 62 random bits, so that ids of a restored older file are not given out again. */
	if (getrandom(&id, sizeof(id), 0) != sizeof(id))
		return -EIO;
	id = (id & INT64_C(0x3fffffffffffffff)) | 1;
	r = vd_sqlite_write_begin(sqlite, error);
	if (r < 0)
		return r;
	r = vd_sqlite_write_end(sqlite, lease_insert(sqlite, id, ttl, error), sqlite->revision, error);
	pthread_mutex_lock(&sqlite->state);
	if (r < 0) {
		struct vd_sqlite_lease *lease = lease_find(sqlite, id);

		if (lease)
			HASH_DEL(sqlite->leases, lease);
		free(lease);
	}
	pthread_cond_signal(&sqlite->wake);
	pthread_mutex_unlock(&sqlite->state);
	if (r == 0)
		*ret_lease = id;
	return r;
}

int vd_sqlite_lease_keepalive(struct vd_store *store, int64_t id, int64_t *ret_ttl, struct vd_error *error)
{
	struct vd_sqlite *sqlite = (struct vd_sqlite *)store;
	struct vd_sqlite_lease *lease;
	int64_t now;
	int r = 0;

	pthread_mutex_lock(&sqlite->state);
	now = lease_clock(sqlite);
	lease = lease_find(sqlite, id);
	if (lease && lease->deadline > now) {
		lease->deadline = now + lease->ttl * 1000;
		*ret_ttl = lease->ttl;
	} else {
		r = unknown(sqlite, id, error);
	}
	pthread_mutex_unlock(&sqlite->state);
	return r;
}

int vd_sqlite_lease_revoke(struct vd_store *store, int64_t id, struct vd_error *error)
{
	struct vd_sqlite *sqlite = (struct vd_sqlite *)store;
	int r = lease_remove(sqlite, id, false, error);

	return r == -ENOENT ? unknown(sqlite, id, error) : r;
}

/* The state lock is held. One that has ended, or 0; ret_look: when to look again. */
static int64_t lease_expired(struct vd_sqlite *sqlite, int64_t *ret_look)
{
	struct vd_sqlite_lease *lease, *next;
	int64_t now = lease_clock(sqlite);

	*ret_look = sqlite->leases ? now + LOOK_MS : INT64_MAX;
	HASH_ITER (hh, sqlite->leases, lease, next) {
		if (lease->deadline <= now)
			return lease->id;
		if (lease->deadline < *ret_look)
			*ret_look = lease->deadline;
	}
	return 0;
}

/* The state lock is held; waits for a signal or the deadline. */
static void wake_wait(struct vd_sqlite *sqlite, int64_t deadline)
{
	struct timespec until = {.tv_sec = deadline / 1000, .tv_nsec = deadline % 1000 * 1000000};

	if (deadline == INT64_MAX)
		pthread_cond_wait(&sqlite->wake, &sqlite->state);
	else
		pthread_cond_timedwait(&sqlite->wake, &sqlite->state, &until);
}

static void *housekeeper_run(void *userdata)
{
	struct vd_sqlite *sqlite = userdata;

	pthread_mutex_lock(&sqlite->state);
	while (!sqlite->stopping) {
		int64_t look, expired = lease_expired(sqlite, &look);
		int64_t excess = sqlite->revision - sqlite->compacted - VD_SQLITE_REVISIONS_KEPT;
		int64_t keep_from = sqlite->revision - VD_SQLITE_REVISIONS_KEPT;
		int r = 0;

		if (!expired && excess <= VD_SQLITE_REVISIONS_STRIDE) {
			wake_wait(sqlite, look);
			continue;
		}
		pthread_mutex_unlock(&sqlite->state);
		if (expired)
			r = lease_remove(sqlite, expired, true, NULL);
		else
			r = vd_sqlite_compact(&sqlite->store, keep_from, NULL);
		pthread_mutex_lock(&sqlite->state);
		if (r < 0 && r != -ENOENT && !sqlite->stopping)
			wake_wait(sqlite, vd_clock_ms() + RETRY_MS);
	}
	pthread_mutex_unlock(&sqlite->state);
	return NULL;
}

int vd_sqlite_housekeeper_start(struct vd_sqlite *sqlite, struct vd_error *error)
{
	int r = pthread_create(&sqlite->housekeeper, NULL, housekeeper_run, sqlite);

	if (r)
		return vd_error_set(error, -r, "store %s: cannot start its thread", sqlite->path);
	sqlite->has_housekeeper = true;
	return 0;
}

void vd_sqlite_housekeeper_stop(struct vd_sqlite *sqlite)
{
	if (!sqlite->has_housekeeper)
		return;
	pthread_mutex_lock(&sqlite->state);
	sqlite->stopping = true;
	pthread_cond_signal(&sqlite->wake);
	pthread_mutex_unlock(&sqlite->state);
	pthread_join(sqlite->housekeeper, NULL);
}
