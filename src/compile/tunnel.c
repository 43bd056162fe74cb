/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/key.h"
#include "compile/value.h"
#include "compile/view.h"
#include "model/change.h"

#include <errno.h>
#include <string.h>

/* What VXLAN adds to an inner IP packet: Ethernet 14, VXLAN 8, UDP 8, and an outer IPv4 header of 20 or an IPv6 header of 40. */
#define OVERHEAD_IPV4 50
#define OVERHEAD_IPV6 70
/* When no host said what its underlay carries. */
#define MTU_UNKNOWN 1450

static const struct vd_vxlan_pool *pool_get(const struct vd_view *view, const char *project, const char *name)
{
	vd_view_read(view, vd_key_resource(VD_KIND_VXLAN_POOL, project, name));
	return vd_model_vxlan_pool(view->model, project, name);
}

static bool has_joined(const struct vd_vxlan_pool *pool, const char *host)
{
	for (size_t i = 0; i < pool->host_count; i++)
		if (strcmp(pool->hosts[i], host) == 0)
			return true;
	return pool->host_count == 0;
}

static int vtep_of(const struct vd_vxlan_pool *pool, const struct vd_claim *claim, struct vd_address *ret)
{
	struct vd_address vtep;
	int r;

	if (!has_joined(pool, claim->head.name))
		return -EADDRNOTAVAIL;
	r = vd_claim_vtep(claim, pool, &vtep);
	if (r < 0)
		return r;
	if (vtep.family == VD_FAMILY_NONE)
		return -EADDRNOTAVAIL;
	*ret = vtep;
	return 0;
}

static int vtep_in_pool(const struct vd_view *view, const char *project, const char *pool_name, const char *host,
			struct vd_address *ret)
{
	const struct vd_vxlan_pool *pool = pool_get(view, project, pool_name);
	const struct vd_resource *claim;

	vd_view_read(view, vd_key_resource(VD_KIND_CLAIM, VD_HOST_PROJECT, host));
	claim = vd_model_get(view->model, VD_KIND_CLAIM, VD_HOST_PROJECT, host);
	return pool && claim ? vtep_of(pool, (const struct vd_claim *)claim, ret) : -EADDRNOTAVAIL;
}

int vd_view_vtep(const struct vd_view *view, const struct vd_vpc *vpc, const char *host, struct vd_address *ret)
{
	return vtep_in_pool(view, vpc->head.project, vpc->vxlan_pool, host, ret);
}

uint32_t vd_derive_reach(const struct vd_view *view, const char *project, const char *pool, const char *host)
{
	const struct vd_host *resource = vd_view_host(view, host);
	struct vd_address vtep;

	if (vtep_in_pool(view, project, pool, host, &vtep) < 0 || !resource)
		return 0;
	return resource->head.id;
}

struct smallest {
	const struct vd_vxlan_pool *pool;
	uint32_t mtu; /* 0: none yet */
};

static int take_smaller(const struct vd_resource *resource, void *userdata)
{
	const struct vd_claim *claim = (const struct vd_claim *)resource;
	struct smallest *smallest = userdata;
	struct vd_address vtep;
	uint32_t overhead, carried;

	if (vtep_of(smallest->pool, claim, &vtep) < 0)
		return 0;
	overhead = vtep.family == VD_FAMILY_IPV6 ? OVERHEAD_IPV6 : OVERHEAD_IPV4;
	carried = vd_claim_mtu(claim, &vtep);
	if (carried <= overhead)
		return 0;
	if (smallest->mtu == 0 || carried - overhead < smallest->mtu)
		smallest->mtu = carried - overhead;
	return 0;
}

uint32_t vd_derive_mtu(const struct vd_view *view, const char *project, const char *pool)
{
	struct smallest smallest = {.pool = pool_get(view, project, pool)};

	vd_view_read(view, vd_key_claims());
	if (smallest.pool)
		vd_model_each(view->model, VD_KIND_CLAIM, NULL, take_smaller, &smallest);
	return smallest.mtu ? smallest.mtu : MTU_UNKNOWN;
}
