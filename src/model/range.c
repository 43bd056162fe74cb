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

static bool is_in_ranges(const struct vd_segment *segment, const struct vd_address *address)
{
	size_t cidr = vd_segment_cidr(segment, address);
	struct vd_address_range range;

	/* Outside the CIDRs, it is refused for that. */
	if (cidr == segment->cidr_count)
		return true;
	for (size_t i = 0; vd_segment_range(segment, cidr, i, &range); i++)
		if (vd_address_compare(&range.first, address) <= 0 && vd_address_compare(address, &range.last) <= 0)
			return true;
	return false;
}

static bool had(const struct vd_address_request *request, const struct vd_address *address)
{
	for (size_t i = 0; i < request->had_count; i++)
		if (vd_address_equal(&request->had[i], address))
			return true;
	return false;
}

int vd_segment_check_ranges(const struct vd_validation *validation, const struct vd_segment *segment,
			    const struct vd_address_request *request, const char *object)
{
	char text[VD_ADDRESS_TEXT], other[VD_OBJECT_SIZE];

	/* A subnet is its VPC's as a whole; its ranges only say what is given to those who do not ask. */
	if (segment->vpc)
		return 0;
	for (size_t i = 0; i < request->asked_count; i++)
		if (!had(request, &request->asked[i]) && !is_in_ranges(segment, &request->asked[i]))
			return vd_error_set(
				validation->error, -EINVAL,
				"%s: address %s lies outside the ranges of %s, where others have theirs; choose one inside", object,
				vd_address_format(&request->asked[i], text), vd_segment_text(segment, other));
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
