/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/group_set.h"

#include <stdlib.h>
#include <string.h>

static uint64_t hash_set(const char *project, uint32_t id)
{
	return vd_hash_bytes(vd_hash_text(VD_HASH_START, project), &id, sizeof(id));
}

static uint64_t hash_membership(const char *project, const char *group)
{
	return vd_hash_text(vd_hash_text(VD_HASH_START, project), group);
}

/* The set is compared too: should two sets ever come with one identity, both count, in whatever order they came. */
static bool is_set_of(const struct vd_group_set *set, const struct vd_port *port)
{
	if (set->id != port->assigned_identity || set->group_count != port->security_group_count ||
	    strcmp(set->project, port->head.project) != 0)
		return false;
	for (size_t i = 0; i < set->group_count; i++)
		if (strcmp(set->groups[i].group, port->security_groups[i]) != 0)
			return false;
	return true;
}

static struct vd_group_set *set_new(const struct vd_port *port)
{
	size_t size = strlen(port->head.project) + 1;
	struct vd_group_set *set;
	char *text;

	for (size_t i = 0; i < port->security_group_count; i++)
		size += strlen(port->security_groups[i]) + 1;
	set = malloc(sizeof(*set) + size);
	if (!set)
		return NULL;
	*set = (struct vd_group_set){.id = port->assigned_identity, .group_count = port->security_group_count};
	set->groups = calloc(port->security_group_count + 1, sizeof(*set->groups));
	if (!set->groups) {
		free(set);
		return NULL;
	}

	text = stpcpy(set->text, port->head.project) + 1;
	set->project = set->text;
	for (size_t i = 0; i < port->security_group_count; i++) {
		set->groups[i].set = set;
		set->groups[i].group = text;
		text = stpcpy(text, port->security_groups[i]) + 1;
	}
	return set;
}

static void free_set(struct vd_table_node *node)
{
	struct vd_group_set *set = VD_CONTAINER(node, struct vd_group_set, node);

	free(set->groups);
	free(set);
}

/* Takes the first count memberships back out. */
static void unlink_groups(struct vd_group_sets *sets, struct vd_group_set *set, size_t count)
{
	for (size_t i = 0; i < count; i++)
		vd_table_remove(&sets->memberships, &set->groups[i].node);
}

static int insert(struct vd_group_sets *sets, struct vd_group_set *set)
{
	int r;

	for (size_t i = 0; i < set->group_count; i++) {
		r = vd_table_add(&sets->memberships, &set->groups[i].node, hash_membership(set->project, set->groups[i].group));
		if (r < 0) {
			unlink_groups(sets, set, i);
			return r;
		}
	}
	r = vd_table_add(&sets->sets, &set->node, hash_set(set->project, set->id));
	if (r < 0)
		unlink_groups(sets, set, set->group_count);
	return r;
}

struct vd_group_set *vd_group_sets_of_port(struct vd_group_sets *sets, const struct vd_port *port)
{
	uint64_t hash = hash_set(port->head.project, port->assigned_identity);
	struct vd_group_set *set;

	for (struct vd_table_node *node = vd_table_first(&sets->sets, hash); node; node = vd_table_next(node)) {
		set = VD_CONTAINER(node, struct vd_group_set, node);
		if (is_set_of(set, port))
			return set;
	}

	set = set_new(port);
	if (!set)
		return NULL;
	if (insert(sets, set) < 0) {
		free_set(&set->node);
		return NULL;
	}
	return set;
}

void vd_group_sets_remove(struct vd_group_sets *sets, struct vd_group_set *set)
{
	unlink_groups(sets, set, set->group_count);
	vd_table_remove(&sets->sets, &set->node);
	free_set(&set->node);
}

static void keep(struct vd_table_node *node)
{
}

void vd_group_sets_clear(struct vd_group_sets *sets)
{
	vd_table_clear(&sets->memberships, keep);
	vd_table_clear(&sets->sets, free_set);
}

int vd_group_sets_each(const struct vd_group_sets *sets, const char *project, const char *group,
		       int (*visit)(const struct vd_group_set *set, void *userdata), void *userdata)
{
	struct vd_table_node *node = vd_table_first(&sets->memberships, hash_membership(project, group));
	int r = 0;

	for (; node && r == 0; node = vd_table_next(node)) {
		const struct vd_membership *membership = VD_CONTAINER(node, struct vd_membership, node);

		if (strcmp(membership->set->project, project) == 0 && strcmp(membership->group, group) == 0)
			r = visit(membership->set, userdata);
	}
	return r;
}
