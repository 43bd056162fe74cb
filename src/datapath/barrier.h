/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_DATAPATH_BARRIER_H
#define VD_DATAPATH_BARRIER_H

/*
 * Waits for packets that programs are judging: once vd_barrier_wait returns, every run that began before the call is over, so none of
 * them still holds what it read then. Some ten milliseconds; needs nothing of the programs.
 */
struct vd_barrier {
	int inner, outer; /* maps; -1: none */
};

/* The maps are the process's own and are pinned nowhere. 0 or a negative errno. */
int vd_barrier_open(struct vd_barrier *ret);
int vd_barrier_wait(const struct vd_barrier *barrier);
void vd_barrier_close(struct vd_barrier *barrier);

#endif
