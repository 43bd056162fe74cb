/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_AGENT_SENTRY_H
#define VD_AGENT_SENTRY_H

#include "agent/alive.h"

#include <stdint.h>

/*
 * A thread that looks after something which depends on who lives: when a host came or went, when it is woken, and when its last look
 * said so. A store that does not answer is asked again after VD_SENTRY_AWAY_MS; until it does, nothing is looked at.
 */
struct vd_sentry;

#define VD_SENTRY_AWAY_MS 1000

/*
 * Reads who lives; the thread begins with vd_sentry_start, which looks at once. look, on that thread: returns when to look again at
 * the latest, as vd_sentry_now() counts. Borrows store.
 */
int vd_sentry_new(struct vd_store *store, uint64_t (*look)(void *userdata), void *userdata, struct vd_sentry **ret,
		  struct vd_error *error);
int vd_sentry_start(struct vd_sentry *sentry, struct vd_error *error);
/* Waits for a look under way. */
void vd_sentry_free(struct vd_sentry *sentry);
/* From any thread. */
void vd_sentry_wake(struct vd_sentry *sentry);
/* Who lives; the sentry's own. */
struct vd_alive *vd_sentry_alive(struct vd_sentry *sentry);
/* ms, CLOCK_MONOTONIC. */
uint64_t vd_sentry_now(void);

#endif
