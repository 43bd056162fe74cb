/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/record.h"

#include "base/cleanup.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

/* A red-black tree for each kind: ordered, so that printing and comparing need no sorting. */
struct vd_plan {
	void *trees[VD_PLAN_KIND_COUNT];
	size_t counts[VD_PLAN_KIND_COUNT];
};

static int compare_key(const void *a, const void *b)
{
	return vd_plan_record_compare_key(a, b);
}

struct vd_plan *vd_plan_new(void)
{
	return calloc(1, sizeof(struct vd_plan));
}

void vd_plan_free(struct vd_plan *plan)
{
	if (!plan)
		return;
	for (int kind = 0; kind < VD_PLAN_KIND_COUNT; kind++)
		tdestroy(plan->trees[kind], free);
	free(plan);
}

static struct vd_plan_record *find(const struct vd_plan *plan, const struct vd_plan_record *key)
{
	void *node = tfind(key, &plan->trees[key->kind], compare_key);

	return node ? *(struct vd_plan_record **)node : NULL;
}

int vd_plan_put(struct vd_plan *plan, const struct vd_plan_record *record)
{
	size_t size = vd_plan_record_size(record->kind);
	struct vd_plan_record *stored = find(plan, record);

	if (stored) {
		if (vd_plan_record_equal(stored, record))
			return 0;
		memcpy(stored, record, size);
		return 1;
	}

	stored = malloc(size);
	if (!stored)
		return -ENOMEM;
	memcpy(stored, record, size);
	if (!tsearch(stored, &plan->trees[record->kind], compare_key)) {
		free(stored);
		return -ENOMEM;
	}
	plan->counts[record->kind]++;
	return 1;
}

int vd_plan_remove(struct vd_plan *plan, const struct vd_plan_record *key)
{
	VD_FREE struct vd_plan_record *stored = find(plan, key);

	if (!stored)
		return 0;
	tdelete(stored, &plan->trees[stored->kind], compare_key);
	plan->counts[stored->kind]--;
	return 1;
}

int vd_plan_get(const struct vd_plan *plan, const struct vd_plan_record *key, struct vd_plan_record *ret)
{
	const struct vd_plan_record *stored = find(plan, key);

	if (!stored)
		return -ENOENT;
	vd_plan_record_init(ret, stored->kind);
	memcpy(ret, stored, vd_plan_record_size(stored->kind));
	return 0;
}

size_t vd_plan_count(const struct vd_plan *plan, enum vd_plan_kind kind)
{
	return plan->counts[kind];
}

struct walk {
	int (*visit)(const struct vd_plan_record *, void *);
	void *userdata;
	int result;
};

/* twalk_r(3) cannot be ended early: once visit answered, the rest is passed over. */
static void walk_node(const void *node, VISIT visit, void *closure)
{
	struct walk *walk = closure;

	if (walk->result == 0 && (visit == postorder || visit == leaf))
		walk->result = walk->visit(*(const struct vd_plan_record *const *)node, walk->userdata);
}

int vd_plan_each(const struct vd_plan *plan, enum vd_plan_kind kind, int (*visit)(const struct vd_plan_record *, void *),
		 void *userdata)
{
	struct walk walk = {.visit = visit, .userdata = userdata};

	twalk_r(plan->trees[kind], walk_node, &walk);
	return walk.result;
}

static int print_line(const struct vd_plan_record *record, void *userdata)
{
	vd_plan_record_print(record, userdata);
	fputc('\n', userdata);
	return 0;
}

void vd_plan_print(const struct vd_plan *plan, FILE *file)
{
	for (enum vd_plan_kind kind = 0; kind < VD_PLAN_KIND_COUNT; kind++)
		vd_plan_each(plan, kind, print_line, file);
}
