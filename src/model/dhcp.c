/* SPDX-License-Identifier: Apache-2.0 */
#include "model/prefixes.h"
#include "model/segment.h"

#include <errno.h>
#include <string.h>

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

int vd_domain_complete(char **ret, const char *name, const char *object, struct vd_error *error)
{
	char domain[VD_NAME_SIZE + sizeof(".internal")];
	size_t size = 0;

	if (*ret && !is_domain(*ret))
		return vd_error_set(error, -EINVAL, "%s: domain \"%.60s\" is no domain name like demo.internal", object, *ret);
	if (*ret)
		return 0;
	/* Names may have what domains may not: a dot before another or at the end. */
	for (const char *c = name; *c && size < VD_NAME_SIZE; c++)
		if (*c != '.' || (c[1] && c[1] != '.'))
			domain[size++] = *c;
	strcpy(domain + size, ".internal");
	*ret = strdup(domain);
	return *ret ? 0 : -ENOMEM;
}

/* The CIDR in which an address that was given for DHCP lies; its sentence when it cannot be it. */
static int check_address(const struct vd_segment *segment, const char *object, struct vd_error *error)
{
	const struct vd_address *address = &segment->dhcp_address;
	char text[VD_ADDRESS_TEXT], cidrs[128];
	size_t i;

	if (address->family == VD_FAMILY_NONE)
		return 0;
	vd_address_format(address, text);
	if (!segment->dhcp)
		return vd_error_set(error, -EINVAL, "%s: dhcp_address %s is given while dhcp is false; leave one out", object,
				    text);
	if (address->family != VD_FAMILY_IPV4)
		return vd_error_set(error, -EINVAL, "%s: dhcp_address %s is no IPv4 address; DHCPv6 needs none", object, text);
	i = vd_segment_cidr(segment, address);
	if (i == segment->cidr_count)
		return vd_error_set(error, -EINVAL, "%s: dhcp_address %s lies outside its CIDRs (%s); choose one inside", object,
				    text, vd_prefixes_format(segment->cidrs, segment->cidr_count, cidrs, sizeof(cidrs)));
	if (vd_address_equal(address, &segment->gateways[i]))
		return vd_error_set(error, -EINVAL, "%s: dhcp_address %s is its gateway; choose another", object, text);
	if (vd_prefix_reserves(&segment->cidrs[i], address))
		return vd_error_set(error, -EINVAL, "%s: dhcp_address %s is the network or broadcast address of %s; choose another",
				    object, text, vd_prefix_format(&segment->cidrs[i], cidrs));
	return 0;
}

int vd_dhcp_check(const struct vd_segment *segment, const char *object, struct vd_error *error)
{
	char text[VD_ADDRESS_TEXT];

	/* A network's gateway is somebody else, who may well be asked. */
	for (size_t i = 0; segment->vpc && i < segment->dns_count; i++)
		for (size_t j = 0; j < segment->gateway_count; j++)
			if (vd_address_equal(&segment->dns[i], &segment->gateways[j]))
				return vd_error_set(
					error, -EINVAL,
					"%s: dns %s is its gateway, which would ask itself; name the server that it asks", object,
					vd_address_format(&segment->dns[i], text));
	return check_address(segment, object, error);
}

/* Could DHCP answer from this address? Who else has it is another matter. */
static bool suits(const struct vd_segment *segment, const struct vd_address *address)
{
	size_t i = vd_segment_cidr(segment, address);

	return i < segment->cidr_count && !vd_address_equal(&segment->gateways[i], address) &&
	       !vd_prefix_reserves(&segment->cidrs[i], address);
}

/* Instances renew their leases from the address that they know: it stays while DHCP is on and the CIDR has it. */
int vd_dhcp_succeed(const struct vd_segment *before, const struct vd_segment *after, const char *object, struct vd_address *ret,
		    struct vd_error *error)
{
	const struct vd_address kept = before->assigned_dhcp_address;
	char text[VD_ADDRESS_TEXT], other[VD_ADDRESS_TEXT];

	*ret = (struct vd_address){};
	if (!after->dhcp || kept.family == VD_FAMILY_NONE || !suits(after, &kept))
		return 0;
	if (after->dhcp_address.family != VD_FAMILY_NONE && !vd_address_equal(&after->dhcp_address, &kept))
		return vd_error_set(error, -EINVAL,
				    "%s: its dhcp_address is %s and cannot become %s while DHCP is on; leave it out", object,
				    vd_address_format(&kept, text), vd_address_format(&after->dhcp_address, other));
	*ret = kept;
	return 0;
}

int vd_dhcp_claim(const struct vd_validation *validation, const struct vd_segment *segment, const char *object,
		  struct vd_address *ret)
{
	char text[VD_ADDRESS_TEXT], other[VD_OBJECT_SIZE];
	const struct vd_resource *holder;

	if (segment->dhcp_address.family != VD_FAMILY_NONE)
		*ret = segment->dhcp_address;
	if (ret->family == VD_FAMILY_NONE)
		return 0;
	holder = vd_segment_holder(validation->model, segment, ret);
	if (!holder)
		return 0;
	return vd_error_set(validation->error, -EADDRINUSE, "%s: dhcp_address %s is taken by %s; choose another or leave it out",
			    object, vd_address_format(ret, text), vd_resource_text(holder, other));
}

/* The highest free address of the ranges, so that ports keep the low ones. */
int vd_dhcp_assign(struct vd_validation *validation, const struct vd_segment *segment, const char *object, struct vd_address *ret)
{
	struct vd_address_range range;
	char text[VD_PREFIX_TEXT];
	size_t cidr = 0, count = 0;

	if (!segment->dhcp || ret->family != VD_FAMILY_NONE)
		return 0;
	while (cidr < segment->cidr_count && segment->cidrs[cidr].address.family != VD_FAMILY_IPV4)
		cidr++;
	/* A CIDR of four addresses has none to spare: there DHCP answers from the gateway. */
	if (cidr == segment->cidr_count || segment->cidrs[cidr].length >= 30)
		return 0;
	while (vd_segment_range(segment, cidr, count, &range))
		count++;
	while (count > 0 && vd_segment_range(segment, cidr, --count, &range)) {
		struct vd_address address = range.last;

		for (; vd_address_compare(&address, &range.first) >= 0 && vd_prefix_contains(&segment->cidrs[cidr], &address);
		     address = vd_address_add(&address, -1)) {
			if (!suits(segment, &address) || vd_segment_holder(validation->model, segment, &address))
				continue;
			*ret = address;
			return 0;
		}
	}
	return vd_error_set(validation->error, -ENOSPC,
			    "%s: no address of %s is free for DHCP; delete a port, add a range, or say dhcp: false", object,
			    vd_prefix_format(&segment->cidrs[cidr], text));
}
