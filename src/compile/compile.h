/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_COMPILE_COMPILE_H
#define VD_COMPILE_COMPILE_H

#include "model/change.h"
#include "plan/plan.h"

/*
 * Model + "I am host h1" -> plan. Pure: no I/O. The compiler remembers which resources each record was derived from, so that a
 * change costs what it touches: vd_compiler_update on the changes gives the same plan as a new compiler on the new model
 * (a property test holds that).
 */
struct vd_compiler;

struct vd_compiler *vd_compiler_new(const char *host);
void vd_compiler_free(struct vd_compiler *compiler);

/*
 * Brings the plan to the model. changes: what differs from the model of the last call (as vd_changes: before/after); NULL: compile
 * everything anew. The model is only read during the call. ret (may be NULL) receives the difference to the plan before.
 */
int vd_compiler_update(struct vd_compiler *compiler, const struct vd_model *model, const struct vd_changes *changes,
		       struct vd_plan_difference **ret);
/* The plan as it is; borrowed, changes with the next update. */
const struct vd_plan *vd_compiler_plan(const struct vd_compiler *compiler);

/* Units of derivation worked out since the compiler was made: what a change costs, for tests and metrics. */
uint64_t vd_compiler_derived(const struct vd_compiler *compiler);

/*
 * What a user should know of a resource beyond its document, as this host derives it: {"state": "active" | "unusable" | "inert" |
 * "detached" …, "reason": sentence}. NULL: nothing to say. A new reference. Used by status, describe and `get`.
 */
json_t *vd_compile_status(const struct vd_model *model, const struct vd_resource *resource);
/*
 * The same for who knows which hosts report: alive is an object with a member for each of them. A host that does not is "silent",
 * and what leads there "uncertain": its traffic goes on when only the daemon stopped, and no one can tell from here.
 */
json_t *vd_compile_status_alive(const struct vd_model *model, const struct vd_resource *resource, const json_t *alive);

#endif
