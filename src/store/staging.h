/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_STORE_STAGING_H
#define VD_STORE_STAGING_H

#include "store/store.h"

/* A list of puts and removals, and the chunks that a large one is staged in (store/replica.h). Pure. */
struct vd_staging_operation {
	char *key;
	char *value; /* NUL-terminated JSON; NULL: remove */
};

struct vd_staging {
	struct vd_staging_operation *items;
	size_t count;
	size_t size; /* bytes of keys and values */
};

/*
 * Of one chunk, and of what is written without staging. A chunk's JSON holds the values as strings, which at worst doubles them,
 * and must stay below the store's limit.
 */
#define VD_STAGING_COUNT_MAX 100
#define VD_STAGING_SIZE_MAX (600u << 10)

/* Takes key and value (value NULL: remove), also on failure. -ENOMEM when key is NULL; -E2BIG when it fits no chunk. */
int vd_staging_add(struct vd_staging *staging, char *key, char *value, struct vd_error *error);
void vd_staging_clear(struct vd_staging *staging);
/* It fits one transaction. */
bool vd_staging_is_small(const struct vd_staging *staging);

/* The chunk that begins with operation start, a string to free; ret_count: how many are in it. NULL: out of memory. */
char *vd_staging_encode(const struct vd_staging *staging, size_t start, size_t *ret_count);
/* Adds a chunk's operations. -EBADMSG when it is none. */
int vd_staging_decode(const char *value, size_t size, struct vd_staging *staging);
/* As operations of a transaction, of staging's memory, into ret (room for count). */
void vd_staging_operations(const struct vd_staging *staging, struct vd_operation *ret);

#endif
