/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_COMPILE_POLICY_H
#define VD_COMPILE_POLICY_H

#include "compile/grant.h"
#include "compile/table.h"

/*
 * The policies of the identities on this host: rules grant, and the records of a plan follow from what is granted by one rule or by
 * several. Counted, so that a rule that comes or goes costs its own few records, however many others there are.
 */

struct vd_policies {
	struct vd_table policies, remotes, blocks, spans;
	/* What has to be looked at by vd_policies_collect. */
	struct vd_policy *touched_policies;
	struct vd_policy_remote *touched_remotes;
	struct vd_policy_block *touched_blocks;
	struct vd_policy_span *touched_spans;
};

void vd_policies_clear(struct vd_policies *policies);
/* Ports of this identity are here, from now on or no longer: without grants they may send everything and receive nothing. */
int vd_policies_hold(struct vd_policies *policies, uint32_t identity);
int vd_policies_release(struct vd_policies *policies, uint32_t identity);
/* What one rule grants now in place of what it granted before. -ENOMEM leaves them unusable but for clearing. */
int vd_policies_replace(struct vd_policies *policies, const struct vd_grants *before, const struct vd_grants *after);
/* For what changed since the last call, the records that stand in plan go into gone, those that should stand into come. */
int vd_policies_collect(struct vd_policies *policies, const struct vd_plan *plan, struct vd_plan *gone, struct vd_plan *come);

#endif
