/* SPDX-License-Identifier: Apache-2.0 */
#include "model/prefixes.h"
#include "model/validation.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

struct instance {
	const struct vd_validation *validation;
	const char *name;
	const struct vd_port *is_default;
	const struct vd_vpc **vpcs; /* of its ports, each once */
	size_t count;
};

static int check_default(struct instance *instance, const struct vd_port *port)
{
	const struct vd_port *other = instance->is_default;
	char text[VD_OBJECT_SIZE], other_text[VD_OBJECT_SIZE];

	if (!port->is_default)
		return 0;
	instance->is_default = port;
	if (!other)
		return 0;
	return vd_error_set(instance->validation->error, -EEXIST,
			    "%s: instance %s has its default route from %s too; let one say default: true",
			    vd_resource_text(&port->head, text), instance->name, vd_resource_text(&other->head, other_text));
}

static int check_port(const struct vd_resource *resource, void *userdata)
{
	struct instance *instance = userdata;
	const struct vd_port *port = (const struct vd_port *)resource;
	const struct vd_subnet *subnet = vd_port_subnet(instance->validation->model, port);
	const struct vd_vpc *vpc, **vpcs;
	const struct vd_prefix *ours, *theirs;
	char text[VD_OBJECT_SIZE], cidr[VD_PREFIX_TEXT], other[VD_PREFIX_TEXT];
	int r;

	r = check_default(instance, port);
	if (r < 0)
		return r;
	if (!subnet)
		return 0;
	vpc = vd_subnet_vpc(instance->validation->model, subnet);
	for (size_t i = 0; i < instance->count; i++) {
		if (instance->vpcs[i] == vpc)
			return 0;
		if (vd_prefixes_overlap(vpc->cidrs, vpc->cidr_count, instance->vpcs[i]->cidrs, instance->vpcs[i]->cidr_count, &ours,
					&theirs))
			return vd_error_set(
				instance->validation->error, -EINVAL,
				"%s: instance %s has ports in VPCs %s (%s) and %s (%s), which overlap; use VPCs that do not",
				vd_resource_text(resource, text), instance->name, instance->vpcs[i]->head.name,
				vd_prefix_format(theirs, other), vpc->head.name, vd_prefix_format(ours, cidr));
	}
	vpcs = reallocarray(instance->vpcs, instance->count + 1, sizeof(*vpcs));
	if (!vpcs)
		return -ENOMEM;
	instance->vpcs = vpcs;
	instance->vpcs[instance->count++] = vpc;
	return 0;
}

int vd_instance_check(struct vd_validation *validation, const char *project, const char *name)
{
	struct instance instance = {.validation = validation, .name = name};
	int r;

	if (!vd_validation_once(validation, "instance", project, name))
		return 0;
	r = vd_model_each_port_of_instance(validation->model, project, name, check_port, &instance);
	free(instance.vpcs);
	return r;
}
