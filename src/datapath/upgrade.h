/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_DATAPATH_UPGRADE_H
#define VD_DATAPATH_UPGRADE_H

#include "datapath/version.h"

/*
 * How a build of the programs comes to stand pinned and attached, from nothing or in place of another. Each step begins with what
 * the steps before it left on the bpffs, and may be done again: the process may be killed at any instruction, and the next run, of
 * this build or of a third, goes on from there (docs/dev/upgrade.md says why no packet notices). X(ENUMERATOR, name)
 */
#define VD_UPGRADE_STEPS(X) \
	X(CLEAR, clear)     /* a build that was never finished goes */ \
	X(MAKE, make)       /* load ours, sharing maps of an unchanged definition; pin it beside the current one */ \
	X(CARRY, carry)     /* copy what maps of a changed definition hold */ \
	X(PUBLISH, publish) /* one rename: ours is the current one */ \
	X(SWAP, swap)       /* replace the filter of one interface after another */ \
	X(SETTLE, settle)   /* copy what the old programs did meanwhile */ \
	X(REMOVE, remove)   /* unpin the old ones */

enum vd_upgrade_step {
#define X(enumerator, ...) VD_UPGRADE_STEP_##enumerator,
	VD_UPGRADE_STEPS(X)
#undef X
		VD_UPGRADE_STEP_COUNT,
};

struct vd_upgrade {
	const char *pin_directory;
	struct vd_object object;
	struct vd_program_settings settings;
};

/*
 * Does the steps that are needed, but only those before `until` (VD_UPGRADE_STEP_COUNT: all; tests stop earlier). When nothing is
 * needed, because our build is the current one and alone, this only looks.
 */
int vd_upgrade_run(const struct vd_upgrade *upgrade, enum vd_upgrade_step until, struct vd_error *error);

#endif
