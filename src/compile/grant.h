/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_COMPILE_GRANT_H
#define VD_COMPILE_GRANT_H

#include "plan/plan.h"

/* What one rule allows the ports of one identity with one remote end. */

#define VD_GRANT_ALL 0      /* protocol: every one, no ports */
#define VD_GRANT_CLOSES 255 /* protocol: grants nothing, but ends that its direction is open; no remote, no ports */

/* Compared as bytes: it has no padding. */
struct vd_grant {
	uint32_t identity, remote_identity; /* remote_identity 0: anyone */
	struct vd_prefix prefix;
	uint8_t direction;    /* enum vd_plan_direction */
	uint8_t protocol;     /* 6, 17, 1 (ICMP of either family), or one of the above */
	uint16_t first, last; /* ports, ICMP types; all: 0 to 65535 */
	uint32_t rule;
};

_Static_assert(sizeof(struct vd_grant) == 36, "vd_grant has padding");

/* Any order; 0 only for the same. */
int vd_grant_compare(const struct vd_grant *a, const struct vd_grant *b);

struct vd_grants {
	struct vd_grant *items;
	size_t count, size;
};

int vd_grants_add(struct vd_grants *grants, const struct vd_grant *grant);
/* Brings them into order, each once, as vd_policies_replace wants them. */
void vd_grants_settle(struct vd_grants *grants);
void vd_grants_free(struct vd_grants *grants);

#endif
