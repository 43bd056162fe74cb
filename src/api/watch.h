/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_API_WATCH_H
#define VD_API_WATCH_H

#include "store/replica.h"

/* Who follows the resources by GET /v1/watch. */
struct vd_watchers;

struct vd_watchers *vd_watchers_new(void);
/* When no stream is left and the replica is gone. */
void vd_watchers_free(struct vd_watchers *watchers);
/* The replica's callback; userdata: the watchers. */
vd_replica_callback vd_watchers_tell;

#endif
