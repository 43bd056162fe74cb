/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_DATAPATH_CHANGE_H
#define VD_DATAPATH_CHANGE_H

#include "datapath/entry.h"
#include "datapath/state.h"

enum vd_change_scope {
	VD_CHANGE_SCOPE_PART, /* before and after are what one difference concerns; there is more in the maps */
	VD_CHANGE_SCOPE_ALL,  /* before is everything that the maps hold, after everything that they should */
};

/*
 * Turns one set of entries into another: removes, backwards; adds and changes in order, each port's program attached when its entry
 * stands; bumps the generations that any of it concerns; and takes the programs off ports that are gone, last, so that their
 * packets never reach the host's own stack while a flow might still pass them. With scope ALL ports that should have their program
 * and lost it get it back. Goes on after an error, and returns the first. Sorts both lists.
 */
int vd_change_carry_out(struct vd_datapath *datapath, struct vd_entries *before, struct vd_entries *after,
			enum vd_change_scope scope, struct vd_error *error);

/*
 * While entries are written whose generations are not bumped yet, a directory "changing" stands beside the versions. One that is
 * found at the start was left by a process that died in between: nobody knows which flows are stale, so all of them are.
 */
int vd_change_recover(struct vd_datapath *datapath, struct vd_error *error);
/* Only removes that directory, for purge. */
void vd_change_forget(const char *pin_directory);

#endif
