/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_SERVICES_ROUTER_ROUTER_H
#define VD_SERVICES_ROUTER_ROUTER_H

#include "base/error.h"

/*
 * The process of one VPC's router on one host: DHCP, DNS and metadata in the VPC's network namespace, fed by the agent over a socket.
 * It lives as long as its namespace is pinned where it was, with or without a daemon.
 */
struct vd_router_process;

struct vd_router_process_options {
	const char *netns_path;
	const char *ifname; /* of the service port, inside the namespace */
	const char *socket_path;
	const char *resolv_conf; /* the host's name servers */
};

/* Opens everything that needs privileges; the options' strings must outlive the process. -EBUSY when another one serves this socket. */
int vd_router_process_new(const struct vd_router_process_options *options, struct vd_router_process **ret, struct vd_error *error);
/* Until SIGTERM, or until the namespace or the socket is not there any more. */
void vd_router_process_run(struct vd_router_process *process);
void vd_router_process_free(struct vd_router_process *process);

#endif
