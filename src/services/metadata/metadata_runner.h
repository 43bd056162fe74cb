/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_SERVICES_METADATA_METADATA_RUNNER_H
#define VD_SERVICES_METADATA_METADATA_RUNNER_H

#include "services/router/state.h"

#include <uv.h>

/* The metadata service: HTTP at 169.254.169.254:80 in the network namespace, answered from the state on the loop's thread. */
struct vd_metadata_runner;

int vd_metadata_runner_new(uv_loop_t *loop, const struct vd_router_state *state, const char *netns_path,
			   struct vd_metadata_runner **ret, struct vd_error *error);
/* Closes its handles; run the loop once more before it goes. */
void vd_metadata_runner_free(struct vd_metadata_runner *runner);
/* A new reference: {"requests", "not_found"}. */
json_t *vd_metadata_runner_counters(const struct vd_metadata_runner *runner);

#endif
