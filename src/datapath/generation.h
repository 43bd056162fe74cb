/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_DATAPATH_GENERATION_H
#define VD_DATAPATH_GENERATION_H

#include "abi/generation.h"
#include "datapath/entry.h"

/* The slots that a change must bump after its last map write. Collected first, so that each is bumped once. */
struct vd_slots {
	uint32_t *items;
	size_t count, capacity;
	bool all; /* no telling which flows: all of them */
};

void vd_slots_done(struct vd_slots *slots);
#define VD_SLOTS VD_CLEANUP(vd_slots_done)

/* Never fails: without memory for a slot it asks for all. */
void vd_slots_add(struct vd_slots *slots, uint32_t slot);
/*
 * What flows can have depended on an entry as it stood (before, NULL: it was not there) now that it is after (NULL: gone). An
 * entry's appearance alone concerns only what goes another way by it (routes, virtual IPs): an address, MAC or port that no one had
 * has no flows.
 */
void vd_slots_add_change(struct vd_slots *slots, const struct vd_entry *before, const struct vd_entry *after);

/* The pinned array, mapped. */
struct vd_generation;
int vd_generation_open(int fd, struct vd_generation **ret);
void vd_generation_close(struct vd_generation *generation);
/* Bumps each slot once; returns how many writes that was (all of them together count as one). */
size_t vd_generation_bump(struct vd_generation *generation, struct vd_slots *slots);
/* Sum over a flow's slots as they are now; compare with what it stamped. */
uint64_t vd_generation_sum(const struct vd_generation *generation, const uint32_t *slots, size_t count);

#endif
