/* SPDX-License-Identifier: Apache-2.0 */
#include "containers/file.h"

#include "base/cleanup.h"
#include "containers/row.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>

#define FORMAT 1 /* PRAGMA user_version */

static const char setup_text[] = "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;";

static const char schema_text[] =
	"CREATE TABLE boot (id TEXT NOT NULL);"
	"CREATE TABLE container (key TEXT PRIMARY KEY, domain INTEGER, address4 TEXT, address6 TEXT, body TEXT NOT NULL);"
	"CREATE UNIQUE INDEX container_address4 ON container (domain, address4);"
	"CREATE UNIQUE INDEX container_address6 ON container (domain, address6);"
	/* What was given last of a block; the id of a port: domain 0. */
	"CREATE TABLE last (domain INTEGER, block TEXT, given TEXT NOT NULL, PRIMARY KEY (domain, block));"
	"PRAGMA user_version = 1;";

enum statement {
	STATEMENT_PUT,
	STATEMENT_REMOVE,
	STATEMENT_LAST,
	STATEMENT_BEGIN,
	STATEMENT_COMMIT,
	STATEMENT_ROLLBACK,
	STATEMENT_COUNT,
};

static const char *const statement_texts[STATEMENT_COUNT] = {
	[STATEMENT_PUT] = ("INSERT INTO container VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (key) DO UPDATE SET "
			   "domain = ?2, address4 = ?3, address6 = ?4, body = ?5"),
	[STATEMENT_REMOVE] = "DELETE FROM container WHERE key = ?1",
	[STATEMENT_LAST] = "INSERT OR REPLACE INTO last VALUES (?1, ?2, ?3)",
	[STATEMENT_BEGIN] = "BEGIN",
	[STATEMENT_COMMIT] = "COMMIT",
	[STATEMENT_ROLLBACK] = "ROLLBACK",
};

struct vd_journal_file {
	char *path;
	sqlite3 *db;
	sqlite3_stmt *statements[STATEMENT_COUNT];
};

VD_DEFINE_CLEANUP(struct vd_journal_file, vd_journal_file_close)

static int failure(const struct vd_journal_file *journal, struct vd_error *error)
{
	int code = sqlite3_errcode(journal->db);
	int r = code == SQLITE_FULL         ? -ENOSPC
		: code == SQLITE_NOMEM      ? -ENOMEM
		: code == SQLITE_BUSY       ? -EBUSY
		: code == SQLITE_CONSTRAINT ? -EADDRINUSE
					    : -EIO;

	if (r == -EBUSY)
		return vd_error_set(error, r, "the containers' journal %s: another process has it open", journal->path);
	if (r == -EADDRINUSE)
		return vd_error_set(error, r, "another container has the address already");
	return vd_error_set(error, r, "the containers' journal %s: %s", journal->path, sqlite3_errmsg(journal->db));
}

static int execute(struct vd_journal_file *journal, const char *text, struct vd_error *error)
{
	return sqlite3_exec(journal->db, text, NULL, NULL, NULL) == SQLITE_OK ? 0 : failure(journal, error);
}

static int run(struct vd_journal_file *journal, enum statement statement, struct vd_error *error)
{
	sqlite3_stmt *prepared = journal->statements[statement];
	int r = sqlite3_step(prepared) == SQLITE_DONE ? 0 : failure(journal, error);

	sqlite3_reset(prepared);
	return r;
}

static int format_check(struct vd_journal_file *journal, struct vd_error *error)
{
	sqlite3_stmt *statement;
	int format = -1;

	if (sqlite3_prepare_v2(journal->db, "PRAGMA user_version", -1, &statement, NULL) != SQLITE_OK)
		return failure(journal, error);
	if (sqlite3_step(statement) == SQLITE_ROW)
		format = sqlite3_column_int(statement, 0);
	sqlite3_finalize(statement);
	if (format < 0)
		return failure(journal, error);
	if (format > FORMAT)
		return vd_error_set(
			error, -EPROTO,
			"the containers' journal %s is of a newer version: start that one, or delete the containers and the file",
			journal->path);
	return format ? 0 : execute(journal, schema_text, error);
}

/* One row, or -ENOENT, of a statement with one parameter. */
static int ask(struct vd_journal_file *journal, const char *text, const char *parameter, struct vd_error *error)
{
	sqlite3_stmt *statement;
	int r;

	if (sqlite3_prepare_v2(journal->db, text, -1, &statement, NULL) != SQLITE_OK)
		return failure(journal, error);
	sqlite3_bind_text(statement, 1, parameter, -1, SQLITE_STATIC);
	r = sqlite3_step(statement);
	r = r == SQLITE_ROW ? 0 : r == SQLITE_DONE ? -ENOENT : failure(journal, error);
	sqlite3_finalize(statement);
	return r;
}

/* Rows of another boot are void, and what was given last means nothing. */
static int boot_check(struct vd_journal_file *journal, const char *boot_id, struct vd_error *error)
{
	int r = ask(journal, "SELECT 1 FROM boot WHERE id = ?1", boot_id, error);

	if (r != -ENOENT)
		return r;
	r = execute(journal, "DELETE FROM container; DELETE FROM last; DELETE FROM boot", error);
	if (r == 0)
		r = ask(journal, "INSERT INTO boot VALUES (?1)", boot_id, error);
	return r == -ENOENT ? 0 : r;
}

static int prepare(struct vd_journal_file *journal, const char *boot_id, struct vd_error *error)
{
	int r = execute(journal, setup_text, error);

	/* One transaction: a file without all of it is an empty one. */
	if (r == 0)
		r = execute(journal, "BEGIN IMMEDIATE", error);
	if (r == 0)
		r = format_check(journal, error);
	if (r == 0)
		r = boot_check(journal, boot_id, error);
	if (r == 0)
		r = execute(journal, "COMMIT", error);
	for (unsigned i = 0; i < STATEMENT_COUNT && r == 0; i++) {
		if (sqlite3_prepare_v3(journal->db, statement_texts[i], -1, SQLITE_PREPARE_PERSISTENT, &journal->statements[i],
				       NULL) != SQLITE_OK)
			r = failure(journal, error);
	}
	return r;
}

int vd_journal_file_open(const char *path, const char *boot_id, struct vd_journal_file **ret, struct vd_error *error)
{
	VD_CLEANUP(vd_journal_file_close_cleanup) struct vd_journal_file *journal = calloc(1, sizeof(*journal));
	VD_CLOSE int fd = -1;
	int r;

	if (!journal || !(journal->path = strdup(path)))
		return -ENOMEM;
	/* SQLite makes its other files with the rights of the first. */
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return vd_error_set(error, -errno, "the containers' journal %s: %m", path);
	if (sqlite3_open_v2(path, &journal->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		return failure(journal, error);
	r = prepare(journal, boot_id, error);
	if (r < 0)
		return r;
	*ret = VD_TAKE(journal);
	return 0;
}

void vd_journal_file_close(struct vd_journal_file *journal)
{
	if (!journal)
		return;
	for (unsigned i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(journal->statements[i]);
	sqlite3_close(journal->db);
	free(journal->path);
	free(journal);
}

void vd_journal_file_delete(const char *path)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
		VD_FREE char *name = NULL;

		if (asprintf(&name, "%s%s", path, suffixes[i]) >= 0)
			unlink(name);
	}
}

/* ---- reading ---- */

/* A row that cannot be read ends it: its address must not be given again. */
int vd_journal_file_rows(struct vd_journal_file *journal, int (*row)(struct vd_container *container, void *userdata),
			 void *userdata, struct vd_error *error)
{
	sqlite3_stmt *statement;
	int r = 0;

	if (sqlite3_prepare_v2(journal->db, "SELECT key, body FROM container", -1, &statement, NULL) != SQLITE_OK)
		return failure(journal, error);
	while (r == 0 && sqlite3_step(statement) == SQLITE_ROW) {
		struct vd_container container;

		r = vd_row_decode((const char *)sqlite3_column_text(statement, 1), &container);
		if (r == 0)
			r = row(&container, userdata);
		else if (r == -EINVAL)
			vd_error_set(error, r, "the containers' journal %s: the row of %s cannot be read", journal->path,
				     (const char *)sqlite3_column_text(statement, 0));
	}
	sqlite3_finalize(statement);
	return r;
}

int vd_journal_file_lasts(struct vd_journal_file *journal,
			  int (*last)(uint32_t domain, const char *block, const char *given, void *userdata), void *userdata,
			  struct vd_error *error)
{
	sqlite3_stmt *statement;
	int r = 0;

	if (sqlite3_prepare_v2(journal->db, "SELECT domain, block, given FROM last", -1, &statement, NULL) != SQLITE_OK)
		return failure(journal, error);
	while (r == 0 && sqlite3_step(statement) == SQLITE_ROW)
		r = last((uint32_t)sqlite3_column_int64(statement, 0), (const char *)sqlite3_column_text(statement, 1),
			 (const char *)sqlite3_column_text(statement, 2), userdata);
	sqlite3_finalize(statement);
	return r;
}

/* ---- writing ---- */

int vd_journal_file_begin(struct vd_journal_file *journal, struct vd_error *error)
{
	return run(journal, STATEMENT_BEGIN, error);
}

int vd_journal_file_end(struct vd_journal_file *journal, int r, struct vd_error *error)
{
	if (r == 0)
		r = run(journal, STATEMENT_COMMIT, error);
	if (r < 0)
		run(journal, STATEMENT_ROLLBACK, NULL);
	return r;
}

static const char *address_text(const struct vd_container *container, uint8_t family, char text[VD_ADDRESS_TEXT])
{
	for (size_t i = 0; i < VD_CONTAINER_ADDRESSES; i++)
		if (container->addresses[i].prefix.address.family == family)
			return vd_address_format(&container->addresses[i].prefix.address, text);
	return NULL;
}

int vd_journal_file_put(struct vd_journal_file *journal, const struct vd_container *container, struct vd_error *error)
{
	sqlite3_stmt *statement = journal->statements[STATEMENT_PUT];
	VD_FREE char *body = vd_row_encode(container);
	char address4[VD_ADDRESS_TEXT], address6[VD_ADDRESS_TEXT];
	int r;

	if (!body)
		return vd_error_set(error, -EINVAL, "container %s: its names are no UTF-8 text", container->key);
	sqlite3_bind_text(statement, 1, container->key, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 2, container->domain);
	sqlite3_bind_text(statement, 3, address_text(container, VD_FAMILY_IPV4, address4), -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 4, address_text(container, VD_FAMILY_IPV6, address6), -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 5, body, -1, SQLITE_STATIC);
	r = run(journal, STATEMENT_PUT, error);
	sqlite3_clear_bindings(statement);
	return r;
}

int vd_journal_file_last(struct vd_journal_file *journal, uint32_t domain, const char *block, const char *given,
			 struct vd_error *error)
{
	sqlite3_stmt *statement = journal->statements[STATEMENT_LAST];
	int r;

	sqlite3_bind_int64(statement, 1, domain);
	sqlite3_bind_text(statement, 2, block, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 3, given, -1, SQLITE_STATIC);
	r = run(journal, STATEMENT_LAST, error);
	sqlite3_clear_bindings(statement);
	return r;
}

int vd_journal_file_remove(struct vd_journal_file *journal, const char *key, struct vd_error *error)
{
	sqlite3_stmt *statement = journal->statements[STATEMENT_REMOVE];
	int r;

	sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
	r = run(journal, STATEMENT_REMOVE, error);
	sqlite3_clear_bindings(statement);
	return r;
}
