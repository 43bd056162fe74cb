/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_HOST_SYSCTL_H
#define VD_HOST_SYSCTL_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct vd_host_sysctl {
	const char *name; /* below /proc/sys/net, with slashes */
	const char *value;
	bool optional; /* not every kernel has it */
};

/* Writes those that differ, in the namespace fd. */
int vd_host_sysctl_ensure(int netns, const struct vd_host_sysctl *sysctls, size_t count, struct vd_error *error);

#endif
