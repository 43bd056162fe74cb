/* SPDX-License-Identifier: Apache-2.0 */
#include "model/prefixes.h"
#include "model/validation.h"

#include "base/cleanup.h"

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
			return vd_error_set(error, -EINVAL, "%s: gateway %s lies outside its CIDRs; choose an address inside",
					    object, vd_address_format(gateway, text));
		if (vd_prefix_reserves(&subnet->cidrs[j], gateway))
			return vd_error_set(error, -EINVAL,
					    "%s: gateway %s is the network or broadcast address of %s; choose another", object,
					    vd_address_format(gateway, text), vd_prefix_format(&subnet->cidrs[j], cidr));
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

static bool is_domain(const char *text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

	for (;;) {
		size_t size = strspn(text, letters);

		if (size < 1 || size > 63 || (text[size] && text[size] != '.'))
			return false;
		if (!text[size])
			return true;
		text += size + 1;
	}
}

static int complete_domain(struct vd_subnet *subnet, const char *object, struct vd_error *error)
{
	char domain[VD_NAME_SIZE + sizeof(".internal")];
	size_t size = 0;

	if (subnet->domain && !is_domain(subnet->domain))
		return vd_error_set(error, -EINVAL, "%s: domain \"%.60s\" is no domain name like demo.internal", object,
				    subnet->domain);
	if (subnet->domain)
		return 0;
	/* Names may have what domains may not: a dot before another or at the end. */
	for (const char *c = subnet->vpc; *c; c++)
		if (*c != '.' || (c[1] && c[1] != '.'))
			domain[size++] = *c;
	strcpy(domain + size, ".internal");
	subnet->domain = strdup(domain);
	return subnet->domain ? 0 : -ENOMEM;
}

/* The CIDR in which an address that was given for DHCP lies; its sentence when it cannot be it. */
static int check_dhcp_address(const struct vd_subnet *subnet, const char *object, struct vd_error *error)
{
	const struct vd_address *address = &subnet->dhcp_address;
	char text[VD_ADDRESS_TEXT], cidrs[128];

	if (address->family == VD_FAMILY_NONE)
		return 0;
	vd_address_format(address, text);
	if (!subnet->dhcp)
		return vd_error_set(error, -EINVAL, "%s: dhcp_address %s is given while dhcp is false; leave one out", object,
				    text);
	if (address->family != VD_FAMILY_IPV4)
		return vd_error_set(error, -EINVAL, "%s: dhcp_address %s is no IPv4 address; DHCPv6 needs none", object, text);
	for (size_t i = 0; i < subnet->cidr_count; i++) {
		if (!vd_prefix_contains(&subnet->cidrs[i], address))
			continue;
		if (vd_address_equal(address, &subnet->gateways[i]))
			return vd_error_set(error, -EINVAL, "%s: dhcp_address %s is its gateway; choose another", object, text);
		if (vd_prefix_reserves(&subnet->cidrs[i], address))
			return vd_error_set(error, -EINVAL,
					    "%s: dhcp_address %s is the network or broadcast address of %s; choose another", object,
					    text, vd_prefix_format(&subnet->cidrs[i], cidrs));
		return 0;
	}
	return vd_error_set(error, -EINVAL, "%s: dhcp_address %s lies outside its CIDRs (%s); choose one inside", object, text,
			    vd_prefixes_format(subnet->cidrs, subnet->cidr_count, cidrs, sizeof(cidrs)));
}

static int check_dns(const struct vd_subnet *subnet, const char *object, struct vd_error *error)
{
	char text[VD_ADDRESS_TEXT];

	for (size_t i = 0; i < subnet->dns_count; i++)
		for (size_t j = 0; j < subnet->gateway_count; j++)
			if (vd_address_equal(&subnet->dns[i], &subnet->gateways[j]))
				return vd_error_set(
					error, -EINVAL,
					"%s: dns %s is its gateway, which would ask itself; name the server that it asks", object,
					vd_address_format(&subnet->dns[i], text));
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
	r = complete_gateways(subnet, object, error);
	if (r == 0)
		r = complete_domain(subnet, object, error);
	if (r == 0)
		r = vd_ranges_validate(subnet, object, error);
	if (r == 0)
		r = check_dhcp_address(subnet, object, error);
	return r < 0 ? r : check_dns(subnet, object, error);
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

const char *vd_subnet_role_of(const struct vd_subnet *subnet, const struct vd_address *address)
{
	for (size_t i = 0; i < subnet->gateway_count; i++)
		if (vd_address_equal(&subnet->gateways[i], address))
			return "gateway";
	return address->family != VD_FAMILY_NONE && vd_address_equal(&subnet->assigned_dhcp_address, address) ? "DHCP address"
													      : NULL;
}

/* Could DHCP answer from this address? Who else has it is another matter. */
static bool suits_dhcp(const struct vd_subnet *subnet, const struct vd_address *address)
{
	for (size_t i = 0; i < subnet->cidr_count; i++)
		if (vd_prefix_contains(&subnet->cidrs[i], address))
			return !vd_address_equal(&subnet->gateways[i], address) && !vd_prefix_reserves(&subnet->cidrs[i], address);
	return false;
}

/* Instances renew their leases from the address that they know: it stays while DHCP is on and the CIDR has it. */
static int dhcp_succeed(const struct vd_subnet *old, struct vd_subnet *subnet, const char *object, struct vd_error *error)
{
	const struct vd_address *kept = &old->assigned_dhcp_address;
	char text[VD_ADDRESS_TEXT], other[VD_ADDRESS_TEXT];

	subnet->assigned_dhcp_address = (struct vd_address){};
	if (!subnet->dhcp || kept->family == VD_FAMILY_NONE || !suits_dhcp(subnet, kept))
		return 0;
	if (subnet->dhcp_address.family != VD_FAMILY_NONE && !vd_address_equal(&subnet->dhcp_address, kept))
		return vd_error_set(error, -EINVAL,
				    "%s: its dhcp_address is %s and cannot become %s while DHCP is on; leave it out", object,
				    vd_address_format(kept, text), vd_address_format(&subnet->dhcp_address, other));
	subnet->assigned_dhcp_address = *kept;
	return 0;
}

static int subnet_succeed(const struct vd_resource *before, struct vd_resource *after, const char *object, struct vd_error *error)
{
	const struct vd_subnet *old = (const struct vd_subnet *)before;
	struct vd_subnet *subnet = (struct vd_subnet *)after;
	int r;

	if (strcmp(old->vpc, subnet->vpc) != 0)
		return vd_error_set(error, -EINVAL, "%s: its vpc is %s and cannot become %s while it stands; delete it first",
				    object, old->vpc, subnet->vpc);
	r = dhcp_succeed(old, subnet, object, error);
	if (r < 0)
		return r;
	subnet->assigned_vni = old->assigned_vni;
	return vd_vni_succeed(old->assigned_vni, subnet->vni, object, error);
}

static int claim_dhcp_address(const struct vd_validation *validation, const struct vd_subnet *subnet, const char *object)
{
	const struct vd_address *address = &subnet->assigned_dhcp_address;
	const struct vd_port *owner;
	char text[VD_ADDRESS_TEXT], other[VD_OBJECT_SIZE];

	if (address->family == VD_FAMILY_NONE)
		return 0;
	owner = vd_model_port_by_address(validation->model, subnet->head.project, subnet->vpc, address);
	if (!owner)
		return 0;
	return vd_error_set(validation->error, -EADDRINUSE, "%s: dhcp_address %s is taken by %s; choose another or leave it out",
			    object, vd_address_format(address, text), vd_resource_text(&owner->head, other));
}

/* The highest free address of the ranges, so that ports keep the low ones. */
static int allocate_dhcp_address(struct vd_validation *validation, struct vd_subnet *subnet, const char *object)
{
	const struct vd_prefix *prefix;
	struct vd_address_range range;
	char text[VD_PREFIX_TEXT];
	size_t cidr = 0, count = 0;

	while (cidr < subnet->cidr_count && subnet->cidrs[cidr].address.family != VD_FAMILY_IPV4)
		cidr++;
	/* A CIDR of four addresses has none to spare: there DHCP answers from the gateway. */
	if (cidr == subnet->cidr_count || subnet->cidrs[cidr].length >= 30)
		return 0;
	prefix = &subnet->cidrs[cidr];
	while (vd_subnet_range(subnet, cidr, count, &range))
		count++;
	while (count > 0 && vd_subnet_range(subnet, cidr, --count, &range)) {
		struct vd_address address = range.last;

		for (; vd_address_compare(&address, &range.first) >= 0 && vd_prefix_contains(prefix, &address);
		     address = vd_address_add(&address, -1)) {
			if (!suits_dhcp(subnet, &address) ||
			    vd_model_port_by_address(validation->model, subnet->head.project, subnet->vpc, &address))
				continue;
			subnet->assigned_dhcp_address = address;
			return 0;
		}
	}
	return vd_error_set(validation->error, -ENOSPC,
			    "%s: no address of %s is free for DHCP; delete a port, add a range, or say dhcp: false", object,
			    vd_prefix_format(prefix, text));
}

static int subnet_claim(struct vd_validation *validation, struct vd_resource *resource, const char *object, struct vd_error *error)
{
	struct vd_subnet *subnet = (struct vd_subnet *)resource;
	const struct vd_vpc *vpc = vd_subnet_vpc(validation->model, subnet);
	int r;

	r = vd_subnet_check_inside(subnet, vpc, error);
	if (r < 0)
		return r;
	if (subnet->dhcp_address.family != VD_FAMILY_NONE)
		subnet->assigned_dhcp_address = subnet->dhcp_address;
	r = claim_dhcp_address(validation, subnet, object);
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
	int r = 0;

	if (subnet->dhcp && subnet->assigned_dhcp_address.family == VD_FAMILY_NONE)
		r = allocate_dhcp_address(validation, subnet, object);
	if (r < 0 || subnet->assigned_vni != 0)
		return r;
	return vd_vxlan_pool_allocate(validation, resource, vd_subnet_vpc(validation->model, subnet)->vxlan_pool, object,
				      &subnet->assigned_vni);
}

static int check_route(const struct vd_resource *resource, void *userdata)
{
	return vd_route_check_next_hop(userdata, (const struct vd_route *)resource);
}

static bool same_table(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static int check_table(struct vd_validation *validation, const char *project, const char *table)
{
	if (!vd_validation_once(validation, "next hops", project, table))
		return 0;
	return vd_model_each_route_of_table(validation->model, project, table, check_route, validation);
}

static int subnet_check(struct vd_validation *validation, const struct vd_resource *before, const struct vd_resource *after,
			const char *object, struct vd_error *error)
{
	const struct vd_subnet *old = (const struct vd_subnet *)before, *subnet = (const struct vd_subnet *)after;
	int r = 0;

	if (!old || !vd_cidrs_equal(subnet->cidrs, subnet->cidr_count, old->cidrs, old->cidr_count))
		r = vd_vpc_check_subnets(validation, after->project, subnet->vpc);
	if (r < 0 || same_table(old ? old->route_table : NULL, subnet->route_table))
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
	.complete = subnet_complete,
	.succeed = subnet_succeed,
	.claim = subnet_claim,
	.assign = subnet_assign,
	.check = subnet_check,
};
