/* SPDX-License-Identifier: Apache-2.0 */
#include "model/segment.h"

#include <errno.h>

static const char *format(const struct vd_address_range *range, char text[2 * VD_ADDRESS_TEXT])
{
	char first[VD_ADDRESS_TEXT], last[VD_ADDRESS_TEXT];

	snprintf(text, 2 * VD_ADDRESS_TEXT, "%s-%s", vd_address_format(&range->first, first),
		 vd_address_format(&range->last, last));
	return text;
}

static bool is_inside(const struct vd_segment *segment, const struct vd_address_range *range)
{
	for (size_t i = 0; i < segment->cidr_count; i++)
		if (vd_prefix_contains(&segment->cidrs[i], &range->first) && vd_prefix_contains(&segment->cidrs[i], &range->last))
			return true;
	return false;
}

/* No CIDR holds what instances cannot use, link-local addresses among it; so no range does. */
int vd_ranges_validate(const struct vd_segment *segment, const char *object, struct vd_error *error)
{
	char text[2 * VD_ADDRESS_TEXT], other[2 * VD_ADDRESS_TEXT];

	for (size_t i = 0; i < segment->range_count; i++) {
		const struct vd_address_range *range = &segment->ranges[i];

		if (!is_inside(segment, range))
			return vd_error_set(error, -EINVAL, "%s: range %s does not lie inside one of its CIDRs; choose one inside",
					    object, format(range, text));
		if (vd_address_compare(&range->first, &range->last) > 0)
			return vd_error_set(error, -EINVAL, "%s: range %s ends below its start; write the lower address first",
					    object, format(range, text));
		for (size_t j = 0; j < i; j++)
			if (range->first.family == segment->ranges[j].first.family &&
			    vd_address_compare(&range->first, &segment->ranges[j].last) <= 0 &&
			    vd_address_compare(&segment->ranges[j].first, &range->last) <= 0)
				return vd_error_set(error, -EINVAL, "%s: ranges %s and %s overlap; make one of them", object,
						    format(&segment->ranges[j], other), format(range, text));
	}
	return 0;
}

bool vd_segment_range(const struct vd_segment *segment, size_t cidr, size_t index, struct vd_address_range *ret)
{
	const struct vd_prefix *prefix = &segment->cidrs[cidr];
	size_t count = 0;

	for (size_t i = 0; i < segment->range_count; i++) {
		if (!vd_prefix_contains(prefix, &segment->ranges[i].first))
			continue;
		if (count++ == index) {
			*ret = segment->ranges[i];
			return true;
		}
	}
	if (index > 0)
		return false;
	*ret = (struct vd_address_range){.first = vd_prefix_first(prefix), .last = vd_prefix_last(prefix)};
	return true;
}
