/* SPDX-License-Identifier: Apache-2.0 */
#include "model/kind.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define OFFSET(member) offsetof(struct vd_vxlan_pool, member)

static const struct vd_field fields[] = {
	{"vnis", .type = VD_FIELD_TYPE_VNI_RANGE, .required = true, .offset = OFFSET(vni_start),
	 .help = "The VNIs of the pool, first and last, inside 1-16777214: 5000-5999."},
	{"vtep_cidr", .type = VD_FIELD_TYPE_PREFIX, .offset = OFFSET(vtep_cidr),
	 .help = "Where the hosts' tunnel addresses lie; without it each host uses its underlay address."},
	{"hosts", "host", .type = VD_FIELD_TYPE_NAMES, .offset = OFFSET(hosts), .count_offset = OFFSET(host_count),
	 .is_reference = true, .reference = VD_KIND_HOST, .help = "Who joins the pool; without it every host."},
};

/* Digits to a number; ULONG_MAX saturates and is out of range anyway. NULL when there is no digit. */
static const char *read_vni(const char *text, unsigned long *ret)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return NULL;
	*ret = strtoul(text, &end, 10);
	return end;
}

int vd_vni_range_read(const json_t *value, uint32_t range[2])
{
	unsigned long start, end;
	const char *text = json_string_value(value);

	if (json_is_integer(value) && json_integer_value(value) >= 0) {
		start = end = (unsigned long)json_integer_value(value);
	} else {
		text = text ? read_vni(text, &start) : NULL;
		if (!text || *text != '-')
			return -EINVAL;
		text = read_vni(text + 1, &end);
		if (!text || *text != '\0')
			return -EINVAL;
	}
	/* Which numbers are right is said by pool_complete(), in a sentence of its own. */
	range[0] = start > UINT32_MAX ? UINT32_MAX : (uint32_t)start;
	range[1] = end > UINT32_MAX ? UINT32_MAX : (uint32_t)end;
	return 0;
}

json_t *vd_vni_range_write(const uint32_t range[2])
{
	return json_sprintf("%u-%u", range[0], range[1]);
}

static int pool_complete(struct vd_resource *resource, const char *object, struct vd_error *error)
{
	const struct vd_vxlan_pool *pool = (const struct vd_vxlan_pool *)resource;

	if (pool->vni_end < pool->vni_start)
		return vd_error_set(error, -EINVAL, "%s: vnis %u-%u end below their start; write the smaller number first", object,
				    pool->vni_start, pool->vni_end);
	if (pool->vni_start < 1 || pool->vni_end > VD_VNI_MAX)
		return vd_error_set(error, -EINVAL, "%s: vnis %u-%u must lie inside 1-%u (16777215 and 16777216 are reserved)",
				    object, pool->vni_start, pool->vni_end, VD_VNI_MAX);
	return 0;
}

const struct vd_kind_type vd_kind_type_vxlan_pool = {
	.word = "vxlan_pool",
	.plural = "vxlan_pools",
	.help = "A range of VNIs and the hosts that tunnel with them; the pool \"default\" exists without being declared.",
	.size = sizeof(struct vd_vxlan_pool),
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
	.complete = pool_complete,
};
