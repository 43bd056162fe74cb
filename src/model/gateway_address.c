/* SPDX-License-Identifier: Apache-2.0 */
#include "model/prefixes.h"
#include "model/segment.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

static struct vd_address default_gateway(const struct vd_prefix *cidr)
{
	struct vd_address first = vd_prefix_first(cidr);

	return vd_prefix_reserves(cidr, &first) ? vd_address_add(&first, 1) : first;
}

int vd_gateways_complete(const struct vd_prefix *cidrs, size_t cidr_count, struct vd_address **gateways, size_t *gateway_count,
			 const char *object, struct vd_error *error)
{
	VD_FREE struct vd_address *all = calloc(cidr_count, sizeof(*all));
	char text[VD_ADDRESS_TEXT], cidr[VD_PREFIX_TEXT];
	bool has_none = false;

	if (!all)
		return -ENOMEM;
	for (size_t i = 0; i < *gateway_count; i++) {
		const struct vd_address *gateway = &(*gateways)[i];
		size_t j = 0;

		has_none |= gateway->family == VD_FAMILY_NONE;
		if (gateway->family == VD_FAMILY_NONE)
			continue;
		while (j < cidr_count && !vd_prefix_contains(&cidrs[j], gateway))
			j++;
		if (j == cidr_count)
			return vd_error_set(error, -EINVAL, "%s: gateway %s lies outside its CIDRs; choose an address inside",
					    object, vd_address_format(gateway, text));
		if (vd_prefix_reserves(&cidrs[j], gateway))
			return vd_error_set(error, -EINVAL,
					    "%s: gateway %s is the network or broadcast address of %s; choose another", object,
					    vd_address_format(gateway, text), vd_prefix_format(&cidrs[j], cidr));
		if (all[j].family != VD_FAMILY_NONE)
			return vd_error_set(error, -EINVAL, "%s: it has two gateways in %s; leave one out", object,
					    vd_prefix_format(&cidrs[j], cidr));
		all[j] = *gateway;
	}
	for (size_t j = 0; !has_none && j < cidr_count; j++)
		if (all[j].family == VD_FAMILY_NONE)
			all[j] = default_gateway(&cidrs[j]);
	free(*gateways);
	*gateways = VD_TAKE(all);
	*gateway_count = cidr_count;
	return 0;
}
