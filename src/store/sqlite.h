/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_STORE_SQLITE_H
#define VD_STORE_SQLITE_H

#include "store/engine.h"

#include <pthread.h>
#include <sqlite3.h>

/*
 * The engine sqlite, between its own files: sqlite.c (the file, ranges), sqlite_txn.c (writes), sqlite_watch.c, sqlite_lease.c.
 *
 * Table kv has a row per key and revision in which it changed: a value until the revision `until` (0: still), or a deletion
 * (value NULL). Two connections: one writes, one reads, so that a long read does not hold up a write.
 * Lock order: connection, then state.
 */

/* X(NAME, text) — every statement that runs more than once. */
#define VD_SQLITE_STATEMENTS(X) \
	X(BEGIN, "BEGIN IMMEDIATE") \
	X(BEGIN_READ, "BEGIN") \
	X(COMMIT, "COMMIT") \
	X(ROLLBACK, "ROLLBACK") \
	X(META_GET, "SELECT value FROM meta WHERE name = ?1") \
	X(META_SET, "UPDATE meta SET value = ?2 WHERE name = ?1") \
	X(RANGE_NOW, "SELECT key, value, create_revision, mod_revision, version, lease FROM kv " \
		     "WHERE until = 0 AND key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3") \
	X(RANGE_AT, "SELECT key, value, create_revision, mod_revision, version, lease FROM kv " \
		    "WHERE key >= ?1 AND key < ?2 AND mod_revision <= ?4 AND (until = 0 OR until > ?4) AND value IS NOT NULL " \
		    "ORDER BY key LIMIT ?3") \
	X(EVENTS, "SELECT key, value, create_revision, mod_revision, version, lease FROM kv " \
		  "WHERE mod_revision >= ?1 AND mod_revision <= ?2 ORDER BY mod_revision, id") \
	X(HEAD, "SELECT id, create_revision, mod_revision, version, lease, value FROM kv WHERE until = 0 AND key = ?1") \
	X(SUPERSEDE, "UPDATE kv SET until = ?2 WHERE id = ?1") \
	X(PUT, \
	  "INSERT INTO kv (key, mod_revision, until, create_revision, version, lease, value) VALUES (?1, ?2, 0, ?3, ?4, ?5, ?6)") \
	X(DELETE_MARK, "INSERT INTO kv (key, mod_revision, until, create_revision, version, lease, value) " \
		       "SELECT key, ?3, ?3 + 1, 0, 0, 0, NULL FROM kv WHERE until = 0 AND key >= ?1 AND key < ?2 ORDER BY key") \
	X(DELETE_END, "UPDATE kv SET until = ?3 WHERE until = 0 AND key >= ?1 AND key < ?2") \
	X(LEASE_MARK, "INSERT INTO kv (key, mod_revision, until, create_revision, version, lease, value) " \
		      "SELECT key, ?2, ?2 + 1, 0, 0, 0, NULL FROM kv WHERE until = 0 AND lease != 0 AND lease = ?1 ORDER BY key") \
	X(LEASE_END, "UPDATE kv SET until = ?2 WHERE until = 0 AND lease != 0 AND lease = ?1") \
	X(LEASE_PUT, "INSERT INTO lease (id, ttl) VALUES (?1, ?2)") \
	X(LEASE_DELETE, "DELETE FROM lease WHERE id = ?1") \
	X(COMPACT, "DELETE FROM kv WHERE until != 0 AND until <= ?1")

enum vd_sqlite_statement {
#define X(name, text) VD_SQLITE_STATEMENT_##name,
	VD_SQLITE_STATEMENTS(X)
#undef X
		VD_SQLITE_STATEMENT_COUNT,
};

struct vd_sqlite_connection {
	pthread_mutex_t lock; /* held from a statement's bind to its reset, and over a whole transaction */
	sqlite3 *db;
	sqlite3_stmt *statements[VD_SQLITE_STATEMENT_COUNT];
	const char *path; /* for sentences */
};

struct vd_sqlite_lease;

struct vd_sqlite {
	struct vd_store store;
	char *path;
	int lock_fd;
	struct vd_sqlite_connection writer, reader;
	pthread_mutex_t state; /* guards what follows */
	pthread_cond_t moved;  /* revision moved, or a watch is told to stop */
	pthread_cond_t wake;   /* the housekeeper has a new earliest deadline, or must stop */
	int64_t revision;      /* the last one committed */
	int64_t compacted;     /* what was before it is forgotten */
	struct vd_sqlite_lease *leases;
	int64_t looked; /* CLOCK_MONOTONIC, milliseconds: when somebody last looked at the leases' time */
	bool stopping;
	bool has_housekeeper;
	pthread_t housekeeper;
};

/* A store keeps about this many revisions for watches that lag; more are forgotten in strides. */
#define VD_SQLITE_REVISIONS_KEPT 10000
#define VD_SQLITE_REVISIONS_STRIDE 1000

/* The statement, reset, with no bindings. The connection's lock is held. */
sqlite3_stmt *vd_sqlite_statement(struct vd_sqlite_connection *connection, enum vd_sqlite_statement statement);
/* Steps a statement that gives no rows. */
int vd_sqlite_run(struct vd_sqlite_connection *connection, sqlite3_stmt *statement, struct vd_error *error);
/* The sentence and errno of what the connection just failed with. */
int vd_sqlite_error(struct vd_sqlite_connection *connection, struct vd_error *error);
int vd_sqlite_meta_get(struct vd_sqlite_connection *connection, const char *name, int64_t *ret, struct vd_error *error);
/* Binds the range's ends to ?1 and ?2. */
void vd_sqlite_bind_range(sqlite3_stmt *statement, const char *from, const char *end, size_t end_size);
/* Adds the statement's current row (columns as RANGE_NOW has them). NULL: out of memory. */
struct vd_kv *vd_sqlite_row(sqlite3_stmt *statement, struct vd_kvs *kvs);
/* Runs a bound range statement to its end; with limit > 0 it was bound to one row more, which only sets more. */
int vd_sqlite_rows(struct vd_sqlite_connection *connection, sqlite3_stmt *statement, size_t limit, struct vd_kvs *kvs,
		   struct vd_error *error);

/* sqlite_txn.c. Begin takes the writer's lock; end commits (or rolls back when r < 0), publishes the revision, and gives the lock
 * back; returns r, or what the commit failed with. revision: what the store has after it, if it is not the one before. */
int vd_sqlite_write_begin(struct vd_sqlite *sqlite, struct vd_error *error);
int vd_sqlite_write_end(struct vd_sqlite *sqlite, int r, int64_t revision, struct vd_error *error);
int vd_sqlite_txn(struct vd_store *store, const struct vd_txn *txn, struct vd_txn_result **ret, struct vd_error *error);
int vd_sqlite_compact(struct vd_store *store, int64_t revision, struct vd_error *error);

/* sqlite_watch.c */
int vd_sqlite_watch(struct vd_store *store, const char *prefix, int64_t start, const struct vd_watch_callbacks *callbacks,
		    void *userdata, struct vd_watch **ret, struct vd_error *error);
void vd_sqlite_watch_free(struct vd_watch *watch);

/* sqlite_lease.c. Load reads the table and gives every lease its full ttl; start runs the thread that ends leases and compacts. */
int vd_sqlite_leases_load(struct vd_sqlite *sqlite, struct vd_error *error);
int vd_sqlite_housekeeper_start(struct vd_sqlite *sqlite, struct vd_error *error);
void vd_sqlite_housekeeper_stop(struct vd_sqlite *sqlite);
void vd_sqlite_leases_free(struct vd_sqlite *sqlite);
/* The writer's lock is held. */
bool vd_sqlite_lease_exists(struct vd_sqlite *sqlite, int64_t lease);
int vd_sqlite_lease_grant(struct vd_store *store, int64_t ttl, int64_t *ret_lease, struct vd_error *error);
int vd_sqlite_lease_keepalive(struct vd_store *store, int64_t lease, int64_t *ret_ttl, struct vd_error *error);
int vd_sqlite_lease_revoke(struct vd_store *store, int64_t lease, struct vd_error *error);

#endif
