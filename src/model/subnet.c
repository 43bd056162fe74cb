/* SPDX-License-Identifier: Apache-2.0 */
#include "model/kind.h"
#include "model/prefixes.h"

#include "base/cleanup.h"

#include <errno.h>

#define OFFSET(member) offsetof(struct vd_subnet, member)

static const struct vd_field fields[] = {
	{"vpc", .type = VD_FIELD_TYPE_NAME, .required = true, .offset = OFFSET(vpc), .is_reference = true, .reference = VD_KIND_VPC,
	 .help = "The VPC that it is a part of; cannot change."},
	{"cidrs", "cidr", VD_FIELD_TYPE_PREFIXES, .required = true, .offset = OFFSET(cidrs), .count_offset = OFFSET(cidr_count), .max = 2,
	 .help = "Its addresses, inside the VPC's: one CIDR of IPv4, one of IPv6, or both."},
	{"gateways", "gateway", VD_FIELD_TYPE_ADDRESSES, .offset = OFFSET(gateways), .count_offset = OFFSET(gateway_count), .max = 2,
	 .help = "The router's address in each CIDR; without it the first one."},
	{"route_table", .type = VD_FIELD_TYPE_NAME, .offset = OFFSET(route_table), .is_reference = true,
	 .reference = VD_KIND_ROUTE_TABLE, .help = "A table in place of the VPC's."},
	{"vni", .type = VD_FIELD_TYPE_NUMBER, .offset = OFFSET(vni), .min = 1, .max = VD_VNI_MAX,
	 .help = "The VNI of its segment; without it the lowest free one of the VPC's pool."},
	{"vni", .type = VD_FIELD_TYPE_NUMBER, .is_assigned = true, .offset = OFFSET(assigned_vni), .help = "The VNI that it has."},
};

static struct vd_address default_gateway(const struct vd_prefix *cidr)
{
	struct vd_address first = vd_prefix_first(cidr);

	return vd_prefix_reserves(cidr, &first) ? vd_address_add(&first, 1) : first;
}

/* Puts the gateways given into the order of the CIDRs and adds the missing ones. */
static int complete_gateways(struct vd_subnet *subnet, const char *object, struct vd_error *error)
{
	VD_FREE struct vd_address *gateways = calloc(subnet->cidr_count, sizeof(*gateways));
	char text[VD_ADDRESS_TEXT], cidr[VD_PREFIX_TEXT];

	if (!gateways)
		return -ENOMEM;
	for (size_t i = 0; i < subnet->gateway_count; i++) {
		const struct vd_address *gateway = &subnet->gateways[i];
		size_t j = 0;

		while (j < subnet->cidr_count && !vd_prefix_contains(&subnet->cidrs[j], gateway))
			j++;
		if (j == subnet->cidr_count)
			return vd_error_set(error, -EINVAL, "%s: gateway %s lies outside its CIDRs; choose an address inside", object,
					    vd_address_format(gateway, text));
		if (vd_prefix_reserves(&subnet->cidrs[j], gateway))
			return vd_error_set(error, -EINVAL, "%s: gateway %s is the network or broadcast address of %s; choose another",
					    object, vd_address_format(gateway, text), vd_prefix_format(&subnet->cidrs[j], cidr));
		if (gateways[j].family != VD_FAMILY_NONE)
			return vd_error_set(error, -EINVAL, "%s: it has two gateways in %s; leave one out", object,
					    vd_prefix_format(&subnet->cidrs[j], cidr));
		gateways[j] = *gateway;
	}
	for (size_t j = 0; j < subnet->cidr_count; j++)
		if (gateways[j].family == VD_FAMILY_NONE)
			gateways[j] = default_gateway(&subnet->cidrs[j]);
	free(subnet->gateways);
	subnet->gateways = VD_TAKE(gateways);
	subnet->gateway_count = subnet->cidr_count;
	return 0;
}

static int subnet_complete(struct vd_resource *resource, const char *object, struct vd_error *error)
{
	struct vd_subnet *subnet = (struct vd_subnet *)resource;
	int r;

	r = vd_prefixes_validate(subnet->cidrs, subnet->cidr_count, object, error);
	if (r < 0)
		return r;
	if (subnet->cidr_count == 2 && subnet->cidrs[0].address.family == subnet->cidrs[1].address.family)
		return vd_error_set(error, -EINVAL, "%s: it has two CIDRs of IPv%u; make a second subnet", object,
				    subnet->cidrs[0].address.family);
	return complete_gateways(subnet, object, error);
}

const struct vd_kind_type vd_kind_type_subnet = {
	.word = "subnet",
	.plural = "subnets",
	.help = "A segment of a VPC: its ports reach each other directly, and everything else through its gateway.",
	.size = sizeof(struct vd_subnet),
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
	.complete = subnet_complete,
};
