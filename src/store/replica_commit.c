/* SPDX-License-Identifier: Apache-2.0 */
#include "store/replica_private.h"

#include "base/cleanup.h"
#include "store/staging.h"

#include <errno.h>
#include <string.h>

VD_DEFINE_CLEANUP(struct vd_kvs, vd_kvs_free)
VD_DEFINE_CLEANUP(struct vd_txn_result, vd_txn_result_free)

/* Tries of a step that may be done twice (a chunk, a step of folding) while replies are lost. */
#define STEP_TRIES 5

/* prefix, request, tail: a string to free. */
static char *key_make(const char *prefix, const char *request, const char *tail)
{
	char *key;

	return asprintf(&key, "%s%s%s", prefix, request, tail) < 0 ? NULL : key;
}

static char *epoch_encode(uint32_t next_id, const char *pending)
{
	json_t *object = json_pack("{s:I, s:s?}", "next_id", (json_int_t)next_id, "pending", pending);
	char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;

	json_decref(object);
	return text;
}

static struct vd_compare revision_is(const char *key, int64_t revision)
{
	return (struct vd_compare){.key = key, .target = VD_COMPARE_TARGET_MOD, .number = revision};
}

static struct vd_operation operation(enum vd_operation_type type, const char *key, const char *value, int64_t lease)
{
	return (struct vd_operation){.type = type, .key = key, .value = value, .size = value ? strlen(value) : 0, .lease = lease};
}

/* What the failure branch of a commit reads: the request, then the epoch. */
static int outcome_read(const struct vd_txn_result *result, bool has_request, int64_t *ret_revision)
{
	const struct vd_kvs *request = has_request ? result->responses[0] : NULL;
	const struct vd_kvs *epoch = result->responses[result->response_count - 1];

	if (result->succeeded) {
		*ret_revision = result->revision;
		return 0;
	}
	if (request && request->count) {
		*ret_revision = request->items[0].mod_revision;
		return -EALREADY;
	}
	*ret_revision = epoch->count ? epoch->items[0].mod_revision : result->revision;
	return -EAGAIN;
}

/*
 * The transaction that makes a change real: what operations has, and the epoch, and the request's key, if the epoch still stands as
 * the decision saw it (and more, if more is compared). operations has room for two more.
 */
static int epoch_commit(struct vd_replica *replica, const struct vd_replica_commit *commit, struct vd_compare *compares,
			size_t compare_count, struct vd_operation *operations, size_t count, const char *pending, int64_t lease,
			int64_t *ret_revision, struct vd_error *error)
{
	VD_CLEANUP(vd_txn_result_free_cleanup) struct vd_txn_result *result = NULL;
	VD_FREE char *epoch = epoch_encode(commit->next_id, pending), *request = NULL;
	struct vd_operation failure[2];
	struct vd_txn txn = {.compares = compares, .compare_count = compare_count, .success = operations, .failure = failure};
	int r;

	if (commit->request)
		request = key_make(VD_STORE_PREFIX_REQUEST, commit->request, "");
	if (!epoch || (commit->request && !request))
		return -ENOMEM;
	operations[count++] = operation(VD_OPERATION_TYPE_PUT, VD_STORE_KEY_EPOCH, epoch, 0);
	if (request) {
		operations[count++] = operation(VD_OPERATION_TYPE_PUT, request, "{}", lease);
		failure[txn.failure_count++] = operation(VD_OPERATION_TYPE_RANGE, request, NULL, 0);
	}
	failure[txn.failure_count++] = operation(VD_OPERATION_TYPE_RANGE, VD_STORE_KEY_EPOCH, NULL, 0);
	txn.success_count = count;
	r = vd_store_txn(replica->store, &txn, &result, error);
	return r < 0 ? r : outcome_read(result, request, ret_revision);
}

static int small_commit(struct vd_replica *replica, const struct vd_replica_commit *commit, int64_t lease, int64_t *ret_revision,
			struct vd_error *error)
{
	struct vd_operation operations[VD_STAGING_COUNT_MAX + 2];
	struct vd_compare compare = revision_is(VD_STORE_KEY_EPOCH, commit->epoch);

	vd_staging_operations(commit->staging, operations);
	return epoch_commit(replica, commit, &compare, 1, operations, commit->staging->count, NULL, lease, ret_revision, error);
}

/* A transaction that may be done twice. 0 and the revision, -EAGAIN when its compares do not hold. */
static int step_run(struct vd_replica *replica, const struct vd_txn *txn, int64_t *ret_revision, struct vd_error *error)
{
	int r = -ETIMEDOUT;

	for (unsigned i = 0; i < STEP_TRIES && (r == -ETIMEDOUT || r == -ECONNREFUSED); i++) {
		VD_CLEANUP(vd_txn_result_free_cleanup) struct vd_txn_result *result = NULL;

		r = vd_store_txn(replica->store, txn, &result, error);
		if (r == 0) {
			*ret_revision = result->revision;
			r = result->succeeded ? 0 : -EAGAIN;
		}
	}
	return r;
}

/*
 * Announces the writer, and drops what an earlier try of the request left. ret_stager: the revision of the announcement, which each
 * chunk and the commit compare, so that two writers of one request cannot mix.
 */
static int stager_put(struct vd_replica *replica, const struct vd_replica_commit *commit, const char *stager, int64_t lease,
		      int64_t *ret_stager, struct vd_error *error)
{
	VD_FREE char *staged = key_make(VD_STORE_PREFIX_STAGED, commit->request, "/");
	struct vd_compare compare = revision_is(VD_STORE_KEY_EPOCH, commit->epoch);
	struct vd_operation operations[2];
	struct vd_txn txn = {.compares = &compare, .compare_count = 1, .success = operations, .success_count = 2};

	if (!staged)
		return -ENOMEM;
	operations[0] = operation(VD_OPERATION_TYPE_DELETE, staged, NULL, 0);
	operations[0].prefix = true;
	operations[1] = operation(VD_OPERATION_TYPE_PUT, stager, "{}", lease);
	return step_run(replica, &txn, ret_stager, error);
}

static int chunks_put(struct vd_replica *replica, const struct vd_replica_commit *commit, const char *stager,
		      int64_t stager_revision, struct vd_error *error)
{
	struct vd_compare compare = revision_is(stager, stager_revision);
	size_t count = 0;
	int64_t revision;

	for (size_t start = 0, n = 0; start < commit->staging->count; start += count, n++) {
		VD_FREE char *value = vd_staging_encode(commit->staging, start, &count), *key = NULL;
		char tail[24];
		struct vd_operation put;
		struct vd_txn txn = {.compares = &compare, .compare_count = 1, .success = &put, .success_count = 1};
		int r;

		snprintf(tail, sizeof(tail), "/%08zu", n);
		key = key_make(VD_STORE_PREFIX_STAGED, commit->request, tail);
		if (!value || !key)
			return -ENOMEM;
		put = operation(VD_OPERATION_TYPE_PUT, key, value, 0);
		r = step_run(replica, &txn, &revision, error);
		if (r < 0)
			return r;
	}
	return 0;
}

static int staged_commit(struct vd_replica *replica, const struct vd_replica_commit *commit, int64_t lease, int64_t *ret_revision,
			 struct vd_error *error)
{
	VD_FREE char *stager = key_make(VD_STORE_PREFIX_STAGER, commit->request, "");
	struct vd_operation operations[3];
	struct vd_compare compares[2];
	int64_t stager_revision, folded;
	int r;

	if (!stager)
		return -ENOMEM;
	*ret_revision = 0;
	r = stager_put(replica, commit, stager, lease, &stager_revision, error);
	if (r == 0)
		r = chunks_put(replica, commit, stager, stager_revision, error);
	if (r < 0)
		return r;
	compares[0] = revision_is(VD_STORE_KEY_EPOCH, commit->epoch);
	compares[1] = revision_is(stager, stager_revision);
	operations[0] = operation(VD_OPERATION_TYPE_DELETE, stager, NULL, 0);
	r = epoch_commit(replica, commit, compares, 2, operations, 1, commit->request, lease, ret_revision, error);
	/* Real now, folded or not: whoever writes next folds it if we do not get to it. */
	if (r == 0)
		vd_replica_fold(replica, commit->request, *ret_revision, commit->next_id, &folded, NULL);
	return r;
}

int vd_replica_commit(struct vd_replica *replica, const struct vd_replica_commit *commit, int64_t *ret_revision,
		      struct vd_error *error)
{
	int64_t lease = 0;
	int r = commit->request ? vd_replica_lease(replica, &lease, error) : 0;

	if (r < 0)
		return r;
	r = vd_staging_is_small(commit->staging) ? small_commit(replica, commit, lease, ret_revision, error)
						 : staged_commit(replica, commit, lease, ret_revision, error);
	if (r == -ENOENT) {
		/* The lease ended before its time (another store was restored, say): the next try takes a new one. */
		pthread_mutex_lock(&replica->lock);
		replica->lease_until = 0;
		pthread_mutex_unlock(&replica->lock);
	}
	return r;
}

int vd_replica_request_find(struct vd_replica *replica, const char *request, int64_t *ret_revision, struct vd_error *error)
{
	VD_CLEANUP(vd_kvs_free_cleanup) struct vd_kvs *kvs = NULL;
	VD_FREE char *key = key_make(VD_STORE_PREFIX_REQUEST, request, "");
	int r = key ? vd_store_range(replica->store, key, false, 0, 0, &kvs, error) : -ENOMEM;

	if (r < 0)
		return r;
	if (!kvs->count)
		return -ENOENT;
	*ret_revision = kvs->items[0].mod_revision;
	return 0;
}

/* One chunk becomes plain keys and goes, if both it and the commit still stand. */
static int chunk_fold(struct vd_replica *replica, const struct vd_kv *chunk, int64_t epoch, struct vd_error *error)
{
	struct vd_operation operations[VD_STAGING_COUNT_MAX + 1];
	struct vd_compare compares[2] = {revision_is(VD_STORE_KEY_EPOCH, epoch), revision_is(chunk->key, chunk->mod_revision)};
	struct vd_txn txn = {.compares = compares, .compare_count = 2, .success = operations};
	struct vd_staging staging = {0};
	int64_t revision;
	int r = vd_staging_decode(chunk->value, chunk->size, &staging);

	if (r == 0 && staging.count > VD_STAGING_COUNT_MAX)
		r = -EBADMSG;
	if (r < 0) {
		vd_staging_clear(&staging);
		return vd_error_set(error, r, "store: the staged chunk %s cannot be read; restore a backup", chunk->key);
	}
	vd_staging_operations(&staging, operations);
	operations[staging.count] = operation(VD_OPERATION_TYPE_DELETE, chunk->key, NULL, 0);
	txn.success_count = staging.count + 1;
	r = step_run(replica, &txn, &revision, error);
	vd_staging_clear(&staging);
	/* Another was faster: as good. */
	return r == -EAGAIN ? 0 : r;
}

int vd_replica_fold(struct vd_replica *replica, const char *request, int64_t epoch, uint32_t next_id, int64_t *ret_revision,
		    struct vd_error *error)
{
	VD_FREE char *staged = key_make(VD_STORE_PREFIX_STAGED, request, "/"), *value = epoch_encode(next_id, NULL);
	struct vd_compare compare = revision_is(VD_STORE_KEY_EPOCH, epoch);
	struct vd_operation put;
	struct vd_txn txn = {.compares = &compare, .compare_count = 1, .success = &put, .success_count = 1};
	bool more = true;
	int r;

	if (!staged || !value)
		return -ENOMEM;
	while (more) {
		VD_CLEANUP(vd_kvs_free_cleanup) struct vd_kvs *kvs = NULL;

		/* A few at a time: each may be a megabyte. */
		r = vd_store_range(replica->store, staged, true, 0, 4, &kvs, error);
		if (r < 0)
			return r;
		more = kvs->count > 0;
		/* Another finished it, and may have gone on. */
		if (more && kvs->items[0].mod_revision > epoch)
			break;
		for (size_t i = 0; i < kvs->count; i++) {
			r = chunk_fold(replica, &kvs->items[i], epoch, error);
			if (r < 0)
				return r;
		}
	}
	put = operation(VD_OPERATION_TYPE_PUT, VD_STORE_KEY_EPOCH, value, 0);
	r = step_run(replica, &txn, ret_revision, error);
	return r == -EAGAIN ? 0 : r;
}

void vd_replica_sweep(struct vd_replica *replica, const char *request, int64_t epoch)
{
	VD_FREE char *staged = key_make(VD_STORE_PREFIX_STAGED, request, "/");
	VD_FREE char *stager = key_make(VD_STORE_PREFIX_STAGER, request, "");
	struct vd_compare compares[2];
	struct vd_operation delete;
	struct vd_txn txn = {.compares = compares, .compare_count = 2, .success = &delete, .success_count = 1};
	int64_t revision;

	if (!staged || !stager)
		return;
	/* No writer that could still commit, and no commit that could still need them. */
	compares[0] = revision_is(VD_STORE_KEY_EPOCH, epoch);
	compares[1] = revision_is(stager, 0);
	delete = operation(VD_OPERATION_TYPE_DELETE, staged, NULL, 0);
	delete.prefix = true;
	step_run(replica, &txn, &revision, NULL);
}
