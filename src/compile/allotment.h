/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_COMPILE_ALLOTMENT_H
#define VD_COMPILE_ALLOTMENT_H

#include "compile/fit.h"
#include "compile/table.h"

/*
 * Who gets the routes that a VPC's quota allows: the user's own first, then blocks, by fit.h. Counted: as long as everything fits,
 * a block more or less costs nothing but itself; only at the limit all of the VPC's blocks are fitted anew.
 */
struct vd_allotment {
	struct vd_table_node node;
	struct vd_allotment *next_touched;
	struct vd_fit_block *blocks; /* sorted by prefix */
	size_t count, size;
	size_t limit;   /* the VPC's quota; 0: there is no such VPC */
	size_t customs; /* routes of the user's own */
	bool is_short;  /* not every block has its own route */
	bool is_touched;
	const char *project, *vpc;
	char text[];
};

struct vd_allotments {
	struct vd_table table;
	struct vd_allotment *touched;
};

void vd_allotments_clear(struct vd_allotments *allotments);
/* 0 or -ENOMEM, each. */
int vd_allotments_limit(struct vd_allotments *allotments, const char *project, const char *vpc, size_t limit);
int vd_allotments_count(struct vd_allotments *allotments, const char *project, const char *vpc, int customs);

/* A block as one text, "10.0.2.0/24 7": prefix and owner; returns text. */
#define VD_ALLOTMENT_TEXT (VD_PREFIX_TEXT + 12)
const char *vd_allotment_text(const struct vd_prefix *prefix, uint32_t owner, char text[VD_ALLOTMENT_TEXT]);
int vd_allotments_add(struct vd_allotments *allotments, const char *project, const char *vpc, const char *text);
int vd_allotments_remove(struct vd_allotments *allotments, const char *project, const char *vpc, const char *text);

/*
 * Brings the routes to what was counted; visit hears of blocks whose route is another than before. How many VPCs were fitted anew,
 * or -ENOMEM.
 */
int vd_allotments_settle(struct vd_allotments *allotments,
			 void (*visit)(const struct vd_allotment *, const struct vd_fit_block *, void *), void *userdata);
/* The block as it was settled; NULL: it wants no route. */
const struct vd_fit_block *vd_allotments_get(const struct vd_allotments *allotments, const char *project, const char *vpc,
					     const struct vd_prefix *prefix);

#endif
