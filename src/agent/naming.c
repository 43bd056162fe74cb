/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/private.h"

#include <stdio.h>

/* What the data plane knows by id only, and a plan has no place for: rules, whose groups refuse, containers' whole keys. */

static bool name_rule(uint32_t rule, char *text, size_t size, void *userdata)
{
	struct vd_agent *agent = userdata;
	const struct vd_resource *resource;

	if (!agent->replica)
		return false;
	resource = vd_model_get_by_id(vd_replica_lock(agent->replica, NULL, NULL, NULL), rule);
	if (resource)
		snprintf(text, size, "%s", resource->name);
	vd_replica_unlock(agent->replica);
	return resource;
}

static void groups_join(const struct vd_port *port, char *text, size_t size)
{
	size_t length = 0;

	text[0] = 0;
	for (size_t i = 0; i < port->security_group_count && length < size; i++)
		length += (size_t)snprintf(text + length, size - length, "%s%s", i ? ", " : "", port->security_groups[i]);
}

static bool name_groups(uint32_t id, char *text, size_t size, void *userdata)
{
	struct vd_agent *agent = userdata;
	const struct vd_resource *resource;
	bool has_groups = false;

	if (!agent->replica)
		return false;
	resource = vd_model_get_by_id(vd_replica_lock(agent->replica, NULL, NULL, NULL), id);
	if (resource && resource->kind == VD_KIND_PORT) {
		groups_join((const struct vd_port *)resource, text, size);
		has_groups = text[0];
	}
	vd_replica_unlock(agent->replica);
	return has_groups;
}

static bool name_container(uint32_t port, char *text, size_t size, void *userdata)
{
	struct vd_agent *agent = userdata;
	const struct vd_container *container = agent->journal ? vd_journal_find_port(agent->journal, port) : NULL;

	if (container)
		snprintf(text, size, "%s", container->key);
	return container;
}

void vd_agent_naming_start(struct vd_agent *agent)
{
	struct vd_datapath_naming naming = {
		.rule = name_rule, .groups = name_groups, .container = name_container, .userdata = agent};

	vd_datapath_naming_set(agent->datapath, &naming);
}
