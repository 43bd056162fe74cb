/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_API_STATUS_H
#define VD_API_STATUS_H

#include "store/replica.h"

#include <stdbool.h>

/*
 * What hosts report under status/ (store/replica.h), followed by a watch of its own: which daemons live, and which revision each
 * host's data plane obeys.
 */
struct vd_statuses;

int vd_statuses_new(struct vd_store *store, struct vd_statuses **ret, struct vd_error *error);
void vd_statuses_free(struct vd_statuses *statuses);
/* Wakes those who wait: they end with -ESHUTDOWN. */
void vd_statuses_stop(struct vd_statuses *statuses);

/*
 * Waits until every host whose daemon lives obeys the revision. -ETIMEDOUT with a sentence that names those that do not yet;
 * -ESHUTDOWN when the daemon stops.
 */
int vd_statuses_wait(struct vd_statuses *statuses, int64_t revision, unsigned seconds, struct vd_error *error);

/* Whether the host's daemon lives. */
bool vd_statuses_is_alive(struct vd_statuses *statuses, const char *host);

/* {host: seconds since 1970, when it was heard of last; 0: not known}: those that reported once and do not live. A new reference. */
json_t *vd_statuses_absent(struct vd_statuses *statuses);

/* What one host reports: status/host's object with "alive" (and "version" when it lives); NULL: nothing known. A new reference. */
json_t *vd_statuses_get(struct vd_statuses *statuses, const char *host);
/* {name: the same, …}: every host that reports. A new reference. */
json_t *vd_statuses_all(struct vd_statuses *statuses);

#endif
