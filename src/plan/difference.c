/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/record.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

VD_DEFINE_CLEANUP(struct vd_plan_difference, vd_plan_difference_free)

struct vd_plan_difference *vd_plan_difference_new(void)
{
	return calloc(1, sizeof(struct vd_plan_difference));
}

void vd_plan_difference_free(struct vd_plan_difference *difference)
{
	if (!difference)
		return;
	for (size_t i = 0; i < difference->count; i++) {
		free(difference->steps[i].before);
		free(difference->steps[i].after);
	}
	free(difference->steps);
	free(difference);
}

/* Whole records here, not only the kind's bytes: a step may be copied as a value. */
static int copy_record(const struct vd_plan_record *record, struct vd_plan_record **ret)
{
	struct vd_plan_record *copy = NULL;

	if (record) {
		copy = malloc(sizeof(*copy));
		if (!copy)
			return -ENOMEM;
		vd_plan_record_init(copy, record->kind);
		memcpy(copy, record, vd_plan_record_size(record->kind));
	}
	*ret = copy;
	return 0;
}

/* Room for one more step; the array's size is the next power of two. */
static int grow(struct vd_plan_difference *difference)
{
	size_t count = difference->count;
	struct vd_plan_step *steps;

	if (count & (count - 1))
		return 0;
	steps = reallocarray(difference->steps, count ? count * 2 : 1, sizeof(*steps));
	if (!steps)
		return -ENOMEM;
	difference->steps = steps;
	return 0;
}

int vd_plan_difference_add(struct vd_plan_difference *difference, const struct vd_plan_record *before,
			   const struct vd_plan_record *after)
{
	VD_FREE struct vd_plan_record *before_copy = NULL, *after_copy = NULL;
	int r;

	r = copy_record(before, &before_copy);
	if (r < 0)
		return r;
	r = copy_record(after, &after_copy);
	if (r < 0)
		return r;
	r = grow(difference);
	if (r < 0)
		return r;
	difference->steps[difference->count++] = (struct vd_plan_step){VD_TAKE(before_copy), VD_TAKE(after_copy)};
	return 0;
}

static int compare_steps(const void *a, const void *b)
{
	const struct vd_plan_step *left = a, *right = b;
	bool left_removes = !left->after, right_removes = !right->after;

	if (left_removes != right_removes)
		return left_removes ? -1 : 1;
	if (left_removes)
		return vd_plan_record_compare_key(right->before, left->before);
	return vd_plan_record_compare_key(left->after, right->after);
}

void vd_plan_difference_sort(struct vd_plan_difference *difference)
{
	if (difference->count > 1)
		qsort(difference->steps, difference->count, sizeof(*difference->steps), compare_steps);
}

/* One side of a comparison: its records of one kind, in key order. */
struct side {
	const struct vd_plan_record **records;
	size_t count;
};

static int side_add(const struct vd_plan_record *record, void *userdata)
{
	struct side *side = userdata;

	side->records[side->count++] = record;
	return 0;
}

static int side_read(const struct vd_plan *plan, enum vd_plan_kind kind, struct side *ret)
{
	/* One more than needed: calloc(0) may be NULL. */
	struct side side = {.records = calloc(vd_plan_count(plan, kind) + 1, sizeof(*side.records))};

	if (!side.records)
		return -ENOMEM;
	vd_plan_each(plan, kind, side_add, &side);
	*ret = side;
	return 0;
}

static void side_free(struct side *side)
{
	free(side->records);
}

static int compare_sides(const struct side *before, const struct side *after, struct vd_plan_difference *difference)
{
	size_t i = 0, j = 0;
	int r = 0;

	while (r == 0 && (i < before->count || j < after->count)) {
		const struct vd_plan_record *left = i < before->count ? before->records[i] : NULL;
		const struct vd_plan_record *right = j < after->count ? after->records[j] : NULL;
		int order = !left ? 1 : !right ? -1 : vd_plan_record_compare_key(left, right);

		i += order <= 0;
		j += order >= 0;
		if (order != 0)
			r = vd_plan_difference_add(difference, order < 0 ? left : NULL, order < 0 ? NULL : right);
		else if (!vd_plan_record_equal(left, right))
			r = vd_plan_difference_add(difference, left, right);
	}
	return r;
}

int vd_plan_compare(const struct vd_plan *before, const struct vd_plan *after, struct vd_plan_difference **ret)
{
	VD_CLEANUP(vd_plan_difference_free_cleanup) struct vd_plan_difference *difference = vd_plan_difference_new();
	int r;

	if (!difference)
		return -ENOMEM;
	for (enum vd_plan_kind kind = 0; kind < VD_PLAN_KIND_COUNT; kind++) {
		VD_CLEANUP(side_free) struct side left = {}, right = {};

		r = side_read(before, kind, &left);
		if (r < 0)
			return r;
		r = side_read(after, kind, &right);
		if (r < 0)
			return r;
		r = compare_sides(&left, &right, difference);
		if (r < 0)
			return r;
	}
	vd_plan_difference_sort(difference);
	*ret = VD_TAKE(difference);
	return 0;
}

static bool stands(const struct vd_plan *plan, const struct vd_plan_step *step)
{
	struct vd_plan_record record;
	bool found = vd_plan_get(plan, step->before ? step->before : step->after, &record) == 0;

	return found == (step->before != NULL) && (!found || vd_plan_record_equal(&record, step->before));
}

int vd_plan_apply(struct vd_plan *plan, const struct vd_plan_difference *difference)
{
	for (size_t i = 0; i < difference->count; i++)
		if (!stands(plan, &difference->steps[i]))
			return -ESTALE;
	for (size_t i = 0; i < difference->count; i++) {
		const struct vd_plan_step *step = &difference->steps[i];
		int r = step->after ? vd_plan_put(plan, step->after) : vd_plan_remove(plan, step->before);
		if (r < 0)
			return r;
	}
	return 0;
}

void vd_plan_difference_print(const struct vd_plan_difference *difference, FILE *file)
{
	for (size_t i = 0; i < difference->count; i++) {
		const struct vd_plan_step *step = &difference->steps[i];

		if (step->before) {
			fputs("- ", file);
			vd_plan_record_print(step->before, file);
			fputc('\n', file);
		}
		if (step->after) {
			fputs("+ ", file);
			vd_plan_record_print(step->after, file);
			fputc('\n', file);
		}
	}
}
