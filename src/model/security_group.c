/* SPDX-License-Identifier: Apache-2.0 */
#include "model/validation.h"

#include <errno.h>
#include <string.h>

#define OFFSET(member) offsetof(struct vd_security_group, member)

static const struct vd_field fields[] = {
	{"networks", "network", VD_FIELD_TYPE_NAMES, .offset = OFFSET(networks), .count_offset = OFFSET(network_count),
	 .is_reference = true, .reference = VD_KIND_SUBNET,
	 .help = "The subnets whose ports may join; without it those of any. Naming one enrols nobody."},
};

/* "a, b": as many as fit. */
static const char *format_networks(const struct vd_security_group *group, char text[256])
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < group->network_count && used < 180; i++)
		used += (size_t)snprintf(text + used, 256 - used, "%s%s", i > 0 ? ", " : "", group->networks[i]);
	return text;
}

int vd_security_group_admit(const struct vd_security_group *group, const struct vd_port *port, const char *object,
			    struct vd_error *error)
{
	char networks[256];

	for (size_t i = 0; i < group->network_count; i++)
		if (port->subnet && strcmp(group->networks[i], port->subnet) == 0)
			return 0;
	if (group->network_count == 0)
		return 0;
	if (!port->subnet)
		return vd_error_set(
			error, -EINVAL,
			"%s: it is in security_group %s, which is for ports of its networks (%s) only; leave the group out", object,
			group->head.name, format_networks(group, networks));
	return vd_error_set(
		error, -EINVAL,
		"%s: it is in security_group %s, whose networks (%s) do not name its subnet %s; add that to them or leave "
		"the group out",
		object, group->head.name, format_networks(group, networks), port->subnet);
}

struct admission {
	const struct vd_security_group *group;
	struct vd_error *error;
};

static int admit_port(const struct vd_resource *resource, void *userdata)
{
	const struct admission *admission = userdata;
	char object[VD_OBJECT_SIZE];

	return vd_security_group_admit(admission->group, (const struct vd_port *)resource, vd_resource_text(resource, object),
				       admission->error);
}

static int group_check(struct vd_validation *validation, const struct vd_resource *before, const struct vd_resource *after,
		       const char *object, struct vd_error *error)
{
	struct admission admission = {.group = (const struct vd_security_group *)after, .error = error};

	/* Ports that come with a new group are looked at themselves. */
	if (!before || admission.group->network_count == 0)
		return 0;
	return vd_model_each_port_of_group(validation->model, after->project, after->name, admit_port, &admission);
}

const struct vd_kind_type vd_kind_type_security_group = {
	.word = "security_group",
	.plural = "security_groups",
	.help = "A list of what may reach its ports and what they may reach. A new one has two rules: everything from and to "
		"itself.",
	.size = sizeof(struct vd_security_group),
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
	.check = group_check,
};
