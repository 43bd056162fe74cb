/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_STORE_STORE_H
#define VD_STORE_STORE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A revisioned key-value store with etcd's semantics (etcd v3 API: range, txn, watch, lease), one interface over the engines
 * sqlite and etcd. Keys and values are bytes; keys here are also NUL-terminated text. Every successful write transaction raises
 * the store's revision by one. All functions are thread-safe and block; network calls end after a bounded time.
 *
 * Errors: -ETIMEDOUT and -ECONNREFUSED (the store is away: the outcome of a txn is unknown, ask by its request key),
 * -E2BIG (over 128 operations or compares, or 1.5 MiB), -ESTALE (revision compacted), -ENOENT (lease unknown), -EIO.
 */
struct vd_store;

#define VD_STORE_OPERATIONS_MAX 128
#define VD_STORE_REQUEST_SIZE_MAX (1536u << 10)

struct vd_store_options {
	const char *tls_cert, *tls_key, *tls_ca; /* PEM files; NULL: none / the system's CAs */
	const char *token;                       /* sent as "Authorization: Bearer …"; NULL: none */
	bool insecure;                           /* plain TCP allowed */
};

/*
 * url: "sqlite:///path" (created, with mode 0600), "etcd://host:port[,host:port…]", "etcds://…" (the same with TLS).
 * An etcd endpoint that fails is left for the next. "etcd://" without options->insecure is refused.
 */
int vd_store_open(const char *url, const struct vd_store_options *options, struct vd_store **ret, struct vd_error *error);
void vd_store_close(struct vd_store *store);

struct vd_kv {
	char *key;
	char *value; /* NUL-terminated behind its size bytes */
	size_t size;
	int64_t create_revision, mod_revision, version, lease;
};

struct vd_kvs {
	struct vd_kv *items; /* ordered by key */
	size_t count;
	int64_t revision; /* the store's, when this was read */
	bool more;        /* limit cut the answer */
};

void vd_kvs_free(struct vd_kvs *kvs); /* also the struct itself */

/*
 * key alone, or all keys that start with key when prefix. revision 0: now. limit 0: none (a large prefix is read in pages of one
 * revision).
 */
int vd_store_range(struct vd_store *store, const char *key, bool prefix, int64_t revision, size_t limit, struct vd_kvs **ret,
		   struct vd_error *error);
/* All keys that start with prefix and are not before from (which starts with prefix too): for reading page by page. */
int vd_store_range_from(struct vd_store *store, const char *prefix, const char *from, int64_t revision, size_t limit,
			struct vd_kvs **ret, struct vd_error *error);

enum vd_compare_target {
	VD_COMPARE_TARGET_VERSION, /* 0: the key does not exist */
	VD_COMPARE_TARGET_CREATE,
	VD_COMPARE_TARGET_MOD,
	VD_COMPARE_TARGET_VALUE,
	VD_COMPARE_TARGET_LEASE,
};

enum vd_compare_result {
	VD_COMPARE_RESULT_EQUAL,
	VD_COMPARE_RESULT_GREATER,
	VD_COMPARE_RESULT_LESS,
	VD_COMPARE_RESULT_NOT_EQUAL,
};

struct vd_compare {
	const char *key;
	enum vd_compare_target target;
	enum vd_compare_result result;
	int64_t number;    /* for all targets but VALUE */
	const char *value; /* for VALUE */
	size_t size;
};

enum vd_operation_type {
	VD_OPERATION_TYPE_PUT,
	VD_OPERATION_TYPE_DELETE,
	VD_OPERATION_TYPE_RANGE,
};

struct vd_operation {
	enum vd_operation_type type;
	const char *key;
	bool prefix;       /* DELETE, RANGE: all keys that start with key */
	const char *value; /* PUT */
	size_t size;
	int64_t lease; /* PUT: 0 none */
};

/* When all compares hold the success operations are done, else the failure ones; together or not at all. Borrowed memory. */
struct vd_txn {
	const struct vd_compare *compares;
	size_t compare_count;
	const struct vd_operation *success, *failure;
	size_t success_count, failure_count;
};

struct vd_txn_result {
	bool succeeded; /* the compares held */
	int64_t revision;
	/* One per operation done, in order: for RANGE what was read, for the others an empty list. */
	struct vd_kvs **responses;
	size_t response_count;
};

void vd_txn_result_free(struct vd_txn_result *result); /* also the struct itself */

/* ret may be NULL when only success counts; then compares that do not hold are -EAGAIN. */
int vd_store_txn(struct vd_store *store, const struct vd_txn *txn, struct vd_txn_result **ret, struct vd_error *error);

struct vd_event {
	bool is_delete;
	struct vd_kv kv; /* of a deletion: key and mod_revision only */
};

/* Called on a thread of the store. All events of one revision come in one call, revisions in order. */
struct vd_watch_callbacks {
	/* Borrowed events. count 0: progress only (everything up to revision was delivered). */
	void (*events)(const struct vd_event *events, size_t count, int64_t revision, void *userdata);
	/* The revision asked for is compacted: read everything anew and watch from there. The watch has ended. */
	void (*compacted)(int64_t compact_revision, void *userdata);
	/* The connection was lost (true) or is back (false). The watch goes on by itself from where it stood. May be NULL. */
	void (*interrupted)(bool lost, void *userdata);
};

struct vd_watch;
/* All changes to keys starting with prefix, from revision start on (inclusive); 0: from now on. */
int vd_store_watch(struct vd_store *store, const char *prefix, int64_t start, const struct vd_watch_callbacks *callbacks,
		   void *userdata, struct vd_watch **ret, struct vd_error *error);
/* Returns when no callback runs any more; not from inside a callback. */
void vd_watch_free(struct vd_watch *watch);

/* ttl in seconds. Keys put with the lease go when it ends. */
int vd_store_lease_grant(struct vd_store *store, int64_t ttl, int64_t *ret_lease, struct vd_error *error);
/* ret_ttl: what is left; -ENOENT when it has ended. */
int vd_store_lease_keepalive(struct vd_store *store, int64_t lease, int64_t *ret_ttl, struct vd_error *error);
int vd_store_lease_revoke(struct vd_store *store, int64_t lease, struct vd_error *error);
/* For the end of a process: calls under way and later ones fail (-ECANCELED) when this many seconds have passed, from any thread. */
void vd_store_finish(struct vd_store *store, unsigned seconds);
/* Forgets revisions before this one. */
int vd_store_compact(struct vd_store *store, int64_t revision, struct vd_error *error);

#endif
