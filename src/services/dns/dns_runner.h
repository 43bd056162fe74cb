/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_SERVICES_DNS_DNS_RUNNER_H
#define VD_SERVICES_DNS_DNS_RUNNER_H

#include "services/router/state.h"

#include <uv.h>

/*
 * The name server of one VPC's router: UDP and TCP port 53 on every address of the network namespace, answered from the state, or by
 * upstream servers that are asked from the namespace of the calling process or, where the VPC has a way out, from that of the router.
 * Everything on the loop's thread, but for libunbound's own threads: one for each list of upstream servers in use.
 */
struct vd_dns_runner;

/* resolv_conf: the host's servers, for subnets that name none. */
int vd_dns_runner_new(uv_loop_t *loop, const struct vd_router_state *state, const char *netns_path, const char *resolv_conf,
		      struct vd_dns_runner **ret, struct vd_error *error);
/* Closes its handles; run the loop once more before it goes. */
void vd_dns_runner_free(struct vd_dns_runner *runner);
/* The state has changed: another way is taken; upstream lists that no subnet names any more are given up. */
void vd_dns_runner_changed(struct vd_dns_runner *runner);
/* A new reference: {"queries", "own", "forwarded", "failed", "refused", "tcp", …}. */
json_t *vd_dns_runner_counters(const struct vd_dns_runner *runner);

#endif
