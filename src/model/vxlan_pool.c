/* SPDX-License-Identifier: Apache-2.0 */
#include "model/validation.h"

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

static char default_name[] = VD_PROJECT_DEFAULT;
static const struct vd_vxlan_pool default_pool = {
	.head = {.kind = VD_KIND_VXLAN_POOL, .references = 1, .project = default_name, .name = default_name},
	.vni_start = 1,
	.vni_end = VD_VNI_MAX,
};

const struct vd_vxlan_pool *vd_model_vxlan_pool(const struct vd_model *model, const char *project, const char *name)
{
	const struct vd_resource *pool = vd_model_get(model, VD_KIND_VXLAN_POOL, project, name);

	if (pool)
		return (const struct vd_vxlan_pool *)pool;
	return strcmp(name, default_name) == 0 ? &default_pool : NULL;
}

int vd_vni_succeed(uint32_t before, uint32_t given, const char *object, struct vd_error *error)
{
	if (given == 0 || before == 0 || given == before)
		return 0;
	return vd_error_set(error, -EINVAL,
			    "%s: its VNI is %u and cannot become %u while it stands; delete it first, or leave vni out", object,
			    before, given);
}

int vd_vxlan_pool_claim(struct vd_validation *validation, const struct vd_resource *resource, const char *pool, uint32_t vni,
			const char *object)
{
	const struct vd_vxlan_pool *range = vd_model_vxlan_pool(validation->model, resource->project, pool);
	const struct vd_resource *other = vd_model_get_by_vni(validation->model, vni);
	char text[VD_OBJECT_SIZE];

	if (vni < range->vni_start || vni > range->vni_end)
		return vd_error_set(validation->error, -EINVAL, "%s: VNI %u lies outside %u-%u of vxlan_pool %s; choose one inside",
				    object, vni, range->vni_start, range->vni_end, pool);
	if (other && (other->kind != resource->kind || strcmp(other->project, resource->project) != 0 ||
		      strcmp(other->name, resource->name) != 0))
		return vd_error_set(validation->error, -EEXIST, "%s: VNI %u is used by %s; choose another or leave vni out", object,
				    vni, vd_resource_text(other, text));
	return 0;
}

int vd_vxlan_pool_allocate(struct vd_validation *validation, const struct vd_resource *resource, const char *pool,
			   const char *object, uint32_t *ret)
{
	const struct vd_vxlan_pool *range = vd_model_vxlan_pool(validation->model, resource->project, pool);
	uint64_t *cursor = vd_validation_cursor(validation, "vni", resource->project, pool);

	if (!cursor)
		return -ENOMEM;
	if (*cursor < range->vni_start)
		*cursor = range->vni_start;
	for (; *cursor <= range->vni_end; (*cursor)++) {
		if (vd_model_get_by_vni(validation->model, (uint32_t)*cursor))
			continue;
		*ret = (uint32_t)*cursor;
		return 0;
	}
	return vd_error_set(validation->error, -ENOSPC, "%s: vxlan_pool %s has no free VNI in %u-%u; give it a wider range", object,
			    pool, range->vni_start, range->vni_end);
}

/* --- what a changed range means to those who have a VNI of it --- */

static int check_vni(const struct vd_validation *validation, const struct vd_resource *resource, const struct vd_vxlan_pool *pool,
		     uint32_t vni)
{
	char text[VD_OBJECT_SIZE], other[VD_OBJECT_SIZE];

	if (vni == 0 || (vni >= pool->vni_start && vni <= pool->vni_end))
		return 0;
	return vd_error_set(validation->error, -EINVAL, "%s: %s has VNI %u, outside %u-%u; keep it inside or delete that first",
			    vd_resource_text(&pool->head, text), vd_resource_text(resource, other), vni, pool->vni_start,
			    pool->vni_end);
}

struct pool_check {
	const struct vd_validation *validation;
	const struct vd_vxlan_pool *pool;
};

static int check_subnet(const struct vd_resource *resource, void *userdata)
{
	const struct pool_check *check = userdata;

	return check_vni(check->validation, resource, check->pool, ((const struct vd_subnet *)resource)->assigned_vni);
}

static int check_container_network(const struct vd_resource *resource, void *userdata)
{
	const struct pool_check *check = userdata;

	return check_vni(check->validation, resource, check->pool, ((const struct vd_container_network *)resource)->assigned_vni);
}

static int check_vpc(const struct vd_resource *resource, void *userdata)
{
	const struct pool_check *check = userdata;
	int r;

	r = check_vni(check->validation, resource, check->pool, ((const struct vd_vpc *)resource)->assigned_vni);
	if (r < 0)
		return r;
	return vd_model_each_subnet_of_vpc(check->validation->model, resource->project, resource->name, check_subnet, userdata);
}

/* --- hosts --- */

static bool has_host(const struct vd_vxlan_pool *pool, const char *host)
{
	for (size_t i = 0; i < pool->host_count; i++)
		if (strcmp(pool->hosts[i], host) == 0)
			return true;
	return pool->host_count == 0;
}

int vd_claim_vtep(const struct vd_claim *claim, const struct vd_vxlan_pool *pool, struct vd_address *ret)
{
	if (pool->vtep_cidr.address.family == VD_FAMILY_NONE || vd_prefix_contains(&pool->vtep_cidr, &claim->underlay)) {
		*ret = claim->underlay;
		return 0;
	}
	for (size_t i = 0; i < claim->address_count; i++) {
		if (!vd_prefix_contains(&pool->vtep_cidr, &claim->addresses[i]))
			continue;
		*ret = claim->addresses[i];
		return 0;
	}
	return -EADDRNOTAVAIL;
}

static int check_member(const struct vd_claim *claim, const struct vd_vxlan_pool *pool, struct vd_error *error)
{
	char text[VD_OBJECT_SIZE], cidr[VD_PREFIX_TEXT];
	struct vd_address vtep;

	if (!has_host(pool, claim->head.name) || vd_claim_vtep(claim, pool, &vtep) == 0)
		return 0;
	return vd_error_set(error, -EADDRNOTAVAIL,
			    "%s: host %s has no address inside the VTEP CIDR %s; give it one, or name the pool's hosts without it",
			    vd_resource_text(&pool->head, text), claim->head.name, vd_prefix_format(&pool->vtep_cidr, cidr));
}

struct member_check {
	const struct vd_claim *claim;
	struct vd_error *error;
};

static int check_pool(const struct vd_resource *resource, void *userdata)
{
	const struct member_check *check = userdata;

	return check_member(check->claim, (const struct vd_vxlan_pool *)resource, check->error);
}

int vd_claim_validate(const struct vd_model *model, const struct vd_claim *claim, struct vd_error *error)
{
	struct member_check check = {.claim = claim, .error = error};

	return vd_model_each(model, VD_KIND_VXLAN_POOL, NULL, check_pool, &check);
}

static int check_claim(const struct vd_resource *resource, void *userdata)
{
	const struct pool_check *check = userdata;

	return check_member((const struct vd_claim *)resource, check->pool, check->validation->error);
}

static int pool_check(struct vd_validation *validation, const struct vd_resource *before, const struct vd_resource *after,
		      const char *object, struct vd_error *error)
{
	struct pool_check check = {.validation = validation, .pool = (const struct vd_vxlan_pool *)after};
	int r;

	r = vd_model_each_referrer(validation->model, VD_KIND_VPC, VD_KIND_VXLAN_POOL, after->project, after->name, check_vpc,
				   &check);
	if (r == 0)
		r = vd_model_each_referrer(validation->model, VD_KIND_CONTAINER_NETWORK, VD_KIND_VXLAN_POOL, after->project,
					   after->name, check_container_network, &check);
	return r < 0 ? r : vd_model_each(validation->model, VD_KIND_CLAIM, NULL, check_claim, &check);
}

const struct vd_kind_type vd_kind_type_vxlan_pool = {
	.word = "vxlan_pool",
	.plural = "vxlan_pools",
	.help = "A range of VNIs and the hosts that tunnel with them; the pool \"default\" exists without being declared.",
	.size = sizeof(struct vd_vxlan_pool),
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
	.complete = pool_complete,
	.check = pool_check,
};
