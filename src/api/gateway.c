/* SPDX-License-Identifier: Apache-2.0 */
#include "api/gateway.h"

#include "base/cleanup.h"
#include "store/wire.h"

#include <errno.h>
#include <string.h>

VD_DEFINE_CLEANUP(struct vd_kvs, vd_kvs_free)
VD_DEFINE_CLEANUP(struct vd_txn_result, vd_txn_result_free)

/* What every call does: the answer's body, or NULL with a negative errno and a sentence. */
typedef int gateway_call(struct vd_store *store, const char *body, size_t size, char **ret, struct vd_error *error);

static int encoded(char *body, char **ret)
{
	if (!body)
		return -ENOMEM;
	*ret = body;
	return 0;
}

/* The store's revision, for headers that no answer brings along. */
static int revision_get(struct vd_store *store, int64_t *ret, struct vd_error *error)
{
	VD_CLEANUP(vd_kvs_free_cleanup) struct vd_kvs *kvs = NULL;
	int r = vd_store_range(store, "/", false, 0, 1, &kvs, error);

	if (r == 0)
		*ret = kvs->revision;
	return r;
}

static int call_range(struct vd_store *store, const char *body, size_t size, char **ret, struct vd_error *error)
{
	VD_CLEANUP(vd_kvs_free_cleanup) struct vd_kvs *kvs = NULL;
	struct vd_wire_range range = {0};
	int r = vd_wire_range_decode(body, size, &range, error);

	if (r < 0)
		return r;
	r = range.prefix ? vd_store_range_from(store, range.prefix, range.key, range.revision, range.limit, &kvs, error)
			 : vd_store_range(store, range.key, false, range.revision, range.limit, &kvs, error);
	vd_wire_range_clear(&range);
	return r < 0 ? r : encoded(vd_wire_kvs_encode(kvs), ret);
}

static int call_txn(struct vd_store *store, const char *body, size_t size, char **ret, struct vd_error *error)
{
	VD_CLEANUP(vd_txn_result_free_cleanup) struct vd_txn_result *result = NULL;
	struct vd_wire_txn txn = {0};
	int r = vd_wire_txn_decode(body, size, &txn, error);

	if (r < 0)
		return r;
	r = vd_store_txn(store, &txn.txn, &result, error);
	if (r == 0)
		r = encoded(vd_wire_txn_result_encode(&txn.txn, result), ret);
	vd_wire_txn_clear(&txn);
	return r;
}

/* put and deleterange alone. */
static int call_operation(struct vd_store *store, enum vd_operation_type type, const char *body, size_t size, char **ret,
			  struct vd_error *error)
{
	VD_CLEANUP(vd_txn_result_free_cleanup) struct vd_txn_result *result = NULL;
	struct vd_wire_txn txn = {0};
	int r = vd_wire_operation_decode(type, body, size, &txn, error);

	if (r < 0)
		return r;
	r = vd_store_txn(store, &txn.txn, &result, error);
	vd_wire_txn_clear(&txn);
	return r < 0 ? r : encoded(vd_wire_header_encode(result->revision), ret);
}

static int call_put(struct vd_store *store, const char *body, size_t size, char **ret, struct vd_error *error)
{
	return call_operation(store, VD_OPERATION_TYPE_PUT, body, size, ret, error);
}

static int call_delete(struct vd_store *store, const char *body, size_t size, char **ret, struct vd_error *error)
{
	return call_operation(store, VD_OPERATION_TYPE_DELETE, body, size, ret, error);
}

static int call_compact(struct vd_store *store, const char *body, size_t size, char **ret, struct vd_error *error)
{
	int64_t revision;
	int r = vd_wire_number_decode("revision", body, size, &revision, error);

	if (r == 0)
		r = vd_store_compact(store, revision, error);
	return r < 0 ? r : encoded(vd_wire_header_encode(revision), ret);
}

static int call_lease_grant(struct vd_store *store, const char *body, size_t size, char **ret, struct vd_error *error)
{
	int64_t ttl, lease, revision;
	int r = vd_wire_number_decode("TTL", body, size, &ttl, error);

	if (r == 0)
		r = vd_store_lease_grant(store, ttl, &lease, error);
	if (r == 0)
		r = revision_get(store, &revision, error);
	return r < 0 ? r : encoded(vd_wire_lease_encode(revision, lease, ttl), ret);
}

static int call_lease_keepalive(struct vd_store *store, const char *body, size_t size, char **ret, struct vd_error *error)
{
	int64_t lease, ttl = 0;
	int r = vd_wire_number_decode("ID", body, size, &lease, error);

	if (r < 0)
		return r;
	/* etcd answers for a lease that it does not know too: without a TTL. */
	r = vd_store_lease_keepalive(store, lease, &ttl, error);
	if (r == -ENOENT)
		r = 0;
	return r < 0 ? r : encoded(vd_wire_keepalive_encode(lease, ttl), ret);
}

static int call_lease_revoke(struct vd_store *store, const char *body, size_t size, char **ret, struct vd_error *error)
{
	int64_t lease, revision;
	int r = vd_wire_number_decode("ID", body, size, &lease, error);

	if (r == 0)
		r = vd_store_lease_revoke(store, lease, error);
	if (r == 0)
		r = revision_get(store, &revision, error);
	return r < 0 ? r : encoded(vd_wire_header_encode(revision), ret);
}

static int call_status(struct vd_store *store, const char *body, size_t size, char **ret, struct vd_error *error)
{
	int64_t revision;
	int r = revision_get(store, &revision, error);

	return r < 0 ? r : encoded(vd_wire_status_encode(revision), ret);
}

static const struct {
	const char *path;
	gateway_call *call;
} calls[] = {
	{"/v3/kv/range", call_range},
	{"/v3/kv/txn", call_txn},
	{"/v3/kv/put", call_put},
	{"/v3/kv/deleterange", call_delete},
	{"/v3/kv/compaction", call_compact},
	{"/v3/lease/grant", call_lease_grant},
	{"/v3/lease/keepalive", call_lease_keepalive},
	{"/v3/lease/revoke", call_lease_revoke},
	{"/v3/kv/lease/revoke", call_lease_revoke},
	{"/v3/maintenance/status", call_status},
};

/* A refusal as body and status: 0, or -ENOMEM. */
static int refuse(int code, const struct vd_error *error, char **ret_body, int *ret_status)
{
	char *body;

	if (code == -ENOMEM)
		return code;
	body = vd_wire_error_encode(code, error, ret_status);
	return encoded(body, ret_body);
}

int vd_gateway_call(struct vd_store *store, const char *path, const char *body, size_t size, char **ret_body, int *ret_status)
{
	struct vd_error error = {0};
	VD_FREE char *answer = NULL;

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		int r;

		if (strcmp(calls[i].path, path))
			continue;
		r = calls[i].call(store, body, size, &answer, &error);
		if (r < 0)
			return refuse(r, &error, ret_body, ret_status);
		*ret_status = 200;
		*ret_body = VD_TAKE(answer);
		return 0;
	}
	answer = strdup("{\"error\":\"Not Found\",\"code\":5}");
	if (!answer)
		return -ENOMEM;
	*ret_status = 404;
	*ret_body = VD_TAKE(answer);
	return 0;
}
