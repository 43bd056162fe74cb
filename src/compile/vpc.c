/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/derive.h"

struct locals {
	const struct vd_view *view;
	const struct vd_vpc *vpc;
	struct vd_records *records;
};

/* Where instances ask for their metadata, as every cloud has it. */
static const struct vd_address metadata = {VD_FAMILY_IPV4, {169, 254, 169, 254}};

static int add_local(const struct locals *locals, uint32_t table, const struct vd_prefix *destination)
{
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_ROUTE);
	record.route.domain = locals->vpc->head.id;
	record.route.table = table;
	record.route.destination = *destination;
	record.route.type = VD_PLAN_ROUTE_TYPE_LOCAL;
	return vd_records_add(locals->records, &record);
}

/* Inside the VPC's CIDRs, and of the metadata service, the endpoint table decides, in every table. */
static int add_locals(const struct locals *locals, uint32_t table)
{
	struct vd_prefix service = vd_prefix_of_address(&metadata);
	int r = add_local(locals, table, &service);

	for (size_t i = 0; i < locals->vpc->cidr_count && r == 0; i++)
		r = add_local(locals, table, &locals->vpc->cidrs[i]);
	return r;
}

static int add_metadata(const struct vd_vpc *vpc, struct vd_records *records)
{
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_ENDPOINT);
	record.endpoint.domain = vpc->head.id;
	record.endpoint.address = metadata;
	record.endpoint.place = VD_PLAN_PLACE_GATEWAY;
	return vd_records_add(records, &record);
}

/* A profile that is not there limits to nothing that works: validation does not let it come to that. */
static void set_profile(const struct vd_view *view, const struct vd_vpc *vpc, struct vd_plan_domain *record)
{
	const struct vd_router_profile *profile =
		vd_view_router_profile(view, vpc->head.project, vpc->router_profile ? vpc->router_profile : "default");

	if (profile) {
		record->cpu_milli = profile->cpu_milli;
		record->memory = profile->memory;
	}
}

static int add_locals_of_table(const struct vd_pair *pair, void *userdata)
{
	const struct locals *locals = userdata;
	const struct vd_route_table *table = vd_view_route_table(locals->view, pair->project, pair->other);

	return table ? add_locals(locals, table->head.id) : 0;
}

int vd_derive_vpc(const struct vd_view *view, const struct vd_unit *unit, struct vd_records *ret)
{
	const struct vd_vpc *vpc = vd_view_vpc(view, unit->project, unit->name);
	struct locals locals = {view, vpc, ret};
	struct vd_plan_record record;
	int r;

	if (!vpc || !vd_view_is_present(view, unit->project, unit->name))
		return 0;

	vd_plan_record_init(&record, VD_PLAN_KIND_DOMAIN);
	record.domain.domain = vpc->head.id;
	record.domain.vni = vpc->assigned_vni;
	record.domain.mtu = vd_view_mtu(view, vpc);
	set_profile(view, vpc, &record.domain);
	vd_record_name(record.domain.project, vpc->head.project);
	vd_record_name(record.domain.name, vpc->head.name);
	r = vd_records_add(ret, &record);
	if (r < 0)
		return r;
	r = add_metadata(vpc, ret);
	if (r < 0)
		return r;

	r = add_locals(&locals, 0);
	if (r < 0)
		return r;
	return vd_view_each_table_of_vpc(view, vpc, add_locals_of_table, &locals);
}
