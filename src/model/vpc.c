/* SPDX-License-Identifier: Apache-2.0 */
#include "model/kind.h"
#include "model/prefixes.h"

#include <errno.h>

#define OFFSET(member) offsetof(struct vd_vpc, member)

static const struct vd_field fields[] = {
	{"cidrs", "cidr", VD_FIELD_TYPE_PREFIXES, .required = true, .offset = OFFSET(cidrs), .count_offset = OFFSET(cidr_count), .max = 64,
	 .help = "The address space that its subnets are cut from."},
	{"vxlan_pool", .type = VD_FIELD_TYPE_NAME, .offset = OFFSET(vxlan_pool), .value = "default", .is_reference = true,
	 .reference = VD_KIND_VXLAN_POOL, .help = "Where its VNIs come from."},
	{"vni", .type = VD_FIELD_TYPE_NUMBER, .offset = OFFSET(vni), .min = 1, .max = VD_VNI_MAX,
	 .help = "The VNI that routed traffic travels in; without it the lowest free one of the pool."},
	{"route_quota", .type = VD_FIELD_TYPE_NUMBER, .offset = OFFSET(route_quota), .min = 1, .max = 1000000, .value = "50",
	 .help = "How many custom routes its tables may hold together."},
	{"vni", .type = VD_FIELD_TYPE_NUMBER, .is_assigned = true, .offset = OFFSET(assigned_vni), .help = "The VNI that it has."},
};

static int vpc_complete(struct vd_resource *resource, const char *object, struct vd_error *error)
{
	const struct vd_vpc *vpc = (const struct vd_vpc *)resource;

	return vd_prefixes_validate(vpc->cidrs, vpc->cidr_count, object, error);
}

const struct vd_kind_type vd_kind_type_vpc = {
	.word = "vpc",
	.plural = "vpcs",
	.help = "An isolated network with its own address space and one router, present on every host that has a port of it.",
	.size = sizeof(struct vd_vpc),
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
	.complete = vpc_complete,
};
