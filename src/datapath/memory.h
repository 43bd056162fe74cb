/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_DATAPATH_MEMORY_H
#define VD_DATAPATH_MEMORY_H

#include <stdbool.h>

/*
 * The kernel takes elements of hashes and tries that are not preallocated, and timers, from memory that it must have at once: it can
 * neither reclaim any there nor wait for who holds the allocator's lock (Linux: bpf_mem_alloc is refilled with GFP_NOWAIT; timers are
 * from GFP_ATOMIC, since 6.18 from kmalloc_nolock). Its -ENOMEM is over a moment later, on a machine with plenty as on one whose page
 * cache fills it. A map that is full says -E2BIG or -ENOSPC.
 */

/* Of one call that is tried again. Starts zeroed. */
struct vd_memory_wait {
	unsigned count;
};

/*
 * Sleeps, longer each time: true, to try again, some half a second in all. False when that was in vain, and then for some seconds for
 * every other call of the process: a thousand entries do not wait one after the other.
 */
bool vd_memory_wait(struct vd_memory_wait *wait);

#endif
