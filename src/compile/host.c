/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/derive.h"
#include "compile/gateway.h"

#include <string.h>

/*
 * The first VPC by name that both hosts know, and that has a tunnel to the other; where there is none, the first container network
 * that both take part in.
 */
struct shared {
	const struct vd_view *view;
	const char *host;
	const struct vd_resource *owner;
	struct vd_address vtep;
};

static bool goes_before(const struct vd_resource *a, const struct vd_resource *b)
{
	int order = strcmp(a->project, b->project);

	return order < 0 || (order == 0 && strcmp(a->name, b->name) < 0);
}

/* Pools may give a host several addresses; the plan has one per host, and it must not depend on the order of visits. */
static void take(struct shared *shared, const struct vd_resource *owner, const char *pool)
{
	struct vd_address vtep;

	if (vd_view_vtep_in_pool(shared->view, owner->project, pool, shared->host, &vtep) < 0)
		return;
	if (!shared->owner || goes_before(owner, shared->owner)) {
		shared->owner = owner;
		shared->vtep = vtep;
	}
}

static int take_vpc(const struct vd_pair *pair, void *userdata)
{
	struct shared *shared = userdata;
	const struct vd_vpc *vpc;

	if (!vd_view_is_known(shared->view, pair->project, pair->vpc))
		return 0;
	vpc = vd_view_vpc(shared->view, pair->project, pair->vpc);
	if (vpc)
		take(shared, &vpc->head, vpc->vxlan_pool);
	return 0;
}

/* ---- what its routers ask name servers with ---- */

struct services {
	const struct vd_view *view;
	const struct vd_host *host;
	struct vd_records *records;
};

static int add_service(const struct services *services, const struct vd_vpc *vpc, uint8_t family)
{
	struct vd_plan_record record;
	uint32_t host;

	vd_plan_record_init(&record, VD_PLAN_KIND_ENDPOINT);
	if (!vd_service_find(services->view, vpc, services->host->head.id, family, &record.endpoint.address))
		return 0;
	host = vd_view_reach(services->view, vpc, services->host->head.name);
	if (host == 0)
		return 0;
	record.endpoint.domain = vpc->head.id;
	record.endpoint.place = VD_PLAN_PLACE_HOST;
	record.endpoint.host = host;
	return vd_records_add(services->records, &record);
}

/* Answers come in by the VPC's gateway, which has to know to whom they go. */
static int add_services(const struct vd_pair *pair, void *userdata)
{
	const struct services *services = userdata;
	const struct vd_vpc *vpc;
	int r;

	if (!vd_view_is_present(services->view, pair->project, pair->vpc))
		return 0;
	vpc = vd_view_vpc(services->view, pair->project, pair->vpc);
	if (!vpc)
		return 0;
	r = add_service(services, vpc, VD_FAMILY_IPV4);
	return r < 0 ? r : add_service(services, vpc, VD_FAMILY_IPV6);
}

/* ---- the host ---- */

static int take_container_network(const struct vd_pair *pair, void *userdata)
{
	struct shared *shared = userdata;
	const struct vd_container_network *network = vd_view_container_network(shared->view, pair->project, pair->vpc);

	if (network && network->mode != VD_CONTAINER_MODE_NATIVE && vd_view_is_member(shared->view, network, shared->view->host))
		take(shared, &network->head, network->vxlan_pool);
	return 0;
}

int vd_derive_host(const struct vd_view *view, const struct vd_unit *unit, struct vd_records *ret)
{
	struct shared shared = {.view = view, .host = unit->name};
	struct services services = {.view = view, .records = ret};
	const struct vd_host *host;
	struct vd_plan_record record;
	int r;

	if (strcmp(unit->project, VD_HOST_PROJECT) != 0 || strcmp(unit->name, view->host) == 0)
		return 0;
	host = vd_view_host(view, unit->name);
	if (!host)
		return 0;
	vd_view_each_vpc_of_host(view, unit->name, take_vpc, &shared);
	if (!shared.owner)
		vd_view_each_container_network_of_host(view, unit->name, take_container_network, &shared);
	if (!shared.owner)
		return 0;

	services.host = host;
	vd_plan_record_init(&record, VD_PLAN_KIND_TUNNEL_HOST);
	record.tunnel_host.host = host->head.id;
	record.tunnel_host.vtep = shared.vtep;
	vd_record_name(record.tunnel_host.name, host->head.name);
	r = vd_records_add(ret, &record);
	return r < 0 ? r : vd_view_each_vpc_of_host(view, unit->name, add_services, &services);
}
