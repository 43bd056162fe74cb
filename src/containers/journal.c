/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file of SQLite in the run directory. It is never synced: what a process wrote the kernel keeps when that process dies, and a
 * machine that dies takes the containers along.
 */
#include "containers/journal.h"

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
	[STATEMENT_PUT] = "INSERT INTO container VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (key) DO UPDATE SET "
			  "domain = ?2, address4 = ?3, address6 = ?4, body = ?5",
	[STATEMENT_REMOVE] = "DELETE FROM container WHERE key = ?1",
	[STATEMENT_LAST] = "INSERT OR REPLACE INTO last VALUES (?1, ?2, ?3)",
	[STATEMENT_BEGIN] = "BEGIN",
	[STATEMENT_COMMIT] = "COMMIT",
	[STATEMENT_ROLLBACK] = "ROLLBACK",
};

/* What addresses and blocks are found by, as bytes: nothing in it is padding. */
struct place {
	uint32_t domain;
	struct vd_prefix prefix;
	uint16_t zero;
};

_Static_assert(sizeof(struct place) == 24, "padding would be compared too");

struct taken {
	struct place place;
	struct row *row;
	UT_hash_handle hh;
};

struct row {
	struct vd_container container;
	struct taken taken[VD_CONTAINER_ADDRESSES];
	UT_hash_handle hh, hh_port;
};

struct last {
	struct place place;
	struct vd_address given;
	UT_hash_handle hh;
};

struct vd_journal {
	char *path;
	sqlite3 *db;
	sqlite3_stmt *statements[STATEMENT_COUNT];
	struct row *rows, *ports;
	struct taken *taken;
	struct last *lasts;
	uint32_t port; /* given last */
};

VD_DEFINE_CLEANUP(struct vd_journal, vd_journal_close)

static struct place place_of(uint32_t domain, const struct vd_prefix *prefix)
{
	struct place place = {.domain = domain, .prefix = *prefix};

	vd_prefix_normalise(&place.prefix);
	return place;
}

static struct place place_of_address(uint32_t domain, const struct vd_address *address)
{
	struct vd_prefix prefix = vd_prefix_of_address(address);

	return place_of(domain, &prefix);
}

/* ---- the file ---- */

static int failure(const struct vd_journal *journal, struct vd_error *error)
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

static int execute(struct vd_journal *journal, const char *text, struct vd_error *error)
{
	return sqlite3_exec(journal->db, text, NULL, NULL, NULL) == SQLITE_OK ? 0 : failure(journal, error);
}

static int run(struct vd_journal *journal, enum statement statement, struct vd_error *error)
{
	sqlite3_stmt *prepared = journal->statements[statement];
	int r = sqlite3_step(prepared) == SQLITE_DONE ? 0 : failure(journal, error);

	sqlite3_reset(prepared);
	return r;
}

static int format_check(struct vd_journal *journal, struct vd_error *error)
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
static int ask(struct vd_journal *journal, const char *text, const char *parameter, struct vd_error *error)
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
static int boot_check(struct vd_journal *journal, const char *boot_id, struct vd_error *error)
{
	int r = ask(journal, "SELECT 1 FROM boot WHERE id = ?1", boot_id, error);

	if (r != -ENOENT)
		return r;
	r = execute(journal, "DELETE FROM container; DELETE FROM last; DELETE FROM boot", error);
	if (r == 0)
		r = ask(journal, "INSERT INTO boot VALUES (?1)", boot_id, error);
	return r == -ENOENT ? 0 : r;
}

static int prepare(struct vd_journal *journal, const char *boot_id, struct vd_error *error)
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

/* ---- in memory ---- */

static void row_drop(struct vd_journal *journal, struct row *row)
{
	for (size_t i = 0; i < VD_CONTAINER_ADDRESSES; i++)
		if (row->taken[i].row)
			HASH_DEL(journal->taken, &row->taken[i]);
	if (row->container.port)
		HASH_DELETE(hh_port, journal->ports, row);
	HASH_DELETE(hh, journal->rows, row);
	vd_container_clear(&row->container);
	free(row);
}

/* Takes the container's strings over. */
static int row_keep(struct vd_journal *journal, struct vd_container *container)
{
	struct row *row = calloc(1, sizeof(*row)), *old;

	if (!row) {
		vd_container_clear(container);
		return -ENOMEM;
	}
	HASH_FIND(hh, journal->rows, container->key, strlen(container->key), old);
	if (old)
		row_drop(journal, old);
	row->container = *container;
	HASH_ADD_KEYPTR(hh, journal->rows, row->container.key, strlen(row->container.key), row);
	if (row->container.port)
		HASH_ADD(hh_port, journal->ports, container.port, sizeof(row->container.port), row);
	for (size_t i = 0; i < VD_CONTAINER_ADDRESSES; i++) {
		const struct vd_address *address = &row->container.addresses[i].prefix.address;

		if (address->family == VD_FAMILY_NONE)
			continue;
		row->taken[i].row = row;
		row->taken[i].place = place_of_address(row->container.domain, address);
		HASH_ADD(hh, journal->taken, place, sizeof(row->taken[i].place), &row->taken[i]);
	}
	return 0;
}

static int last_keep(struct vd_journal *journal, const struct place *place, const struct vd_address *given)
{
	struct last *last;

	HASH_FIND(hh, journal->lasts, place, sizeof(*place), last);
	if (!last) {
		last = calloc(1, sizeof(*last));
		if (!last)
			return -ENOMEM;
		last->place = *place;
		HASH_ADD(hh, journal->lasts, place, sizeof(last->place), last);
	}
	last->given = *given;
	return 0;
}

/* A row that cannot be read is no reason to forget the others, but its address must not be given again: so it ends the start. */
static int rows_read(struct vd_journal *journal, struct vd_error *error)
{
	sqlite3_stmt *statement;
	int r = 0;

	if (sqlite3_prepare_v2(journal->db, "SELECT key, body FROM container", -1, &statement, NULL) != SQLITE_OK)
		return failure(journal, error);
	while (r == 0 && sqlite3_step(statement) == SQLITE_ROW) {
		struct vd_container container;

		r = vd_row_decode((const char *)sqlite3_column_text(statement, 1), &container);
		if (r == 0)
			r = row_keep(journal, &container);
		if (r == -EINVAL)
			vd_error_set(error, r, "the containers' journal %s: the row of %s cannot be read", journal->path,
				     (const char *)sqlite3_column_text(statement, 0));
	}
	sqlite3_finalize(statement);
	return r;
}

static int lasts_read(struct vd_journal *journal, struct vd_error *error)
{
	sqlite3_stmt *statement;
	int r = 0;

	if (sqlite3_prepare_v2(journal->db, "SELECT domain, block, given FROM last", -1, &statement, NULL) != SQLITE_OK)
		return failure(journal, error);
	while (r == 0 && sqlite3_step(statement) == SQLITE_ROW) {
		uint32_t domain = (uint32_t)sqlite3_column_int64(statement, 0);
		const char *given = (const char *)sqlite3_column_text(statement, 2);
		struct vd_prefix block;
		struct vd_address address;
		struct place place;

		if (!domain) {
			journal->port = (uint32_t)strtoul(given, NULL, 10);
		} else if (!vd_prefix_parse((const char *)sqlite3_column_text(statement, 1), &block) &&
			   !vd_address_parse(given, &address)) {
			place = place_of(domain, &block);
			r = last_keep(journal, &place, &address);
		}
	}
	sqlite3_finalize(statement);
	return r;
}

int vd_journal_open(const char *path, const char *boot_id, struct vd_journal **ret, struct vd_error *error)
{
	VD_CLEANUP(vd_journal_close_cleanup) struct vd_journal *journal = calloc(1, sizeof(*journal));
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
	if (r == 0)
		r = rows_read(journal, error);
	if (r == 0)
		r = lasts_read(journal, error);
	if (r < 0)
		return r;
	*ret = VD_TAKE(journal);
	return 0;
}

void vd_journal_close(struct vd_journal *journal)
{
	struct row *row, *next_row;
	struct last *last, *next_last;

	if (!journal)
		return;
	for (unsigned i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(journal->statements[i]);
	sqlite3_close(journal->db);
	HASH_ITER (hh, journal->rows, row, next_row)
		row_drop(journal, row);
	HASH_ITER (hh, journal->lasts, last, next_last) {
		HASH_DEL(journal->lasts, last);
		free(last);
	}
	free(journal->path);
	free(journal);
}

/* ---- questions ---- */

const struct vd_container *vd_journal_find(const struct vd_journal *journal, const char *key)
{
	struct row *row;

	HASH_FIND(hh, journal->rows, key, strlen(key), row);
	return row ? &row->container : NULL;
}

const struct vd_container *vd_journal_find_port(const struct vd_journal *journal, uint32_t port)
{
	struct row *row;

	HASH_FIND(hh_port, journal->ports, &port, sizeof(port), row);
	return row ? &row->container : NULL;
}

const struct vd_container *vd_journal_find_address(const struct vd_journal *journal, uint32_t domain,
						   const struct vd_address *address)
{
	struct place place = place_of_address(domain, address);
	struct taken *taken;

	HASH_FIND(hh, journal->taken, &place, sizeof(place), taken);
	return taken ? &taken->row->container : NULL;
}

int vd_journal_each(struct vd_journal *journal, int (*visit)(const struct vd_container *container, void *userdata), void *userdata)
{
	struct row *row, *next;
	int r = 0;

	HASH_ITER (hh, journal->rows, row, next) {
		r = visit(&row->container, userdata);
		if (r)
			break;
	}
	return r;
}

struct vd_address vd_journal_last(const struct vd_journal *journal, uint32_t domain, const struct vd_prefix *block)
{
	struct place place = place_of(domain, block);
	struct last *last;

	HASH_FIND(hh, journal->lasts, &place, sizeof(place), last);
	return last ? last->given : (struct vd_address){0};
}

uint32_t vd_journal_port_choose(struct vd_journal *journal)
{
	uint32_t port = journal->port;

	do
		port = (port + 1) | VD_CONTAINER_PORT;
	while (port == UINT32_MAX || vd_journal_find_port(journal, port));
	return port;
}

/* ---- changes ---- */

static const char *address_text(const struct vd_container *container, uint8_t family, char text[VD_ADDRESS_TEXT])
{
	for (size_t i = 0; i < VD_CONTAINER_ADDRESSES; i++)
		if (container->addresses[i].prefix.address.family == family)
			return vd_address_format(&container->addresses[i].prefix.address, text);
	return NULL;
}

static int row_write(struct vd_journal *journal, const struct vd_container *container, struct vd_error *error)
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

static int last_write(struct vd_journal *journal, uint32_t domain, const char *block, const char *given, struct vd_error *error)
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

/* What a new row was given is what comes last. */
static int lasts_write(struct vd_journal *journal, const struct vd_container *container, struct vd_error *error)
{
	char block[VD_PREFIX_TEXT], given[VD_ADDRESS_TEXT];
	int r = 0;

	if (container->port & VD_CONTAINER_PORT) {
		snprintf(given, sizeof(given), "%u", container->port);
		r = last_write(journal, 0, "", given, error);
	}
	for (size_t i = 0; i < VD_CONTAINER_ADDRESSES && r == 0; i++) {
		const struct vd_prefix *prefix = &container->addresses[i].prefix;
		struct place place = place_of(container->domain, prefix);

		if (prefix->address.family != VD_FAMILY_NONE && !container->addresses[i].moved)
			r = last_write(journal, container->domain, vd_prefix_format(&place.prefix, block),
				       vd_address_format(&prefix->address, given), error);
	}
	return r;
}

static int lasts_keep(struct vd_journal *journal, const struct vd_container *container)
{
	int r = 0;

	if (container->port & VD_CONTAINER_PORT)
		journal->port = container->port;
	for (size_t i = 0; i < VD_CONTAINER_ADDRESSES && r == 0; i++) {
		const struct vd_prefix *prefix = &container->addresses[i].prefix;
		struct place place = place_of(container->domain, prefix);

		if (prefix->address.family != VD_FAMILY_NONE && !container->addresses[i].moved)
			r = last_keep(journal, &place, &prefix->address);
	}
	return r;
}

/* ---- reservations that a container takes, and leaves ---- */

static int key_delete(struct vd_journal *journal, const char *key, struct vd_error *error)
{
	sqlite3_stmt *statement = journal->statements[STATEMENT_REMOVE];
	int r;

	sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
	r = run(journal, STATEMENT_REMOVE, error);
	sqlite3_clear_bindings(statement);
	return r;
}

static struct row *row_find(const struct vd_journal *journal, const char *key)
{
	struct row *row;

	HASH_FIND(hh, journal->rows, key, strlen(key), row);
	return row;
}

/* The reservation that the address says, if it holds that address. */
static struct row *reservation_find(const struct vd_journal *journal, uint32_t domain, const struct vd_container_address *address)
{
	struct row *row = address->reserved ? row_find(journal, address->reserved) : NULL;

	return row && row->container.state == VD_CONTAINER_STATE_RESERVED && row->container.domain == domain &&
			       vd_address_equal(&row->container.addresses[0].prefix.address, &address->prefix.address)
		       ? row
		       : NULL;
}

static struct vd_container reservation_of(const struct vd_container *container, const struct vd_container_address *address)
{
	struct vd_container reservation = {
		.domain = container->domain,
		.state = VD_CONTAINER_STATE_RESERVED,
		.addresses[0] = *address,
		.since = container->since,
	};

	reservation.addresses[0].reserved = NULL;
	snprintf(reservation.key, sizeof(reservation.key), "%s", address->reserved);
	memcpy(reservation.network, container->network, sizeof(reservation.network));
	return reservation;
}

/* ---- changes, each in one transaction ---- */

static int put_write(struct vd_journal *journal, const struct vd_container *container, bool is_new, struct vd_error *error)
{
	int r = 0;

	for (size_t i = 0; i < VD_CONTAINER_ADDRESSES && r == 0; i++)
		if (reservation_find(journal, container->domain, &container->addresses[i]))
			r = key_delete(journal, container->addresses[i].reserved, error);
	if (r == 0)
		r = row_write(journal, container, error);
	return r == 0 && is_new ? lasts_write(journal, container, error) : r;
}

static int remove_write(struct vd_journal *journal, const struct vd_container *container, struct vd_error *error)
{
	int r = key_delete(journal, container->key, error);

	for (size_t i = 0; i < VD_CONTAINER_ADDRESSES && r == 0; i++) {
		struct vd_container reservation;

		if (!container->addresses[i].reserved)
			continue;
		reservation = reservation_of(container, &container->addresses[i]);
		r = row_write(journal, &reservation, error);
	}
	return r;
}

static int transaction_end(struct vd_journal *journal, int r, struct vd_error *error)
{
	if (r == 0)
		r = run(journal, STATEMENT_COMMIT, error);
	if (r < 0)
		run(journal, STATEMENT_ROLLBACK, NULL);
	return r;
}

int vd_journal_put(struct vd_journal *journal, const struct vd_container *container, struct vd_error *error)
{
	bool is_new = !vd_journal_find(journal, container->key);
	struct vd_container copy;
	int r = vd_container_copy(container, &copy);

	if (r < 0)
		return r;
	r = run(journal, STATEMENT_BEGIN, error);
	if (r == 0)
		r = transaction_end(journal, put_write(journal, container, is_new, error), error);
	if (r < 0) {
		vd_container_clear(&copy);
		return r;
	}
	for (size_t i = 0; i < VD_CONTAINER_ADDRESSES; i++) {
		struct row *reservation = reservation_find(journal, copy.domain, &copy.addresses[i]);

		if (reservation)
			row_drop(journal, reservation);
	}
	r = row_keep(journal, &copy);
	return r == 0 && is_new ? lasts_keep(journal, container) : r;
}

int vd_journal_remove(struct vd_journal *journal, const char *key, struct vd_error *error)
{
	struct row *row = row_find(journal, key);
	struct vd_container copy;
	int r = row ? vd_container_copy(&row->container, &copy) : 0;

	if (!row || r < 0)
		return r;
	r = run(journal, STATEMENT_BEGIN, error);
	if (r == 0)
		r = transaction_end(journal, remove_write(journal, &copy, error), error);
	if (r == 0)
		row_drop(journal, row);
	for (size_t i = 0; i < VD_CONTAINER_ADDRESSES && r == 0; i++) {
		struct vd_container reservation;

		if (!copy.addresses[i].reserved)
			continue;
		reservation = reservation_of(&copy, &copy.addresses[i]);
		r = row_keep(journal, &reservation);
	}
	vd_container_clear(&copy);
	return r;
}
