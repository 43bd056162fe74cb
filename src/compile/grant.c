/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/grant.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int vd_grants_add(struct vd_grants *grants, const struct vd_grant *grant)
{
	if (grants->count == grants->size) {
		size_t size = grants->size ? grants->size * 2 : 4;
		struct vd_grant *items = reallocarray(grants->items, size, sizeof(*items));

		if (!items)
			return -ENOMEM;
		grants->items = items;
		grants->size = size;
	}
	grants->items[grants->count++] = *grant;
	return 0;
}

int vd_grant_compare(const struct vd_grant *a, const struct vd_grant *b)
{
	return memcmp(a, b, sizeof(*a));
}

static int compare_grant(const void *a, const void *b)
{
	return vd_grant_compare(a, b);
}

void vd_grants_settle(struct vd_grants *grants)
{
	size_t kept = 0;

	if (grants->count > 1)
		qsort(grants->items, grants->count, sizeof(*grants->items), compare_grant);
	for (size_t i = 0; i < grants->count; i++)
		if (kept == 0 || vd_grant_compare(&grants->items[kept - 1], &grants->items[i]) != 0)
			grants->items[kept++] = grants->items[i];
	grants->count = kept;
}

void vd_grants_free(struct vd_grants *grants)
{
	free(grants->items);
}
