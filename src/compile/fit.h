/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_COMPILE_FIT_H
#define VD_COMPILE_FIT_H

#include "base/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A block that wants a route in a table with a quota, and what it gets. */
struct vd_fit_block {
	struct vd_prefix prefix;
	uint32_t owner; /* blocks of one owner have one next hop */
	/* Its own prefix; a shorter one that stands for several of the owner's; family none: it did not fit. */
	struct vd_prefix route;
	bool is_first; /* of those that the route stands for */
};

/*
 * Gives blocks routes: one each while they are no more than limit. Beyond it, neighbours of one owner that make up a whole block
 * of twice the size become one route, small ones and low ones first, and no more of them than needed. What then is still too much
 * goes without: those routes stay that stand for the most blocks, of equal ones the lowest. So a block that comes or goes changes
 * few routes besides its own. blocks is sorted by prefix, each once; returns the number of routes.
 */
size_t vd_fit(struct vd_fit_block *blocks, size_t count, size_t limit);
/* The order in which it wants them. */
int vd_fit_compare(const struct vd_prefix *a, const struct vd_prefix *b);

#endif
