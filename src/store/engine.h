/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_STORE_ENGINE_H
#define VD_STORE_ENGINE_H

#include "store/store.h"

/*
 * What an engine does. store.c has checked the arguments (limits, keys, duplicate keys) and never passes what etcd refuses;
 * the contracts are those of store.h.
 */
struct vd_store_engine {
	void (*close)(struct vd_store *store);
	/* Keys >= from and below end (see vd_key_end). limit 0: all of them, of one revision. */
	int (*range)(struct vd_store *store, const char *from, const char *end, size_t end_size, int64_t revision, size_t limit,
		     struct vd_kvs **ret, struct vd_error *error);
	/* ret is never NULL. */
	int (*txn)(struct vd_store *store, const struct vd_txn *txn, struct vd_txn_result **ret, struct vd_error *error);
	int (*watch)(struct vd_store *store, const char *prefix, int64_t start, const struct vd_watch_callbacks *callbacks,
		     void *userdata, struct vd_watch **ret, struct vd_error *error);
	void (*watch_free)(struct vd_watch *watch);
	int (*lease_grant)(struct vd_store *store, int64_t ttl, int64_t *ret_lease, struct vd_error *error);
	int (*lease_keepalive)(struct vd_store *store, int64_t lease, int64_t *ret_ttl, struct vd_error *error);
	int (*lease_revoke)(struct vd_store *store, int64_t lease, struct vd_error *error);
	void (*finish)(struct vd_store *store, unsigned seconds); /* NULL: its calls do not wait for others */
	int (*compact)(struct vd_store *store, int64_t revision, struct vd_error *error);
};

/* Each engine's own structs start with these. */
struct vd_store {
	const struct vd_store_engine *engine;
};

struct vd_watch {
	struct vd_store *store;
};

/* rest: the URL behind its scheme. */
int vd_sqlite_open(const char *path, struct vd_store **ret, struct vd_error *error);
int vd_etcd_open(const char *hosts, bool tls, const struct vd_store_options *options, struct vd_store **ret,
		 struct vd_error *error);

/*
 * The first key behind a range: of key alone its own bytes and a NUL; of a prefix the prefix with its last byte raised, or the
 * single byte NUL for the empty prefix (no end: etcd's notation). A string to free, of *ret_size bytes. NULL: out of memory.
 */
char *vd_key_end(const char *key, bool prefix, size_t *ret_size);
/* No key is behind the range. */
static inline bool vd_key_end_is_none(const char *end, size_t size)
{
	return size == 1 && !end[0];
}

struct vd_kvs *vd_kvs_new(void);
/*
 * Adds a pair with copies of key and value (value NULL and size > 0: the value's memory is made, zeroed, to be filled).
 * The new pair, for the rest of its fields, or NULL: out of memory. Borrowed until the next append.
 */
struct vd_kv *vd_kvs_append(struct vd_kvs *kvs, const char *key, size_t key_size, const char *value, size_t size);
/* A result with count empty answers, each with this revision. NULL: out of memory. */
struct vd_txn_result *vd_txn_result_new(size_t count);

#endif
