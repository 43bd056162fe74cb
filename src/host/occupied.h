/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_HOST_OCCUPIED_H
#define VD_HOST_OCCUPIED_H

#include "host/host.h"

/* A prefix that this host has a route to, connected or static, in its main table, which is not ours and no default route. */
struct vd_host_occupied {
	struct vd_prefix prefix;
	char ifname[16];
	bool is_bridge; /* somebody's bridge stands in it */
};
/* In the order of the prefixes, each once; link-local ones and those of multicast left out. The list is to be freed. */
int vd_host_occupied_read(struct vd_host_net *net, struct vd_host_occupied **ret, size_t *ret_count, struct vd_error *error);

/* The same of an instance's namespace, which has no links of ours that matter; netns: what it must be. -ESTALE: it is another one. */
int vd_host_occupied_read_guest(const char *path, const struct vd_host_netns *netns, struct vd_host_occupied **ret,
				size_t *ret_count, struct vd_error *error);

/*
 * Whether a route of this origin (RTPROT_…) occupies its destination: connected, or set by an administrator. What routing protocols
 * say may be a hundred thousand, and changes every second; default routes and link-local ones are everybody's.
 */
bool vd_host_occupies(uint8_t protocol, const struct vd_prefix *destination);

#endif
