/* SPDX-License-Identifier: Apache-2.0 */
#include "model/prefixes.h"

#include <errno.h>
#include <stdio.h>

static const struct {
	const char *cidr, *what;
} unusable[] = {
	{"169.254.0.0/16", "link-local"},
	{"127.0.0.0/8", "loopback"},
	{"224.0.0.0/4", "multicast"},
	{"240.0.0.0/4", "reserved"},
	{"0.0.0.0/8", "this network"},
	{"fe80::/10", "link-local"},
	{"ff00::/8", "multicast"},
	{"::/127", "loopback"},
	{"fd76:6961:6475:6374::/64", "what routers ask name servers with"},
};

int vd_prefixes_validate(const struct vd_prefix *prefixes, size_t count, const char *object, struct vd_error *error)
{
	char text[VD_PREFIX_TEXT], other[VD_PREFIX_TEXT];

	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < sizeof(unusable) / sizeof(unusable[0]); j++) {
			struct vd_prefix range;

			if (vd_prefix_parse(unusable[j].cidr, &range) == 0 && vd_prefix_overlaps(&prefixes[i], &range))
				return vd_error_set(error, -EINVAL,
						    "%s: CIDR %s overlaps %s (%s), which no instance can use; take another", object,
						    vd_prefix_format(&prefixes[i], text), unusable[j].cidr, unusable[j].what);
		}
		for (size_t j = 0; j < i; j++)
			if (vd_prefix_overlaps(&prefixes[i], &prefixes[j]))
				return vd_error_set(error, -EINVAL, "%s: its CIDRs %s and %s overlap; leave one out", object,
						    vd_prefix_format(&prefixes[j], other), vd_prefix_format(&prefixes[i], text));
	}
	return 0;
}

bool vd_prefixes_cover(const struct vd_prefix *prefixes, size_t count, const struct vd_prefix *inner)
{
	for (size_t i = 0; i < count; i++)
		if (vd_prefix_covers(&prefixes[i], inner))
			return true;
	return false;
}

bool vd_prefixes_overlap(const struct vd_prefix *a, size_t a_count, const struct vd_prefix *b, size_t b_count,
			 const struct vd_prefix **ret_a, const struct vd_prefix **ret_b)
{
	for (size_t i = 0; i < a_count; i++) {
		for (size_t j = 0; j < b_count; j++) {
			if (!vd_prefix_overlaps(&a[i], &b[j]))
				continue;
			*ret_a = &a[i];
			*ret_b = &b[j];
			return true;
		}
	}
	return false;
}

bool vd_prefix_is_private(const struct vd_prefix *prefix)
{
	static const char *const ranges[] = {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		struct vd_prefix range;

		if (vd_prefix_parse(ranges[i], &range) == 0 && vd_prefix_covers(&range, prefix))
			return true;
	}
	return false;
}

bool vd_prefix_reserves(const struct vd_prefix *prefix, const struct vd_address *address)
{
	struct vd_address first = vd_prefix_first(prefix), last = vd_prefix_last(prefix);

	/* RFC 3021 and RFC 6164: on a link of two addresses both are usable. */
	if (prefix->length + 1u >= vd_address_bits(address))
		return false;
	return vd_address_equal(&first, address) || (address->family == VD_FAMILY_IPV4 && vd_address_equal(&last, address));
}

const char *vd_prefixes_format(const struct vd_prefix *prefixes, size_t count, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < count && used < size; i++) {
		char one[VD_PREFIX_TEXT];

		used += (size_t)snprintf(text + used, size - used, "%s%s", i > 0 ? ", " : "", vd_prefix_format(&prefixes[i], one));
	}
	return text;
}
