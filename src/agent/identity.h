/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_AGENT_IDENTITY_H
#define VD_AGENT_IDENTITY_H

#include "base/error.h"

/* Who this daemon is: the machine, its boot, and the run directory that it holds. */
struct vd_identity_of_host {
	char machine_id[40]; /* /etc/machine-id, or the host's name hashed where there is none */
	char boot_id[40];    /* /proc/sys/kernel/random/boot_id */
	char run_id[40];     /* random, kept in <run directory>/id: a restart is the same daemon, a second one is not */
};

/*
 * Makes the run directory (mode 0755) when missing, locks it (flock on <directory>/lock) and reads the identity. ret_lock stays
 * open as long as the daemon lives. -EBUSY when another daemon holds the directory: the sentence names its process.
 */
int vd_identity_acquire(const char *run_directory, struct vd_identity_of_host *ret, int *ret_lock, struct vd_error *error);

/*
 * Where a daemon left its things in the kernel: its links carry the host's name, its programs lie below pin_directory. Kept in
 * <run directory>/place, so that a purge finds them without being told, and a daemon of another name does not orphan them.
 */
struct vd_place {
	char host[64];
	char pin_directory[256];
};

/* Notes the place, or finds that it is noted. -EEXIST with a sentence when another one is, and was not purged. */
int vd_place_take(const char *run_directory, const struct vd_place *place, struct vd_error *error);
/* 0, or -ENOENT when there was no daemon, or it was purged. */
int vd_place_read(const char *run_directory, struct vd_place *ret);
/* After a purge. */
void vd_place_leave(const char *run_directory);

#endif
