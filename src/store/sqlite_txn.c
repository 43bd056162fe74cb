/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite.h"

#include "base/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

VD_DEFINE_CLEANUP(struct vd_txn_result, vd_txn_result_free)

int vd_sqlite_write_begin(struct vd_sqlite *sqlite, struct vd_error *error)
{
	int r;

	pthread_mutex_lock(&sqlite->writer.lock);
	r = vd_sqlite_run(&sqlite->writer, vd_sqlite_statement(&sqlite->writer, VD_SQLITE_STATEMENT_BEGIN), error);
	if (r < 0)
		pthread_mutex_unlock(&sqlite->writer.lock);
	return r;
}

static int meta_set(struct vd_sqlite *sqlite, const char *name, int64_t value, struct vd_error *error)
{
	sqlite3_stmt *statement = vd_sqlite_statement(&sqlite->writer, VD_SQLITE_STATEMENT_META_SET);

	sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 2, value);
	return vd_sqlite_run(&sqlite->writer, statement, error);
}

int vd_sqlite_write_end(struct vd_sqlite *sqlite, int r, int64_t revision, struct vd_error *error)
{
	struct vd_sqlite_connection *writer = &sqlite->writer;

	if (r == 0 && revision != sqlite->revision)
		r = meta_set(sqlite, "revision", revision, error);
	if (r == 0)
		r = vd_sqlite_run(writer, vd_sqlite_statement(writer, VD_SQLITE_STATEMENT_COMMIT), error);
	if (r < 0 && !sqlite3_get_autocommit(writer->db))
		vd_sqlite_run(writer, vd_sqlite_statement(writer, VD_SQLITE_STATEMENT_ROLLBACK), NULL);
	if (r == 0) {
		pthread_mutex_lock(&sqlite->state);
		if (revision != sqlite->revision) {
			sqlite->revision = revision;
			pthread_cond_broadcast(&sqlite->moved);
			if (revision - sqlite->compacted > VD_SQLITE_REVISIONS_KEPT + VD_SQLITE_REVISIONS_STRIDE)
				pthread_cond_signal(&sqlite->wake);
		}
		pthread_mutex_unlock(&sqlite->state);
	}
	pthread_mutex_unlock(&writer->lock);
	return r;
}

/* What a key has now; all zero when it does not exist. */
struct head {
	int64_t id, create_revision, mod_revision, version, lease;
};

/* Leaves the statement at its row, for its value; the caller resets it. */
static int head_get(struct vd_sqlite *sqlite, const char *key, sqlite3_stmt **ret_statement, struct head *ret,
		    struct vd_error *error)
{
	sqlite3_stmt *statement = vd_sqlite_statement(&sqlite->writer, VD_SQLITE_STATEMENT_HEAD);
	int r;

	sqlite3_bind_blob(statement, 1, key, (int)strlen(key), SQLITE_STATIC);
	r = sqlite3_step(statement);
	if (r != SQLITE_ROW && r != SQLITE_DONE)
		return vd_sqlite_error(&sqlite->writer, error);
	*ret = (struct head){0};
	if (r == SQLITE_ROW)
		*ret = (struct head){
			.id = sqlite3_column_int64(statement, 0),
			.create_revision = sqlite3_column_int64(statement, 1),
			.mod_revision = sqlite3_column_int64(statement, 2),
			.version = sqlite3_column_int64(statement, 3),
			.lease = sqlite3_column_int64(statement, 4),
		};
	*ret_statement = statement;
	return 0;
}

static int number_order(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int bytes_order(const char *a, size_t a_size, const char *b, size_t b_size)
{
	size_t size = a_size < b_size ? a_size : b_size;
	int order = size ? memcmp(a, b, size) : 0;

	return order ? order : number_order((int64_t)a_size, (int64_t)b_size);
}

static bool order_fits(int order, enum vd_compare_result result)
{
	switch (result) {
	case VD_COMPARE_RESULT_EQUAL:
		return order == 0;
	case VD_COMPARE_RESULT_GREATER:
		return order > 0;
	case VD_COMPARE_RESULT_LESS:
		return order < 0;
	case VD_COMPARE_RESULT_NOT_EQUAL:
		return order != 0;
	}
	return false;
}

static int compare_holds(struct vd_sqlite *sqlite, const struct vd_compare *compare, bool *ret, struct vd_error *error)
{
	sqlite3_stmt *statement;
	struct head head;
	int order = 0;
	int r = head_get(sqlite, compare->key, &statement, &head, error);

	if (r < 0)
		return r;
	switch (compare->target) {
	case VD_COMPARE_TARGET_VERSION:
		order = number_order(head.version, compare->number);
		break;
	case VD_COMPARE_TARGET_CREATE:
		order = number_order(head.create_revision, compare->number);
		break;
	case VD_COMPARE_TARGET_MOD:
		order = number_order(head.mod_revision, compare->number);
		break;
	case VD_COMPARE_TARGET_LEASE:
		order = number_order(head.lease, compare->number);
		break;
	case VD_COMPARE_TARGET_VALUE:
		if (head.id)
			order = bytes_order(sqlite3_column_blob(statement, 5), (size_t)sqlite3_column_bytes(statement, 5),
					    compare->value, compare->size);
		break;
	}
	/* As etcd has it: no comparison with the value of a key that does not exist holds. */
	*ret = (head.id || compare->target != VD_COMPARE_TARGET_VALUE) && order_fits(order, compare->result);
	sqlite3_reset(statement);
	return 0;
}

static int put(struct vd_sqlite *sqlite, const struct vd_operation *operation, int64_t revision, struct vd_error *error)
{
	sqlite3_stmt *statement;
	struct head head;
	int r;

	if (operation->lease && !vd_sqlite_lease_exists(sqlite, operation->lease))
		return vd_error_set(error, -ENOENT, "store %s: lease %" PRId64 " has ended", sqlite->path, operation->lease);
	r = head_get(sqlite, operation->key, &statement, &head, error);
	if (r < 0)
		return r;
	sqlite3_reset(statement);
	if (head.id) {
		statement = vd_sqlite_statement(&sqlite->writer, VD_SQLITE_STATEMENT_SUPERSEDE);
		sqlite3_bind_int64(statement, 1, head.id);
		sqlite3_bind_int64(statement, 2, revision);
		r = vd_sqlite_run(&sqlite->writer, statement, error);
		if (r < 0)
			return r;
	}
	statement = vd_sqlite_statement(&sqlite->writer, VD_SQLITE_STATEMENT_PUT);
	sqlite3_bind_blob(statement, 1, operation->key, (int)strlen(operation->key), SQLITE_STATIC);
	sqlite3_bind_int64(statement, 2, revision);
	sqlite3_bind_int64(statement, 3, head.id ? head.create_revision : revision);
	sqlite3_bind_int64(statement, 4, head.version + 1);
	sqlite3_bind_int64(statement, 5, operation->lease);
	/* NULL would be a deletion. */
	sqlite3_bind_blob(statement, 6, operation->size ? operation->value : "", (int)operation->size, SQLITE_STATIC);
	return vd_sqlite_run(&sqlite->writer, statement, error);
}

static int delete (struct vd_sqlite *sqlite, const struct vd_operation *operation, const char *end, size_t end_size,
		   int64_t revision, bool *written, struct vd_error *error)
{
	static const enum vd_sqlite_statement steps[] = {VD_SQLITE_STATEMENT_DELETE_MARK, VD_SQLITE_STATEMENT_DELETE_END};

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		sqlite3_stmt *statement = vd_sqlite_statement(&sqlite->writer, steps[i]);
		int r;

		vd_sqlite_bind_range(statement, operation->key, end, end_size);
		sqlite3_bind_int64(statement, 3, revision);
		r = vd_sqlite_run(&sqlite->writer, statement, error);
		if (r < 0)
			return r;
		if (sqlite3_changes(sqlite->writer.db) > 0)
			*written = true;
	}
	return 0;
}

static int range(struct vd_sqlite *sqlite, const struct vd_operation *operation, const char *end, size_t end_size,
		 struct vd_kvs *kvs, struct vd_error *error)
{
	sqlite3_stmt *statement = vd_sqlite_statement(&sqlite->writer, VD_SQLITE_STATEMENT_RANGE_NOW);

	vd_sqlite_bind_range(statement, operation->key, end, end_size);
	sqlite3_bind_int64(statement, 3, -1);
	return vd_sqlite_rows(&sqlite->writer, statement, 0, kvs, error);
}

static int operation_run(struct vd_sqlite *sqlite, const struct vd_operation *operation, int64_t revision, struct vd_kvs *kvs,
			 bool *written, struct vd_error *error)
{
	VD_FREE char *end = NULL;
	size_t end_size;

	switch (operation->type) {
	case VD_OPERATION_TYPE_PUT:
		*written = true;
		return put(sqlite, operation, revision, error);
	case VD_OPERATION_TYPE_DELETE:
	case VD_OPERATION_TYPE_RANGE:
		end = vd_key_end(operation->key, operation->prefix, &end_size);
		if (!end)
			return -ENOMEM;
		return operation->type == VD_OPERATION_TYPE_DELETE
			       ? delete (sqlite, operation, end, end_size, revision, written, error)
			       : range(sqlite, operation, end, end_size, kvs, error);
	}
	return -EINVAL;
}

/* Inside the transaction. */
static int txn_run(struct vd_sqlite *sqlite, const struct vd_txn *txn, struct vd_txn_result **ret, struct vd_error *error)
{
	VD_CLEANUP(vd_txn_result_free_cleanup) struct vd_txn_result *result = NULL;
	const struct vd_operation *operations;
	bool holds = true, written = false;
	size_t count;
	int r;

	for (size_t i = 0; i < txn->compare_count && holds; i++) {
		r = compare_holds(sqlite, &txn->compares[i], &holds, error);
		if (r < 0)
			return r;
	}
	operations = holds ? txn->success : txn->failure;
	count = holds ? txn->success_count : txn->failure_count;
	result = vd_txn_result_new(count);
	if (!result)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		r = operation_run(sqlite, &operations[i], sqlite->revision + 1, result->responses[i], &written, error);
		if (r < 0)
			return r;
	}
	result->succeeded = holds;
	result->revision = sqlite->revision + (written ? 1 : 0);
	for (size_t i = 0; i < count; i++)
		result->responses[i]->revision = result->revision;
	*ret = VD_TAKE(result);
	return 0;
}

int vd_sqlite_txn(struct vd_store *store, const struct vd_txn *txn, struct vd_txn_result **ret, struct vd_error *error)
{
	struct vd_sqlite *sqlite = (struct vd_sqlite *)store;
	VD_CLEANUP(vd_txn_result_free_cleanup) struct vd_txn_result *result = NULL;
	int r = vd_sqlite_write_begin(sqlite, error);

	if (r < 0)
		return r;
	r = txn_run(sqlite, txn, &result, error);
	r = vd_sqlite_write_end(sqlite, r, r == 0 ? result->revision : 0, error);
	if (r == 0)
		*ret = VD_TAKE(result);
	return r;
}

/* Inside the transaction. */
static int compact_run(struct vd_sqlite *sqlite, int64_t revision, struct vd_error *error)
{
	sqlite3_stmt *statement;
	int64_t compacted;
	int r;

	if (revision > sqlite->revision)
		return vd_error_set(error, -EINVAL, "store %s: revision %" PRId64 " is not written yet", sqlite->path, revision);
	r = vd_sqlite_meta_get(&sqlite->writer, "compacted", &compacted, error);
	if (r < 0 || revision <= compacted)
		return r;
	r = meta_set(sqlite, "compacted", revision, error);
	if (r < 0)
		return r;
	statement = vd_sqlite_statement(&sqlite->writer, VD_SQLITE_STATEMENT_COMPACT);
	sqlite3_bind_int64(statement, 1, revision);
	return vd_sqlite_run(&sqlite->writer, statement, error);
}

int vd_sqlite_compact(struct vd_store *store, int64_t revision, struct vd_error *error)
{
	struct vd_sqlite *sqlite = (struct vd_sqlite *)store;
	int r = vd_sqlite_write_begin(sqlite, error);

	if (r < 0)
		return r;
	r = compact_run(sqlite, revision, error);
	r = vd_sqlite_write_end(sqlite, r, sqlite->revision, error);
	if (r < 0)
		return r;
	pthread_mutex_lock(&sqlite->state);
	if (revision > sqlite->compacted)
		sqlite->compacted = revision;
	pthread_mutex_unlock(&sqlite->state);
	return 0;
}
