/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_SERVICES_DHCP_DHCP_RUNNER_H
#define VD_SERVICES_DHCP_DHCP_RUNNER_H

#include "services/router/state.h"

#include <uv.h>

/* DHCPv4, DHCPv6 and router advertisements on one interface: whole frames in, whole frames out. Everything runs in the loop's thread. */
struct vd_dhcp_runner;

/*
 * Answers on the interface ifname inside the network namespace at netns_path from state, which must live longer, and advertises the
 * router at once. 0, or a negative errno with the sentence: no such namespace or interface, not
 * allowed.
 */
int vd_dhcp_runner_new(uv_loop_t *loop, struct vd_router_state *state, const char *netns_path, const char *ifname,
		       struct vd_dhcp_runner **ret, struct vd_error *error);
/* Closes everything; the loop needs one more turn to let its handles go. */
void vd_dhcp_runner_free(struct vd_dhcp_runner *runner);
/* The state has changed (call it after commit, or after a put or remove outside of begin and commit): ports that would now hear another
 * router advertisement hear it now. */
void vd_dhcp_runner_changed(struct vd_dhcp_runner *runner);
/* A new object {"dhcp4_discover": N, …}; NULL: no memory. */
json_t *vd_dhcp_runner_counters(const struct vd_dhcp_runner *runner);

#endif
