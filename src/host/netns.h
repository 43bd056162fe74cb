/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_HOST_NETNS_H
#define VD_HOST_NETNS_H

#include "host/host.h"

#include <netlink/netlink.h>

/* The namespace at path: an open descriptor in ret_fd. -ENOENT, or -EINVAL when it is no network namespace. */
int vd_host_netns_open(const char *path, int *ret_fd, struct vd_host_netns *ret_netns, struct vd_error *error);
/* A netlink socket that lives in the namespace fd. */
int vd_host_netns_socket(int fd, struct nl_sock **ret, struct vd_error *error);
/* The calling thread's own. */
int vd_host_netns_self(struct vd_host_netns *ret);
bool vd_host_netns_equal(const struct vd_host_netns *a, const struct vd_host_netns *b);
/* Makes a namespace and pins it with a bind mount at path (made when missing). */
int vd_host_netns_pin(const char *path, struct vd_error *error);
/* Takes pin and file away; what is gone already is success. */
int vd_host_netns_unpin(const char *path, struct vd_error *error);

#endif
