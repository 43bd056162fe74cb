/* SPDX-License-Identifier: Apache-2.0 */
#include "api/policy.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct members {
	const struct vd_resource **items;
	size_t count, size;
	bool closes_egress;
};

static int members_add(const struct vd_resource *resource, void *userdata)
{
	struct members *members = userdata;
	size_t size = members->size * 2 + 16;
	const struct vd_resource **items;

	if (members->count == members->size) {
		items = reallocarray(members->items, size, sizeof(*items));
		if (!items)
			return -ENOMEM;
		members->items = items;
		members->size = size;
	}
	members->items[members->count++] = resource;
	return 0;
}

static int rules_add(const struct vd_resource *resource, void *userdata)
{
	const struct vd_security_group_rule *rule = (const struct vd_security_group_rule *)resource;
	struct members *members = userdata;

	members->closes_egress |= rule->direction == VD_DIRECTION_EGRESS && !rule->is_default;
	return members_add(resource, userdata);
}

static int compare_names(const void *a, const void *b)
{
	const struct vd_resource *left = *(const struct vd_resource *const *)a, *right = *(const struct vd_resource *const *)b;

	return strcmp(left->name, right->name);
}

static int compare_rules(const void *a, const void *b)
{
	const struct vd_security_group_rule *left = *(const struct vd_security_group_rule *const *)a,
					    *right = *(const struct vd_security_group_rule *const *)b;

	return left->direction != right->direction ? (int)left->direction - (int)right->direction : compare_names(a, b);
}

/* The rule's document without what its place says already, and with its name. */
static json_t *rule_item(const struct vd_resource *rule)
{
	json_t *item = vd_resource_document(rule);

	json_object_del(item, "kind");
	json_object_del(item, "project");
	json_object_set_new(item, "name", json_string(rule->name));
	json_object_set_new(item, "id", json_integer(rule->id));
	return item;
}

static json_t *rules_array(struct members *members)
{
	json_t *array = json_array();

	if (members->count > 0)
		qsort(members->items, members->count, sizeof(*members->items), compare_rules);
	for (size_t i = 0; i < members->count; i++)
		json_array_append_new(array, rule_item(members->items[i]));
	return array;
}

static void free_members(struct members *members)
{
	free(members->items);
}

static int port_add(const struct vd_model *model, const struct vd_port *port, json_t *item)
{
	VD_CLEANUP(free_members) struct members members = {0};
	json_t *policy;
	int r = 0;

	if (port->security_group_count == 0)
		return json_object_set_new(item, "policy", json_pack("{s:b}", "filtered", 0)) ? -ENOMEM : 0;
	for (size_t i = 0; !r && i < port->security_group_count; i++)
		r = vd_model_each_rule_of_group(model, port->head.project, port->security_groups[i], rules_add, &members);
	if (r)
		return r;
	policy = json_pack("{s:b, s:b, s:o}", "filtered", 1, "egress_open", !members.closes_egress, "rules", rules_array(&members));
	return json_object_set_new(item, "policy", policy) ? -ENOMEM : 0;
}

static json_t *member_item(const struct vd_port *port)
{
	json_t *addresses = json_array();
	char text[VD_ADDRESS_TEXT];

	for (size_t i = 0; i < port->assigned_address_count; i++)
		json_array_append_new(addresses, json_string(vd_address_format(&port->assigned_addresses[i], text)));
	return json_pack("{s:s, s:s*, s:s*, s:o}", "name", port->head.name, "subnet", port->subnet, "network", port->network,
			 "addresses", addresses);
}

static int group_add(const struct vd_model *model, const struct vd_resource *group, json_t *item)
{
	VD_CLEANUP(free_members) struct members rules = {0};
	VD_CLEANUP(free_members) struct members ports = {0};
	json_t *array = json_array();
	int r;

	r = vd_model_each_rule_of_group(model, group->project, group->name, rules_add, &rules);
	if (!r)
		r = vd_model_each_port_of_group(model, group->project, group->name, members_add, &ports);
	if (r) {
		json_decref(array);
		return r;
	}
	if (ports.count > 0)
		qsort(ports.items, ports.count, sizeof(*ports.items), compare_names);
	for (size_t i = 0; i < ports.count; i++)
		json_array_append_new(array, member_item((const struct vd_port *)ports.items[i]));
	if (json_object_set_new(item, "rules", rules_array(&rules)))
		r = -ENOMEM;
	return json_object_set_new(item, "ports", array) ? -ENOMEM : r;
}

int vd_policy_add(const struct vd_model *model, const struct vd_resource *resource, json_t *item)
{
	if (resource->kind == VD_KIND_PORT)
		return port_add(model, (const struct vd_port *)resource, item);
	if (resource->kind == VD_KIND_SECURITY_GROUP)
		return group_add(model, resource, item);
	return 0;
}
