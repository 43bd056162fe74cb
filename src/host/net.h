/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_HOST_NET_H
#define VD_HOST_NET_H

#include "host/host.h"
#include "host/netlink.h"

#include <uthash.h>

/* A link of ours that stands: what monitor.c compares with, when the kernel says that we missed something. */
struct vd_host_known {
	uint32_t ifindex;
	bool expected; /* to go: we remove it ourselves */
	UT_hash_handle hh;
};

struct vd_host_net {
	char *tag, *run_directory;
	struct nl_sock *netlink; /* requests, in the namespace of the thread that opened us */
	struct nl_sock *monitor;
	struct vd_host_netns netns; /* that namespace */
	struct vd_host_known *known;
	bool others_changed; /* links or addresses that are not ours */
	int frames;          /* a packet socket to send by (solicit.c), -1: none yet */
};

/* Each router namespace below the run directory goes. */
int vd_host_router_purge(struct vd_host_net *net, struct vd_error *error);
int vd_host_monitor_open(struct vd_host_net *net, struct vd_error *error);
void vd_host_monitor_close(struct vd_host_net *net);
/* We are about to remove this link: that it is gone is no news. */
void vd_host_monitor_expect(struct vd_host_net *net, uint32_t ifindex);

#endif
