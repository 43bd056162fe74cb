/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_API_ITEM_H
#define VD_API_ITEM_H

#include "model/change.h"

/*
 * A resource as the API shows it: {"kind", "project", "name", "document", "assigned", "status"?, "attachment"? (ports),
 * "claim"? (hosts)}. The model must stay locked meanwhile. A new reference, NULL without memory.
 */
json_t *vd_item_new(const struct vd_model *model, const struct vd_resource *resource);
/* One change as apply, delete and diff report it; documents: also "before" and "after", as YAML text. */
json_t *vd_item_change(const struct vd_change *change, bool documents);
/* The word: created, changed, unchanged, deleted. */
const char *vd_item_action(const struct vd_change *change);
/* The resource's document as YAML text, a string to free. */
char *vd_item_yaml(const struct vd_resource *resource);

#endif
