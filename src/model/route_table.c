/* SPDX-License-Identifier: Apache-2.0 */
#include "model/kind.h"

#define OFFSET(member) offsetof(struct vd_route_table, member)

static const struct vd_field fields[] = {
	{"vpcs", "vpc", VD_FIELD_TYPE_NAMES, .offset = OFFSET(vpcs), .count_offset = OFFSET(vpc_count), .is_reference = true,
	 .reference = VD_KIND_VPC, .help = "The VPCs whose routers use the table, beside their own; a subnet may also name it."},
};

const struct vd_kind_type vd_kind_type_route_table = {
	.word = "route_table",
	.plural = "route_tables",
	.help = "Routes under a name, for several VPCs or for single subnets; a VPC's own table needs no declaration.",
	.size = sizeof(struct vd_route_table),
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
};
