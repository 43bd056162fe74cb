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

int vd_view_vtep_in_pool(const struct vd_view *view, const char *project, const char *pool_name, const char *host,
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
	return vd_view_vtep_in_pool(view, vpc->head.project, vpc->vxlan_pool, host, ret);
}

uint32_t vd_derive_reach(const struct vd_view *view, const char *project, const char *pool, const char *host)
{
	const struct vd_host *resource = vd_view_host(view, host);
	struct vd_address vtep;

	if (vd_view_vtep_in_pool(view, project, pool, host, &vtep) < 0 || !resource)
		return 0;
	return resource->head.id;
}

struct smallest {
	const struct vd_view *view;
	const struct vd_vxlan_pool *pool;
	uint32_t mtu; /* 0: none yet */
};

static void take_claim(struct smallest *smallest, const struct vd_claim *claim)
{
	struct vd_address vtep;
	uint32_t overhead, carried;

	if (vtep_of(smallest->pool, claim, &vtep) < 0)
		return;
	overhead = vtep.family == VD_FAMILY_IPV6 ? OVERHEAD_IPV6 : OVERHEAD_IPV4;
	carried = vd_claim_mtu(claim, &vtep);
	if (carried <= overhead)
		return;
	if (smallest->mtu == 0 || carried - overhead < smallest->mtu)
		smallest->mtu = carried - overhead;
}

static int stop_at_instance(const struct vd_resource *resource, void *userdata)
{
	return ((const struct vd_node *)resource)->port != NULL;
}

/* An instance that is a node carries no VPC, and what it carries itself is less already. */
static int take_host(const struct vd_resource *resource, void *userdata)
{
	struct smallest *smallest = userdata;

	if (!vd_model_each_node_of_host(smallest->view->model, resource->name, stop_at_instance, NULL))
		take_claim(smallest, (const struct vd_claim *)resource);
	return 0;
}

uint32_t vd_derive_mtu(const struct vd_view *view, const char *project, const char *pool)
{
	struct smallest smallest = {view, .pool = pool_get(view, project, pool)};

	vd_view_read(view, vd_key_claims());
	vd_view_read(view, vd_key_nodes());
	if (smallest.pool)
		vd_model_each(view->model, VD_KIND_CLAIM, NULL, take_host, &smallest);
	return smallest.mtu ? smallest.mtu : MTU_UNKNOWN;
}

/* ---- container networks ---- */

static int take_node(const struct vd_resource *node, void *userdata)
{
	struct smallest *smallest = userdata;
	const struct vd_resource *claim = vd_model_get(smallest->view->model, VD_KIND_CLAIM, VD_HOST_PROJECT, node->name);

	vd_view_read(smallest->view, vd_key_resource(VD_KIND_CLAIM, VD_HOST_PROJECT, node->name));
	if (claim)
		take_claim(smallest, (const struct vd_claim *)claim);
	return 0;
}

uint32_t vd_derive_node_mtu(const struct vd_view *view, const char *project, const char *name)
{
	const struct vd_container_network *network = vd_view_container_network(view, project, name);
	struct smallest smallest = {view, .pool = network ? pool_get(view, project, network->vxlan_pool) : NULL};

	vd_view_read(view, vd_key_members(VD_KIND_NODE, "container_network", project, name));
	if (smallest.pool)
		vd_model_each_node_of_container_network(view->model, project, name, take_node, &smallest);
	return smallest.mtu ? smallest.mtu : MTU_UNKNOWN;
}

void vd_derive_station(const struct vd_view *view, const char *host, struct vd_station *ret)
{
	const struct vd_claim *claim = (const void *)vd_model_get(view->model, VD_KIND_CLAIM, VD_HOST_PROJECT, host);

	vd_view_read(view, vd_key_resource(VD_KIND_CLAIM, VD_HOST_PROJECT, host));
	memset(ret, 0, sizeof(*ret));
	if (!claim)
		return;
	ret->underlay = claim->underlay;
	ret->lan = claim->lan;
}
