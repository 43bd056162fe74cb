/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_HOST_CGROUP_H
#define VD_HOST_CGROUP_H

#include "base/error.h"

#include <stdint.h>
#include <sys/types.h>

/*
 * What a router's processes may use: a group "viaduct/<tag>/<domain>" in the unified hierarchy where that has the controllers cpu
 * and memory, else one in each of theirs (version 1).
 */

/* Makes or adopts the group, sets its limits and moves the process into it. cpu_milli: thousandths of a core; memory: bytes; 0: none. */
int vd_host_cgroup_ensure(const char *tag, uint32_t domain, uint32_t cpu_milli, uint64_t memory, pid_t pid, struct vd_error *error);
/* What is gone already is success. -EBUSY while a process is still in it (a fifth of a second is waited for one that dies). */
int vd_host_cgroup_remove(const char *tag, uint32_t domain, struct vd_error *error);
/* The domains that have groups; with version 1 it may name one twice. What the visitor returns ends it, when that is not 0. */
typedef int vd_host_cgroup_visit(uint32_t domain, void *userdata);
int vd_host_cgroup_each(const char *tag, vd_host_cgroup_visit *visit, void *userdata);
/* Removes the groups of every domain of this tag. Waits five seconds for a process that dies. */
int vd_host_cgroup_purge(const char *tag, struct vd_error *error);

#endif
