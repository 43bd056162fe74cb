/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/relation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint64_t hash_exact(const char *project, const char *vpc, const char *other)
{
	return vd_hash_text(vd_hash_text(vd_hash_text(VD_HASH_START, project), vpc), other);
}

static uint64_t hash_vpc(const char *project, const char *vpc)
{
	return vd_hash_text(vd_hash_text(VD_HASH_START, project), vpc);
}

static uint64_t hash_other(const char *other)
{
	return vd_hash_text(VD_HASH_START, other);
}

static void free_pair(struct vd_table_node *node)
{
	free(VD_CONTAINER(node, struct vd_pair, exact));
}

static void keep(struct vd_table_node *node)
{
}

void vd_relation_clear(struct vd_relation *relation)
{
	vd_table_clear(&relation->of_vpc, keep);
	vd_table_clear(&relation->of_other, keep);
	vd_table_clear(&relation->exact, free_pair);
}

static struct vd_pair *find(const struct vd_relation *relation, const char *project, const char *vpc, const char *other)
{
	struct vd_table_node *node = vd_table_first(&relation->exact, hash_exact(project, vpc, other));

	for (; node; node = vd_table_next(node)) {
		struct vd_pair *pair = VD_CONTAINER(node, struct vd_pair, exact);

		if (strcmp(pair->project, project) == 0 && strcmp(pair->vpc, vpc) == 0 && strcmp(pair->other, other) == 0)
			return pair;
	}
	return NULL;
}

static struct vd_pair *pair_new(const char *project, const char *vpc, const char *other)
{
	size_t project_size = strlen(project) + 1, vpc_size = strlen(vpc) + 1, other_size = strlen(other) + 1;
	struct vd_pair *pair = malloc(sizeof(*pair) + project_size + vpc_size + other_size);

	if (!pair)
		return NULL;
	*pair = (struct vd_pair){};
	pair->project = memcpy(pair->text, project, project_size);
	pair->vpc = memcpy(pair->text + project_size, vpc, vpc_size);
	pair->other = memcpy(pair->text + project_size + vpc_size, other, other_size);
	return pair;
}

static int insert(struct vd_relation *relation, struct vd_pair *pair)
{
	int r;

	r = vd_table_add(&relation->exact, &pair->exact, hash_exact(pair->project, pair->vpc, pair->other));
	if (r < 0)
		return r;
	r = vd_table_add(&relation->of_vpc, &pair->of_vpc, hash_vpc(pair->project, pair->vpc));
	if (r == 0) {
		r = vd_table_add(&relation->of_other, &pair->of_other, hash_other(pair->other));
		if (r < 0)
			vd_table_remove(&relation->of_vpc, &pair->of_vpc);
	}
	if (r < 0)
		vd_table_remove(&relation->exact, &pair->exact);
	return r;
}

int vd_relation_add(struct vd_relation *relation, const char *project, const char *vpc, const char *other, struct vd_pair **ret)
{
	struct vd_pair *pair = find(relation, project, vpc, other);

	if (!pair) {
		pair = pair_new(project, vpc, other);
		if (!pair)
			return -ENOMEM;
		if (insert(relation, pair) < 0) {
			free(pair);
			return -ENOMEM;
		}
	}
	*ret = pair;
	return ++pair->count == 1;
}

void vd_relation_release(struct vd_relation *relation, struct vd_pair *pair)
{
	if (--pair->count > 0)
		return;
	vd_table_remove(&relation->exact, &pair->exact);
	vd_table_remove(&relation->of_vpc, &pair->of_vpc);
	vd_table_remove(&relation->of_other, &pair->of_other);
	free(pair);
}

bool vd_relation_has(const struct vd_relation *relation, const char *project, const char *vpc, const char *other)
{
	return find(relation, project, vpc, other);
}

int vd_relation_each_of_vpc(const struct vd_relation *relation, const char *project, const char *vpc,
			    int (*visit)(const struct vd_pair *pair, void *userdata), void *userdata)
{
	struct vd_table_node *node = vd_table_first(&relation->of_vpc, hash_vpc(project, vpc));
	int r = 0;

	for (; node && r == 0; node = vd_table_next(node)) {
		const struct vd_pair *pair = VD_CONTAINER(node, struct vd_pair, of_vpc);

		if (strcmp(pair->project, project) == 0 && strcmp(pair->vpc, vpc) == 0)
			r = visit(pair, userdata);
	}
	return r;
}

int vd_relation_each_of_other(const struct vd_relation *relation, const char *project, const char *other,
			      int (*visit)(const struct vd_pair *pair, void *userdata), void *userdata)
{
	struct vd_table_node *node = vd_table_first(&relation->of_other, hash_other(other));
	int r = 0;

	for (; node && r == 0; node = vd_table_next(node)) {
		const struct vd_pair *pair = VD_CONTAINER(node, struct vd_pair, of_other);

		if (strcmp(pair->other, other) == 0 && (!project || strcmp(pair->project, project) == 0))
			r = visit(pair, userdata);
	}
	return r;
}
