/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_DATAPATH_POLICY_H
#define VD_DATAPATH_POLICY_H

#include "datapath/entry.h"

#include <stdbool.h>

/*
 * How entries that filter are changed while packets are judged by them: what neither the old rules nor the new ones allow must never
 * pass, and what both allow should not stop. Pure; change.c does the writing.
 */

/* Whether a map's entries are rules: it takes part in widening and narrowing, not in plain removal and addition. */
bool vd_policy_map(enum vd_map map);

/*
 * The value that allows what either (is_union) or both of two values of one key allow. before and after are entries of a policy map
 * with the same key.
 */
struct vd_entry vd_policy_combine(const struct vd_entry *before, const struct vd_entry *after, bool is_union);

/*
 * Who is who changes together with the rules in a way that the widened rules might, for a moment, meet the wrong one: then rules are
 * narrowed first. Both lists sorted.
 */
bool vd_policy_must_narrow_first(const struct vd_entries *before, const struct vd_entries *after);

/* Of an endpoint: its identity; and the same endpoint without one, which no rule with a remote group matches. */
uint32_t vd_policy_endpoint_identity(const struct vd_entry *endpoint);
struct vd_entry vd_policy_endpoint_anonymous(const struct vd_entry *endpoint);

#endif
