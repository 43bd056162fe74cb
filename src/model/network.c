/* SPDX-License-Identifier: Apache-2.0 */
#include "model/prefixes.h"
#include "model/segment.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

#define OFFSET(member) offsetof(struct vd_network, member)

static const char *const roles[] = {"public", "management", "flat", NULL};

static const struct vd_field fields[] = {
	{"role", .type = VD_FIELD_TYPE_WORD, .required = true, .offset = OFFSET(role), .words = roles,
	 .help = "public: routers lead to it; management: hosts and the control plane; flat: instances sit on it. Cannot change."},
	{"physnet", .type = VD_FIELD_TYPE_NAME, .required = true, .offset = OFFSET(physnet),
	 .help = "The physical network that it lives on, as hosts name it: viaductd --uplink PHYSNET=IFNAME. Cannot change."},
	{"vlan", .type = VD_FIELD_TYPE_NUMBER, .offset = OFFSET(vlan), .min = 1, .max = 4094,
	 .help = "Its VLAN there; without it, untagged. Cannot change."},
	{"sriov", .type = VD_FIELD_TYPE_BOOL, .offset = OFFSET(sriov), .value = "false",
	 .help = "Whether its instances may use virtual functions (SR-IOV) of the uplink."},
	{"cidrs", "cidr", VD_FIELD_TYPE_PREFIXES, .offset = OFFSET(cidrs), .count_offset = OFFSET(cidr_count), .max = 2,
	 .help = "What is on the link: one CIDR of IPv4, one of IPv6, or both; or ranges and netmask say it."},
	{"netmask", .type = VD_FIELD_TYPE_NETMASK, .offset = OFFSET(netmask),
	 .help = "Of ranges without a CIDR: what is on the link around them."},
	{"gateways", "gateway", VD_FIELD_TYPE_GATEWAYS, .offset = OFFSET(gateways), .count_offset = OFFSET(gateway_count), .max = 2,
	 .help = "Who leads out of each CIDR, on the link; without it the first address, with none nobody."},
	{"ranges", "range", VD_FIELD_TYPE_RANGES, .offset = OFFSET(ranges), .count_offset = OFFSET(range_count), .max = 64,
	 .help = "What is ours of it: where virtual IPs, ports and DHCP have their addresses; without it the whole CIDR."},
	{"dhcp", .type = VD_FIELD_TYPE_BOOL, .offset = OFFSET(dhcp),
	 .help = "Whether its instances get their addresses by DHCP; without it true on a flat network and false on others."},
	{"dhcp_address", .type = VD_FIELD_TYPE_ADDRESS, .offset = OFFSET(dhcp_address),
	 .help = "From where DHCP answers: an IPv4 address of it that nobody has; without it the highest free one. Cannot change."},
	{"dhcp_lease", .type = VD_FIELD_TYPE_NUMBER, .offset = OFFSET(dhcp_lease), .min = 60, .max = 31536000, .value = "86400",
	 .help = "For how many seconds an instance may keep what DHCP told it."},
	{"dns", .type = VD_FIELD_TYPE_ADDRESSES, .offset = OFFSET(dns), .count_offset = OFFSET(dns_count), .max = 4,
	 .help = "The name servers that its instances are told; without it those of the host are asked."},
	{"domain", .type = VD_FIELD_TYPE_TEXT, .offset = OFFSET(domain), .max = 253,
	 .help = "The domain of its instances' names; without it <network>.internal."},
	{"dhcp_address", .type = VD_FIELD_TYPE_ADDRESS, .is_assigned = true, .offset = OFFSET(assigned_dhcp_address),
	 .help = "From where DHCP answers."},
};

static int network_prepare(struct vd_resource *resource, const json_t *document, const char *object, struct vd_error *error)
{
	struct vd_network *network = (struct vd_network *)resource;
	const char *role = json_string_value(json_object_get(document, "role"));

	/* The default, which no row can say. */
	network->dhcp = role && strcmp(role, roles[VD_NETWORK_ROLE_FLAT - 1]) == 0;
	return vd_physnet_prepare(document, object, error);
}

/* --- what is on the link --- */

/* The CIDR that a netmask makes of the IPv4 ranges, which have to be on one link. */
static int make_cidr(struct vd_network *network, const char *object, struct vd_error *error)
{
	struct vd_prefix cidr = {}, *cidrs;
	char first[VD_ADDRESS_TEXT], text[VD_PREFIX_TEXT];

	for (size_t i = 0; i < network->cidr_count; i++)
		if (network->cidrs[i].address.family == VD_FAMILY_IPV4)
			return vd_error_set(error, -EINVAL, "%s: it has a netmask and the CIDR %s; leave one out", object,
					    vd_prefix_format(&network->cidrs[i], text));
	for (size_t i = 0; i < network->range_count; i++) {
		const struct vd_address *address = &network->ranges[i].first;

		if (address->family != VD_FAMILY_IPV4)
			continue;
		if (cidr.address.family == VD_FAMILY_NONE) {
			cidr = (struct vd_prefix){.address = *address, .length = (uint8_t)network->netmask};
			vd_prefix_normalise(&cidr);
		}
		if (!vd_prefix_contains(&cidr, address))
			return vd_error_set(error, -EINVAL,
					    "%s: by its netmask range %s-… is on another link than %s; make it another network",
					    object, vd_address_format(address, first), vd_prefix_format(&cidr, text));
	}
	if (cidr.address.family == VD_FAMILY_NONE)
		return vd_error_set(error, -EINVAL, "%s: netmask is given without a range of IPv4; add one, or say cidr", object);
	cidrs = reallocarray(network->cidrs, network->cidr_count + 1, sizeof(*cidrs));
	if (!cidrs)
		return -ENOMEM;
	network->cidrs = cidrs;
	memmove(cidrs + 1, cidrs, network->cidr_count * sizeof(*cidrs));
	cidrs[0] = cidr;
	network->cidr_count++;
	network->netmask = 0;
	return 0;
}

static int complete_cidrs(struct vd_network *network, const char *object, struct vd_error *error)
{
	int r;

	r = network->netmask != 0 ? make_cidr(network, object, error) : 0;
	if (r < 0)
		return r;
	if (network->cidr_count == 0)
		return vd_error_set(error, -EINVAL, "%s: its addresses are missing; give it a cidr, or ranges and a netmask",
				    object);
	if (network->cidr_count > 2 ||
	    (network->cidr_count == 2 && network->cidrs[0].address.family == network->cidrs[1].address.family))
		return vd_error_set(error, -EINVAL, "%s: it has two CIDRs of IPv%u; make a second network", object,
				    network->cidrs[0].address.family);
	return vd_prefixes_validate(network->cidrs, network->cidr_count, object, error);
}

/* Ranges are judged before the CIDR that is made of them, so that the sentence names the range. */
static int check_link_local(const struct vd_network *network, const char *object, struct vd_error *error)
{
	struct vd_prefix link_local;
	char first[VD_ADDRESS_TEXT], last[VD_ADDRESS_TEXT];

	vd_prefix_parse("169.254.0.0/16", &link_local);
	for (size_t i = 0; i < network->range_count; i++) {
		const struct vd_address_range *range = &network->ranges[i];
		struct vd_address bottom = vd_prefix_first(&link_local), top = vd_prefix_last(&link_local);

		if (range->first.family == VD_FAMILY_IPV4 && vd_address_compare(&range->first, &top) <= 0 &&
		    vd_address_compare(&bottom, &range->last) <= 0)
			return vd_error_set(
				error, -EINVAL,
				"%s: range %s-%s holds link-local addresses (169.254.0.0/16), which no instance can use; "
				"choose another",
				object, vd_address_format(&range->first, first), vd_address_format(&range->last, last));
	}
	return 0;
}

static bool has_gateway(const struct vd_network *network)
{
	for (size_t i = 0; i < network->gateway_count; i++)
		if (network->gateways[i].family != VD_FAMILY_NONE)
			return true;
	return network->gateway_count == 0;
}

static int check_role(const struct vd_network *network, const char *object, struct vd_error *error)
{
	if (network->role == VD_NETWORK_ROLE_PUBLIC && !has_gateway(network))
		return vd_error_set(error, -EINVAL, "%s: a public network needs a gateway; give it one, or make it flat", object);
	if (network->role == VD_NETWORK_ROLE_MANAGEMENT && network->dhcp)
		return vd_error_set(error, -EINVAL, "%s: a management network has no instances to serve; leave dhcp out", object);
	return 0;
}

static int network_complete(struct vd_resource *resource, const char *object, struct vd_error *error)
{
	struct vd_network *network = (struct vd_network *)resource;
	struct vd_segment segment;
	int r;

	if (strcmp(resource->project, VD_PROJECT_DEFAULT) != 0)
		return vd_error_set(error, -EINVAL, "%s: a network belongs to every project; leave out project: %s", object,
				    resource->project);
	r = check_role(network, object, error);
	if (r == 0)
		r = check_link_local(network, object, error);
	if (r == 0)
		r = complete_cidrs(network, object, error);
	if (r == 0)
		r = vd_gateways_complete(network->cidrs, network->cidr_count, &network->gateways, &network->gateway_count, object,
					 error);
	if (r == 0)
		r = vd_domain_complete(&network->domain, resource->name, object, error);
	if (r < 0)
		return r;
	segment = vd_segment_of(resource);
	r = vd_ranges_validate(&segment, object, error);
	return r < 0 ? r : vd_dhcp_check(&segment, object, error);
}

/* --- changes --- */

static int network_succeed(const struct vd_resource *before, struct vd_resource *after, const char *object, struct vd_error *error)
{
	const struct vd_network *old = (const struct vd_network *)before;
	struct vd_network *network = (struct vd_network *)after;
	struct vd_segment segment_before = vd_segment_of(before), segment = vd_segment_of(after);

	if (old->role != network->role)
		return vd_error_set(error, -EINVAL, "%s: its role is %s and cannot become %s while it stands; delete it first",
				    object, roles[old->role - 1], roles[network->role - 1]);
	if (strcmp(old->physnet, network->physnet) != 0 || old->vlan != network->vlan)
		return vd_error_set(error, -EINVAL,
				    "%s: it cannot move to another physnet or vlan while it stands; delete it first", object);
	return vd_dhcp_succeed(&segment_before, &segment, object, &network->assigned_dhcp_address, error);
}

static int network_claim(struct vd_validation *validation, struct vd_resource *resource, const char *object, struct vd_error *error)
{
	struct vd_segment segment = vd_segment_of(resource);

	return vd_dhcp_claim(validation, &segment, object, &((struct vd_network *)resource)->assigned_dhcp_address);
}

static int network_assign(struct vd_validation *validation, struct vd_resource *resource, const char *object,
			  struct vd_error *error)
{
	struct vd_segment segment = vd_segment_of(resource);

	return vd_dhcp_assign(validation, &segment, object, &((struct vd_network *)resource)->assigned_dhcp_address);
}

static int network_check(struct vd_validation *validation, const struct vd_resource *before, const struct vd_resource *after,
			 const char *object, struct vd_error *error)
{
	const struct vd_network *network = (const struct vd_network *)after;
	int r;

	r = vd_physnet_check(validation, after, object);
	/* What it was allowed once, a host that is gone does not take back. */
	if (r == 0 && network->sriov && !(before && ((const struct vd_network *)before)->sriov))
		r = vd_sriov_check(validation, network->physnet, object);
	return r;
}

const struct vd_kind_type vd_kind_type_network = {
	.word = "network",
	.plural = "networks",
	.help = "A network of the site, on a physical network that hosts have an uplink to: public, management or flat.",
	.size = sizeof(struct vd_network),
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
	.prepare = network_prepare,
	.complete = network_complete,
	.succeed = network_succeed,
	.claim = network_claim,
	.assign = network_assign,
	.check = network_check,
};
