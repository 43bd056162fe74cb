/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

VD_DEFINE_CLEANUP(struct vd_kvs, vd_kvs_free)

#define FORMAT 1 /* PRAGMA user_version */

/*
 * WAL lets the reader work beside the writer. synchronous=FULL: in WAL mode NORMAL does not sync the log at a commit, so a
 * power loss could take back a transaction that was acknowledged, and with it an address that another host already uses.
 */
static const char setup_text[] = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000;";

static const char schema_text[] =
	"BEGIN IMMEDIATE;"
	"CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL);"
	/* An empty etcd is at revision 1. */
	"INSERT INTO meta VALUES ('revision', 1), ('compacted', 0);"
	"CREATE TABLE kv (id INTEGER PRIMARY KEY, key BLOB NOT NULL, mod_revision INTEGER NOT NULL, until INTEGER NOT NULL,"
	" create_revision INTEGER NOT NULL, version INTEGER NOT NULL, lease INTEGER NOT NULL, value BLOB);"
	"CREATE UNIQUE INDEX kv_now ON kv (key) WHERE until = 0;"
	"CREATE INDEX kv_key ON kv (key, mod_revision);"
	"CREATE INDEX kv_revision ON kv (mod_revision);"
	"CREATE INDEX kv_until ON kv (until) WHERE until != 0;"
	"CREATE INDEX kv_lease ON kv (lease) WHERE until = 0 AND lease != 0;"
	"CREATE TABLE lease (id INTEGER PRIMARY KEY, ttl INTEGER NOT NULL);"
	"PRAGMA user_version = 1;"
	"COMMIT;";

static const char *const statement_texts[VD_SQLITE_STATEMENT_COUNT] = {
#define X(name, text) [VD_SQLITE_STATEMENT_##name] = text,
	VD_SQLITE_STATEMENTS(X)
#undef X
};

int vd_sqlite_error(struct vd_sqlite_connection *connection, struct vd_error *error)
{
	int code = sqlite3_errcode(connection->db);
	int r = code == SQLITE_FULL ? -ENOSPC : code == SQLITE_NOMEM ? -ENOMEM : -EIO;

	return vd_error_set(error, r, "store %s: %s%s", connection->path, sqlite3_errmsg(connection->db),
			    code == SQLITE_FULL ? "; make room on its disk" : "");
}

sqlite3_stmt *vd_sqlite_statement(struct vd_sqlite_connection *connection, enum vd_sqlite_statement statement)
{
	sqlite3_stmt *prepared = connection->statements[statement];

	sqlite3_reset(prepared);
	sqlite3_clear_bindings(prepared);
	return prepared;
}

int vd_sqlite_run(struct vd_sqlite_connection *connection, sqlite3_stmt *statement, struct vd_error *error)
{
	int r = sqlite3_step(statement);

	if (r != SQLITE_DONE && r != SQLITE_ROW)
		r = vd_sqlite_error(connection, error);
	else
		r = 0;
	sqlite3_reset(statement);
	return r;
}

int vd_sqlite_meta_get(struct vd_sqlite_connection *connection, const char *name, int64_t *ret, struct vd_error *error)
{
	sqlite3_stmt *statement = vd_sqlite_statement(connection, VD_SQLITE_STATEMENT_META_GET);
	int r;

	sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
	r = sqlite3_step(statement);
	if (r == SQLITE_ROW) {
		*ret = sqlite3_column_int64(statement, 0);
		r = 0;
	} else if (r == SQLITE_DONE) {
		r = vd_error_set(error, -EIO, "store %s: the file is damaged: it has no %s; restore a backup", connection->path,
				 name);
	} else {
		r = vd_sqlite_error(connection, error);
	}
	sqlite3_reset(statement);
	return r;
}

void vd_sqlite_bind_range(sqlite3_stmt *statement, const char *from, const char *end, size_t end_size)
{
	/* Keys are text, and 0xff is in no UTF-8: this is behind all of them. */
	static const char behind_all[] = "\xff\xff\xff\xff";

	sqlite3_bind_blob(statement, 1, from, (int)strlen(from), SQLITE_STATIC);
	if (vd_key_end_is_none(end, end_size))
		sqlite3_bind_blob(statement, 2, behind_all, sizeof(behind_all) - 1, SQLITE_STATIC);
	else
		sqlite3_bind_blob(statement, 2, end, (int)end_size, SQLITE_STATIC);
}

struct vd_kv *vd_sqlite_row(sqlite3_stmt *statement, struct vd_kvs *kvs)
{
	struct vd_kv *kv = vd_kvs_append(kvs, sqlite3_column_blob(statement, 0), (size_t)sqlite3_column_bytes(statement, 0),
					 sqlite3_column_blob(statement, 1), (size_t)sqlite3_column_bytes(statement, 1));

	if (!kv)
		return NULL;
	kv->create_revision = sqlite3_column_int64(statement, 2);
	kv->mod_revision = sqlite3_column_int64(statement, 3);
	kv->version = sqlite3_column_int64(statement, 4);
	kv->lease = sqlite3_column_int64(statement, 5);
	return kv;
}

int vd_sqlite_rows(struct vd_sqlite_connection *connection, sqlite3_stmt *statement, size_t limit, struct vd_kvs *kvs,
		   struct vd_error *error)
{
	int r;

	while ((r = sqlite3_step(statement)) == SQLITE_ROW) {
		if (limit && kvs->count == limit) {
			kvs->more = true;
			break;
		}
		if (!vd_sqlite_row(statement, kvs)) {
			sqlite3_reset(statement);
			return -ENOMEM;
		}
	}
	r = r == SQLITE_ROW || r == SQLITE_DONE ? 0 : vd_sqlite_error(connection, error);
	sqlite3_reset(statement);
	return r;
}

static int range_read(struct vd_sqlite *sqlite, const char *from, const char *end, size_t end_size, int64_t revision, size_t limit,
		      struct vd_kvs *kvs, struct vd_error *error)
{
	struct vd_sqlite_connection *reader = &sqlite->reader;
	sqlite3_stmt *statement;
	int64_t compacted;
	int r;

	r = vd_sqlite_meta_get(reader, "revision", &kvs->revision, error);
	if (r < 0)
		return r;
	r = vd_sqlite_meta_get(reader, "compacted", &compacted, error);
	if (r < 0)
		return r;
	if (revision > kvs->revision)
		return vd_error_set(error, -EINVAL, "store %s: revision %" PRId64 " is not written yet", sqlite->path, revision);
	if (revision > 0 && revision < compacted)
		return vd_error_set(error, -ESTALE, "store %s: revision %" PRId64 " is forgotten, the oldest is %" PRId64,
				    sqlite->path, revision, compacted);
	statement = vd_sqlite_statement(reader, revision > 0 ? VD_SQLITE_STATEMENT_RANGE_AT : VD_SQLITE_STATEMENT_RANGE_NOW);
	vd_sqlite_bind_range(statement, from, end, end_size);
	sqlite3_bind_int64(statement, 3, limit && limit < INT64_MAX ? (int64_t)limit + 1 : -1);
	if (revision > 0)
		sqlite3_bind_int64(statement, 4, revision);
	return vd_sqlite_rows(reader, statement, limit, kvs, error);
}

static int sqlite_range(struct vd_store *store, const char *from, const char *end, size_t end_size, int64_t revision, size_t limit,
			struct vd_kvs **ret, struct vd_error *error)
{
	struct vd_sqlite *sqlite = (struct vd_sqlite *)store;
	struct vd_sqlite_connection *reader = &sqlite->reader;
	VD_CLEANUP(vd_kvs_free_cleanup) struct vd_kvs *kvs = vd_kvs_new();
	int r;

	if (!kvs)
		return -ENOMEM;
	pthread_mutex_lock(&reader->lock);
	r = vd_sqlite_run(reader, vd_sqlite_statement(reader, VD_SQLITE_STATEMENT_BEGIN_READ), error);
	if (r == 0) {
		r = range_read(sqlite, from, end, end_size, revision, limit, kvs, error);
		vd_sqlite_run(reader, vd_sqlite_statement(reader, VD_SQLITE_STATEMENT_COMMIT), NULL);
	}
	pthread_mutex_unlock(&reader->lock);
	if (r == 0)
		*ret = VD_TAKE(kvs);
	return r;
}

static void connection_close(struct vd_sqlite_connection *connection)
{
	for (size_t i = 0; i < VD_SQLITE_STATEMENT_COUNT; i++)
		sqlite3_finalize(connection->statements[i]);
	sqlite3_close(connection->db);
	pthread_mutex_destroy(&connection->lock);
}

static int connection_exec(struct vd_sqlite_connection *connection, const char *text, struct vd_error *error)
{
	return sqlite3_exec(connection->db, text, NULL, NULL, NULL) == SQLITE_OK ? 0 : vd_sqlite_error(connection, error);
}

static int schema_check(struct vd_sqlite_connection *connection, struct vd_error *error)
{
	sqlite3_stmt *statement;
	int version, r;

	if (sqlite3_prepare_v2(connection->db, "SELECT user_version, (SELECT count(*) FROM sqlite_schema) FROM pragma_user_version",
			       -1, &statement, NULL) != SQLITE_OK)
		return vd_sqlite_error(connection, error);
	r = sqlite3_step(statement);
	if (r != SQLITE_ROW) {
		r = vd_sqlite_error(connection, error);
		sqlite3_finalize(statement);
		return r;
	}
	version = sqlite3_column_int(statement, 0);
	r = sqlite3_column_int(statement, 1);
	sqlite3_finalize(statement);
	if (version == 0 && r == 0)
		return connection_exec(connection, schema_text, error);
	if (version != FORMAT)
		return vd_error_set(error, -EINVAL,
				    "store %s: the file has format %d, this build reads format %d; use the viaductd that wrote it",
				    connection->path, version, FORMAT);
	return 0;
}

static int connection_open(struct vd_sqlite_connection *connection, const char *path, bool writer, struct vd_error *error)
{
	int r;

	connection->path = path;
	/* Our own lock covers every use: SQLite's would be taken for nothing. */
	if (sqlite3_open_v2(path, &connection->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		return connection->db ? vd_sqlite_error(connection, error) : -ENOMEM;
	r = connection_exec(connection, setup_text, error);
	if (r < 0)
		return r;
	r = writer ? schema_check(connection, error) : connection_exec(connection, "PRAGMA query_only = 1", error);
	if (r < 0)
		return r;
	for (size_t i = 0; i < VD_SQLITE_STATEMENT_COUNT; i++)
		if (sqlite3_prepare_v3(connection->db, statement_texts[i], -1, SQLITE_PREPARE_PERSISTENT,
				       &connection->statements[i], NULL) != SQLITE_OK)
			return vd_sqlite_error(connection, error);
	return 0;
}

/* A lock file of its own: closing a descriptor of the database would drop the locks that SQLite holds in this process. */
static int lock_take(struct vd_sqlite *sqlite, struct vd_error *error)
{
	VD_FREE char *path = NULL;

	if (asprintf(&path, "%s.lock", sqlite->path) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	sqlite->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (sqlite->lock_fd < 0)
		return vd_error_set(error, -errno,
				    "store %s: cannot open its lock file: %m; make its directory and let this user write there",
				    sqlite->path);
	if (flock(sqlite->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK
			       ? vd_error_set(
					 error, -EBUSY,
					 "store %s: another process has it open; only one viaductd may: let the others join it by "
					 "--store etcd://",
					 sqlite->path)
			       : vd_error_set(error, -errno, "store %s: cannot lock it: %m", sqlite->path);
	return 0;
}

static int file_make(const char *path, struct vd_error *error)
{
	VD_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	/* SQLite gives its -wal and -shm files the mode of this one. */
	if (fd < 0 || fchmod(fd, 0600) < 0)
		return vd_error_set(error, -errno, "store %s: cannot open it: %m", path);
	return 0;
}

static void sqlite_close(struct vd_store *store)
{
	struct vd_sqlite *sqlite = (struct vd_sqlite *)store;

	vd_sqlite_housekeeper_stop(sqlite);
	vd_sqlite_leases_free(sqlite);
	connection_close(&sqlite->reader);
	/* Last: the last connection to close folds the log into the file. */
	connection_close(&sqlite->writer);
	vd_cleanup_close(&sqlite->lock_fd);
	pthread_cond_destroy(&sqlite->moved);
	pthread_cond_destroy(&sqlite->wake);
	pthread_mutex_destroy(&sqlite->state);
	free(sqlite->path);
	free(sqlite);
}

static const struct vd_store_engine engine = {
	.close = sqlite_close,
	.range = sqlite_range,
	.txn = vd_sqlite_txn,
	.watch = vd_sqlite_watch,
	.watch_free = vd_sqlite_watch_free,
	.lease_grant = vd_sqlite_lease_grant,
	.lease_keepalive = vd_sqlite_lease_keepalive,
	.lease_revoke = vd_sqlite_lease_revoke,
	.compact = vd_sqlite_compact,
};

static struct vd_sqlite *sqlite_new(const char *path)
{
	struct vd_sqlite *sqlite = calloc(1, sizeof(*sqlite));
	pthread_condattr_t attributes;

	if (!sqlite)
		return NULL;
	sqlite->path = strdup(path);
	if (!sqlite->path) {
		free(sqlite);
		return NULL;
	}
	sqlite->store.engine = &engine;
	sqlite->lock_fd = -1;
	pthread_mutex_init(&sqlite->writer.lock, NULL);
	pthread_mutex_init(&sqlite->reader.lock, NULL);
	pthread_mutex_init(&sqlite->state, NULL);
	pthread_cond_init(&sqlite->moved, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&sqlite->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	return sqlite;
}

static int sqlite_start(struct vd_sqlite *sqlite, struct vd_error *error)
{
	int r = lock_take(sqlite, error);

	if (r < 0)
		return r;
	r = file_make(sqlite->path, error);
	if (r < 0)
		return r;
	r = connection_open(&sqlite->writer, sqlite->path, true, error);
	if (r < 0)
		return r;
	r = connection_open(&sqlite->reader, sqlite->path, false, error);
	if (r < 0)
		return r;
	r = vd_sqlite_meta_get(&sqlite->writer, "revision", &sqlite->revision, error);
	if (r < 0)
		return r;
	r = vd_sqlite_meta_get(&sqlite->writer, "compacted", &sqlite->compacted, error);
	if (r < 0)
		return r;
	r = vd_sqlite_leases_load(sqlite, error);
	if (r < 0)
		return r;
	return vd_sqlite_housekeeper_start(sqlite, error);
}

int vd_sqlite_open(const char *path, struct vd_store **ret, struct vd_error *error)
{
	struct vd_sqlite *sqlite = sqlite_new(path);
	int r;

	if (!sqlite)
		return -ENOMEM;
	r = sqlite_start(sqlite, error);
	if (r < 0) {
		sqlite_close(&sqlite->store);
		return r;
	}
	*ret = &sqlite->store;
	return 0;
}
