/* SPDX-License-Identifier: Apache-2.0 */
#include "store/engine.h"

#include "base/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

VD_DEFINE_CLEANUP(struct vd_txn_result, vd_txn_result_free)

/* What an operation or compare costs in a request besides its key and value, at most. */
#define OPERATION_OVERHEAD 32u

static const char *url_rest(const char *url, const char *scheme)
{
	size_t size = strlen(scheme);

	return strncmp(url, scheme, size) ? NULL : url + size;
}

int vd_store_open(const char *url, const struct vd_store_options *options, struct vd_store **ret, struct vd_error *error)
{
	static const struct vd_store_options none;
	const char *rest;

	if (!options)
		options = &none;
	rest = url_rest(url, "sqlite://");
	if (rest) {
		if (rest[0] != '/')
			return vd_error_set(error, -EINVAL,
					    "store %s: the file needs an absolute path: sqlite:///var/lib/viaduct/state.db", url);
		return vd_sqlite_open(rest, ret, error);
	}
	rest = url_rest(url, "etcds://");
	if (rest)
		return vd_etcd_open(rest, true, options, ret, error);
	rest = url_rest(url, "etcd://");
	if (rest) {
		if (!options->insecure)
			return vd_error_set(
				error, -EPERM,
				"store %s: plain TCP lets anyone on the way read and change the network; use etcds://, or "
				"--insecure in a lab",
				url);
		return vd_etcd_open(rest, false, options, ret, error);
	}
	return vd_error_set(error, -EINVAL,
			    "store %s: no such kind of store; use sqlite:///PATH, etcd://HOST:PORT,… or etcds://HOST:PORT,…", url);
}

void vd_store_close(struct vd_store *store)
{
	if (store)
		store->engine->close(store);
}

static int key_check(const char *key, bool prefix, struct vd_error *error)
{
	if (!key || (!key[0] && !prefix))
		return vd_error_set(error, -EINVAL, "store: a key must not be empty");
	return 0;
}

int vd_store_range(struct vd_store *store, const char *key, bool prefix, int64_t revision, size_t limit, struct vd_kvs **ret,
		   struct vd_error *error)
{
	VD_FREE char *end = NULL;
	size_t end_size;
	int r = key_check(key, prefix, error);

	if (r < 0)
		return r;
	end = vd_key_end(key, prefix, &end_size);
	if (!end)
		return -ENOMEM;
	return store->engine->range(store, key, end, end_size, revision, limit, ret, error);
}

int vd_store_range_from(struct vd_store *store, const char *prefix, const char *from, int64_t revision, size_t limit,
			struct vd_kvs **ret, struct vd_error *error)
{
	VD_FREE char *end = NULL;
	size_t end_size;

	if (strncmp(from, prefix, strlen(prefix)))
		return vd_error_set(error, -EINVAL, "store: %s does not start with %s", from, prefix);
	end = vd_key_end(prefix, true, &end_size);
	if (!end)
		return -ENOMEM;
	return store->engine->range(store, from, end, end_size, revision, limit, ret, error);
}

static bool operation_covers(const struct vd_operation *operation, const char *key)
{
	return operation->prefix ? !strncmp(key, operation->key, strlen(operation->key)) : !strcmp(key, operation->key);
}

/* etcd refuses a branch that writes a key twice, or puts what it also deletes; so does every engine. */
static int operations_check(const struct vd_operation *operations, size_t count, size_t *size, struct vd_error *error)
{
	for (size_t i = 0; i < count; i++) {
		const struct vd_operation *operation = &operations[i];
		int r = key_check(operation->key, operation->prefix && operation->type != VD_OPERATION_TYPE_PUT, error);

		if (r < 0)
			return r;
		*size += strlen(operation->key) + OPERATION_OVERHEAD;
		if (operation->type != VD_OPERATION_TYPE_PUT)
			continue;
		*size += operation->size;
		for (size_t j = 0; j < count; j++) {
			if (j == i || operations[j].type == VD_OPERATION_TYPE_RANGE ||
			    !operation_covers(&operations[j], operation->key))
				continue;
			return vd_error_set(error, -EINVAL, "store: key %s is written twice in one transaction", operation->key);
		}
	}
	return 0;
}

static int txn_check(const struct vd_txn *txn, struct vd_error *error)
{
	size_t size = 0;
	int r;

	if (txn->compare_count > VD_STORE_OPERATIONS_MAX || txn->success_count > VD_STORE_OPERATIONS_MAX ||
	    txn->failure_count > VD_STORE_OPERATIONS_MAX)
		return vd_error_set(error, -E2BIG, "store: a transaction has more than %d operations or compares",
				    VD_STORE_OPERATIONS_MAX);
	for (size_t i = 0; i < txn->compare_count; i++) {
		r = key_check(txn->compares[i].key, false, error);
		if (r < 0)
			return r;
		size += strlen(txn->compares[i].key) + txn->compares[i].size + OPERATION_OVERHEAD;
	}
	r = operations_check(txn->success, txn->success_count, &size, error);
	if (r < 0)
		return r;
	r = operations_check(txn->failure, txn->failure_count, &size, error);
	if (r < 0)
		return r;
	if (size > VD_STORE_REQUEST_SIZE_MAX)
		return vd_error_set(error, -E2BIG, "store: a transaction of %zu bytes is larger than %u", size,
				    VD_STORE_REQUEST_SIZE_MAX);
	return 0;
}

int vd_store_txn(struct vd_store *store, const struct vd_txn *txn, struct vd_txn_result **ret, struct vd_error *error)
{
	VD_CLEANUP(vd_txn_result_free_cleanup) struct vd_txn_result *result = NULL;
	int r = txn_check(txn, error);

	if (r < 0)
		return r;
	r = store->engine->txn(store, txn, &result, error);
	if (r < 0)
		return r;
	if (!ret && !result->succeeded)
		return vd_error_set(error, -EAGAIN, "store: another writer was faster");
	if (ret)
		*ret = VD_TAKE(result);
	return 0;
}

int vd_store_watch(struct vd_store *store, const char *prefix, int64_t start, const struct vd_watch_callbacks *callbacks,
		   void *userdata, struct vd_watch **ret, struct vd_error *error)
{
	return store->engine->watch(store, prefix, start, callbacks, userdata, ret, error);
}

void vd_watch_free(struct vd_watch *watch)
{
	if (watch)
		watch->store->engine->watch_free(watch);
}

int vd_store_lease_grant(struct vd_store *store, int64_t ttl, int64_t *ret_lease, struct vd_error *error)
{
	/* etcd's own upper limit. */
	if (ttl < 1 || ttl > INT64_C(9000000000))
		return vd_error_set(error, -EINVAL, "store: a lease of %" PRId64 " seconds is not possible", ttl);
	return store->engine->lease_grant(store, ttl, ret_lease, error);
}

int vd_store_lease_keepalive(struct vd_store *store, int64_t lease, int64_t *ret_ttl, struct vd_error *error)
{
	return store->engine->lease_keepalive(store, lease, ret_ttl, error);
}

int vd_store_lease_revoke(struct vd_store *store, int64_t lease, struct vd_error *error)
{
	return store->engine->lease_revoke(store, lease, error);
}

void vd_store_finish(struct vd_store *store, unsigned seconds)
{
	if (store->engine->finish)
		store->engine->finish(store, seconds);
}

int vd_store_compact(struct vd_store *store, int64_t revision, struct vd_error *error)
{
	return store->engine->compact(store, revision, error);
}
