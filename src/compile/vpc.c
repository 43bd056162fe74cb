/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/derive.h"

struct locals {
	const struct vd_view *view;
	const struct vd_vpc *vpc;
	struct vd_records *records;
};

/* Inside the VPC's CIDRs the endpoint table decides, in every table. */
static int add_locals(const struct locals *locals, uint32_t table)
{
	for (size_t i = 0; i < locals->vpc->cidr_count; i++) {
		struct vd_plan_record record;
		int r;

		vd_plan_record_init(&record, VD_PLAN_KIND_ROUTE);
		record.route.domain = locals->vpc->head.id;
		record.route.table = table;
		record.route.destination = locals->vpc->cidrs[i];
		record.route.type = VD_PLAN_ROUTE_TYPE_LOCAL;
		r = vd_records_add(locals->records, &record);
		if (r < 0)
			return r;
	}
	return 0;
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
	vd_record_name(record.domain.project, vpc->head.project);
	vd_record_name(record.domain.name, vpc->head.name);
	r = vd_records_add(ret, &record);
	if (r < 0)
		return r;

	r = add_locals(&locals, 0);
	if (r < 0)
		return r;
	return vd_view_each_table_of_vpc(view, vpc, add_locals_of_table, &locals);
}
