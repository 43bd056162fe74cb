/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/derive.h"

#include <string.h>

/* The first VPC by name that both hosts have, and that has a tunnel to the other. */
struct shared {
	const struct vd_view *view;
	const char *host;
	const struct vd_vpc *vpc;
	struct vd_address vtep;
};

static bool goes_before(const struct vd_resource *a, const struct vd_resource *b)
{
	int order = strcmp(a->project, b->project);

	return order < 0 || (order == 0 && strcmp(a->name, b->name) < 0);
}

static int take_shared(const struct vd_pair *pair, void *userdata)
{
	struct shared *shared = userdata;
	const struct vd_vpc *vpc;
	struct vd_address vtep;

	if (!vd_view_is_present(shared->view, pair->project, pair->vpc))
		return 0;
	vpc = vd_view_vpc(shared->view, pair->project, pair->vpc);
	if (!vpc || vd_view_vtep(shared->view, vpc, shared->host, &vtep) < 0)
		return 0;
	/* Pools may give a host several addresses; the plan has one per host, and it must not depend on the order of visits. */
	if (!shared->vpc || goes_before(&vpc->head, &shared->vpc->head)) {
		shared->vpc = vpc;
		shared->vtep = vtep;
	}
	return 0;
}

int vd_derive_host(const struct vd_view *view, const struct vd_unit *unit, struct vd_records *ret)
{
	struct shared shared = {.view = view, .host = unit->name};
	const struct vd_host *host;
	struct vd_plan_record record;

	if (strcmp(unit->project, VD_HOST_PROJECT) != 0 || strcmp(unit->name, view->host) == 0)
		return 0;
	host = vd_view_host(view, unit->name);
	if (!host)
		return 0;
	vd_view_each_vpc_of_host(view, unit->name, take_shared, &shared);
	if (!shared.vpc)
		return 0;

	vd_plan_record_init(&record, VD_PLAN_KIND_TUNNEL_HOST);
	record.tunnel_host.host = host->head.id;
	record.tunnel_host.vtep = shared.vtep;
	vd_record_name(record.tunnel_host.name, host->head.name);
	return vd_records_add(ret, &record);
}
