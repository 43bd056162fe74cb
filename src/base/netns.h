/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_BASE_NETNS_H
#define VD_BASE_NETNS_H

/*
 * Runs work in the network namespace fd, in a thread of its own: whatever fails in it, the caller's thread never left home (setns(2)
 * with CLONE_NEWNET is per thread), while what it opened there stays of there. fd -1: in a new namespace, which lives as long as
 * something holds it. Returns what work returned, or a negative errno.
 */
int vd_netns_run(int fd, int (*work)(void *userdata), void *userdata);

#endif
