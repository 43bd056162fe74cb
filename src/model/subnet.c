/* SPDX-License-Identifier: Apache-2.0 */
#include "model/next_hop.h"
#include "model/prefixes.h"
#include "model/segment.h"

#include <errno.h>
#include <string.h>

#define OFFSET(member) offsetof(struct vd_subnet, member)

static bool on_physnet(const struct vd_resource *resource)
{
	return ((const struct vd_subnet *)resource)->physnet != NULL;
}

static const struct vd_field fields[] = {
	{"vpc", .type = VD_FIELD_TYPE_NAME, .required = true, .offset = OFFSET(vpc), .is_reference = true, .reference = VD_KIND_VPC,
	 .help = "The VPC that it is a part of; cannot change."},
	{"cidrs", "cidr", VD_FIELD_TYPE_PREFIXES, .required = true, .offset = OFFSET(cidrs), .count_offset = OFFSET(cidr_count),
	 .max = 2, .help = "Its addresses, inside the VPC's: one CIDR of IPv4, one of IPv6, or both."},
	{"gateways", "gateway", VD_FIELD_TYPE_ADDRESSES, .offset = OFFSET(gateways), .count_offset = OFFSET(gateway_count),
	 .max = 2, .help = "The router's address in each CIDR; without it the first one."},
	{"ranges", "range", VD_FIELD_TYPE_RANGES, .offset = OFFSET(ranges), .count_offset = OFFSET(range_count), .max = 64,
	 .help = "Where allocated addresses come from; without it the whole CIDR. Addresses that are given may lie outside."},
	{"dhcp", .type = VD_FIELD_TYPE_BOOL, .offset = OFFSET(dhcp), .value = "true",
	 .help = "Whether its instances get their addresses by DHCP."},
	{"dhcp_address", .type = VD_FIELD_TYPE_ADDRESS, .offset = OFFSET(dhcp_address),
	 .help = "From where DHCP answers: an IPv4 address in its CIDR that nobody has; without it the highest free one. Cannot "
		 "change."},
	{"dhcp_lease", .type = VD_FIELD_TYPE_NUMBER, .offset = OFFSET(dhcp_lease), .min = 60, .max = 31536000, .value = "86400",
	 .help = "For how many seconds an instance may keep what DHCP told it."},
	{"dns", .type = VD_FIELD_TYPE_ADDRESSES, .offset = OFFSET(dns), .count_offset = OFFSET(dns_count), .max = 4,
	 .help = "The name servers that its router asks; without it those of the host."},
	{"domain", .type = VD_FIELD_TYPE_TEXT, .offset = OFFSET(domain), .max = 253,
	 .help = "The domain of its instances' names; without it <vpc>.internal."},
	{"route_table", .type = VD_FIELD_TYPE_NAME, .offset = OFFSET(route_table), .is_reference = true,
	 .reference = VD_KIND_ROUTE_TABLE, .help = "A table in place of the VPC's."},
	{"physnet", .type = VD_FIELD_TYPE_NAME, .offset = OFFSET(physnet),
	 .help = "The physical network that its segment is of, with outside hosts on it; without it a VXLAN of the VPC's pool. "
		 "Cannot change."},
	{"vlan", .type = VD_FIELD_TYPE_NUMBER, .offset = OFFSET(vlan), .applies = on_physnet, .min = 1, .max = 4094,
	 .help = "Its VLAN on the physical network; without it, untagged. Cannot change."},
	{"sriov", .type = VD_FIELD_TYPE_BOOL, .offset = OFFSET(sriov), .applies = on_physnet, .value = "false",
	 .help = "Whether its instances may use virtual functions (SR-IOV) of the physical network's uplink."},
	{"snat", .type = VD_FIELD_TYPE_BOOL, .offset = OFFSET(snat), .value = "true",
	 .help = "Whether its instances may leave for networks with the router's address; false: only with elastic IPs."},
	{"vni", .type = VD_FIELD_TYPE_NUMBER, .offset = OFFSET(vni), .min = 1, .max = VD_VNI_MAX,
	 .help = "The VNI of its segment; without it the lowest free one of the VPC's pool."},
	{"vni", .type = VD_FIELD_TYPE_NUMBER, .is_assigned = true, .offset = OFFSET(assigned_vni), .help = "The VNI that it has."},
	{"dhcp_address", .type = VD_FIELD_TYPE_ADDRESS, .is_assigned = true, .offset = OFFSET(assigned_dhcp_address),
	 .help = "From where DHCP answers."},
};

static int subnet_prepare(struct vd_resource *resource, const json_t *document, const char *object, struct vd_error *error)
{
	if (json_object_get(document, "physnet") && json_object_get(document, "vni"))
		return vd_error_set(error, -EINVAL, "%s: it has a physnet and a vni; leave one out, a VNI is of a VXLAN", object);
	return vd_physnet_prepare(document, object, error);
}

static int subnet_complete(struct vd_resource *resource, const char *object, struct vd_error *error)
{
	struct vd_subnet *subnet = (struct vd_subnet *)resource;
	struct vd_segment segment;
	int r;

	r = vd_prefixes_validate(subnet->cidrs, subnet->cidr_count, object, error);
	if (r < 0)
		return r;
	if (subnet->cidr_count == 2 && subnet->cidrs[0].address.family == subnet->cidrs[1].address.family)
		return vd_error_set(error, -EINVAL, "%s: it has two CIDRs of IPv%u; make a second subnet", object,
				    subnet->cidrs[0].address.family);
	r = vd_gateways_complete(subnet->cidrs, subnet->cidr_count, &subnet->gateways, &subnet->gateway_count, object, error);
	if (r == 0)
		r = vd_domain_complete(&subnet->domain, subnet->vpc, object, error);
	segment = vd_segment_of(resource);
	if (r == 0)
		r = vd_ranges_validate(&segment, object, error);
	return r < 0 ? r : vd_dhcp_check(&segment, object, error);
}

const struct vd_vpc *vd_subnet_vpc(const struct vd_model *model, const struct vd_subnet *subnet)
{
	return (const struct vd_vpc *)vd_model_get(model, VD_KIND_VPC, subnet->head.project, subnet->vpc);
}

int vd_subnet_check_inside(const struct vd_subnet *subnet, const struct vd_vpc *vpc, struct vd_error *error)
{
	char object[VD_OBJECT_SIZE], cidr[VD_PREFIX_TEXT], cidrs[256];

	for (size_t i = 0; i < subnet->cidr_count; i++)
		if (!vd_prefixes_cover(vpc->cidrs, vpc->cidr_count, &subnet->cidrs[i]))
			return vd_error_set(error, -EINVAL,
					    "%s: CIDR %s lies outside VPC %s (%s); choose one inside or add it to the VPC",
					    vd_resource_text(&subnet->head, object), vd_prefix_format(&subnet->cidrs[i], cidr),
					    vpc->head.name, vd_prefixes_format(vpc->cidrs, vpc->cidr_count, cidrs, sizeof(cidrs)));
	return 0;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static int subnet_succeed(const struct vd_resource *before, struct vd_resource *after, const char *object, struct vd_error *error)
{
	const struct vd_subnet *old = (const struct vd_subnet *)before;
	struct vd_subnet *subnet = (struct vd_subnet *)after;
	struct vd_segment segment_before, segment;
	int r;

	if (strcmp(old->vpc, subnet->vpc) != 0)
		return vd_error_set(error, -EINVAL, "%s: its vpc is %s and cannot become %s while it stands; delete it first",
				    object, old->vpc, subnet->vpc);
	if (!same_text(old->physnet, subnet->physnet) || old->vlan != subnet->vlan)
		return vd_error_set(error, -EINVAL,
				    "%s: its segment cannot move to another physnet or vlan while it stands; delete it first",
				    object);
	segment_before = vd_segment_of(before);
	segment = vd_segment_of(after);
	r = vd_dhcp_succeed(&segment_before, &segment, object, &subnet->assigned_dhcp_address, error);
	if (r < 0)
		return r;
	subnet->assigned_vni = old->assigned_vni;
	return vd_vni_succeed(old->assigned_vni, subnet->vni, object, error);
}

static int subnet_claim(struct vd_validation *validation, struct vd_resource *resource, const char *object, struct vd_error *error)
{
	struct vd_subnet *subnet = (struct vd_subnet *)resource;
	const struct vd_vpc *vpc = vd_subnet_vpc(validation->model, subnet);
	struct vd_segment segment;
	int r;

	r = vd_subnet_check_inside(subnet, vpc, error);
	if (r < 0)
		return r;
	segment = vd_segment_of(resource);
	r = vd_dhcp_claim(validation, &segment, object, &subnet->assigned_dhcp_address);
	if (r < 0)
		return r;
	if (subnet->vni != 0)
		subnet->assigned_vni = subnet->vni;
	if (subnet->assigned_vni == 0)
		return 0;
	return vd_vxlan_pool_claim(validation, resource, vpc->vxlan_pool, subnet->assigned_vni, object);
}

static int subnet_assign(struct vd_validation *validation, struct vd_resource *resource, const char *object, struct vd_error *error)
{
	struct vd_subnet *subnet = (struct vd_subnet *)resource;
	struct vd_segment segment = vd_segment_of(resource);
	int r;

	r = vd_dhcp_assign(validation, &segment, object, &subnet->assigned_dhcp_address);
	if (r < 0 || subnet->assigned_vni != 0 || subnet->physnet)
		return r;
	return vd_vxlan_pool_allocate(validation, resource, vd_subnet_vpc(validation->model, subnet)->vxlan_pool, object,
				      &subnet->assigned_vni);
}

static int check_table(struct vd_validation *validation, const char *project, const char *table)
{
	if (!vd_validation_once(validation, "next hops", project, table))
		return 0;
	return vd_table_check_hops(validation, project, table);
}

static int subnet_check(struct vd_validation *validation, const struct vd_resource *before, const struct vd_resource *after,
			const char *object, struct vd_error *error)
{
	const struct vd_subnet *old = (const struct vd_subnet *)before, *subnet = (const struct vd_subnet *)after;
	int r;

	r = vd_physnet_check(validation, after, object);
	/* What it was allowed once, a host that is gone does not take back. */
	if (r == 0 && subnet->sriov && !(old && old->sriov))
		r = vd_sriov_check(validation, subnet->physnet, object);
	if (r == 0 && (!old || !vd_cidrs_equal(subnet->cidrs, subnet->cidr_count, old->cidrs, old->cidr_count)))
		r = vd_vpc_check_subnets(validation, after->project, subnet->vpc);
	if (r < 0 || same_text(old ? old->route_table : NULL, subnet->route_table))
		return r;
	/* A table that it leaves may have had its next hops through this subnet's VPC only. */
	if (old && old->route_table)
		r = check_table(validation, after->project, old->route_table);
	if (r < 0 || !subnet->route_table)
		return r;
	r = vd_vpc_check_quota(validation, after->project, subnet->vpc);
	return r < 0 ? r : check_table(validation, after->project, subnet->route_table);
}

const struct vd_kind_type vd_kind_type_subnet = {
	.word = "subnet",
	.plural = "subnets",
	.help = "A segment of a VPC: its ports reach each other directly, and everything else through its gateway.",
	.size = sizeof(struct vd_subnet),
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
	.prepare = subnet_prepare,
	.complete = subnet_complete,
	.succeed = subnet_succeed,
	.claim = subnet_claim,
	.assign = subnet_assign,
	.check = subnet_check,
};
