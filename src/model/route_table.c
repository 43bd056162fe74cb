/* SPDX-License-Identifier: Apache-2.0 */
#include "model/next_hop.h"

#include <errno.h>

#define OFFSET(member) offsetof(struct vd_route_table, member)

static const struct vd_field fields[] = {
	{"vpcs", "vpc", VD_FIELD_TYPE_NAMES, .offset = OFFSET(vpcs), .count_offset = OFFSET(vpc_count), .is_reference = true,
	 .reference = VD_KIND_VPC, .help = "The VPCs whose routers use the table, beside their own; a subnet may also name it."},
};

static int table_claim(struct vd_validation *validation, struct vd_resource *resource, const char *object, struct vd_error *error)
{
	if (!vd_model_get(validation->model, VD_KIND_VPC, resource->project, resource->name))
		return 0;
	return vd_error_set(error, -EEXIST, "%s: a VPC is called so, and so is its main table; choose another name", object);
}

static int check_route(const struct vd_resource *resource, void *userdata)
{
	return vd_route_check(userdata, (const struct vd_route *)resource);
}

static int table_check(struct vd_validation *validation, const struct vd_resource *before, const struct vd_resource *after,
		       const char *object, struct vd_error *error)
{
	const struct vd_route_table *table = (const struct vd_route_table *)after;
	int r = 0;

	for (size_t i = 0; r == 0 && i < table->vpc_count; i++)
		r = vd_vpc_check_quota(validation, after->project, table->vpcs[i]);
	if (r == 0)
		r = vd_model_each_route_of_table(validation->model, after->project, after->name, check_route, validation);
	return r < 0 ? r : vd_table_check_hops(validation, after->project, after->name);
}

const struct vd_kind_type vd_kind_type_route_table = {
	.word = "route_table",
	.plural = "route_tables",
	.help = "Routes under a name, for several VPCs or for single subnets; a VPC's own table needs no declaration.",
	.size = sizeof(struct vd_route_table),
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
	.claim = table_claim,
	.check = table_check,
};
