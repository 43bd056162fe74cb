/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_TESTS_STORE_SEMANTICS_H
#define VD_TESTS_STORE_SEMANTICS_H

#include "store/store.h"

/*
 * What every store must do, whatever is behind it (an engine here, a gateway elsewhere). Runs the suite called name over the
 * store, which may hold other keys; returns the number of failed tests. The store's history must not be compacted by others.
 */
int semantics_run(const char *name, struct vd_store *store);

/* A watch that keeps what it saw. */
struct recorder;
struct recorder *recorder_new(struct vd_store *store, const char *prefix, int64_t start);
void recorder_free(struct recorder *recorder);
/* Waits until count events were seen (progress is none); false after seconds. */
bool recorder_wait(struct recorder *recorder, size_t count, unsigned seconds);
/* "+key=value@group -key@group …": group counts the calls from 1. A string to free. */
char *recorder_text(struct recorder *recorder);
size_t recorder_count(struct recorder *recorder);
/* The revision from which the store still knows; 0: not told that the watch was compacted. */
int64_t recorder_compacted(struct recorder *recorder, unsigned seconds);

/* One put; fails the test when it does. Returns the revision. */
int64_t store_put(struct vd_store *store, const char *key, const char *value, int64_t lease);

#endif
