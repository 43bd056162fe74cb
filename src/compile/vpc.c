/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/derive.h"
#include "compile/gateway.h"

struct locals {
	const struct vd_view *view;
	const struct vd_vpc *vpc;
	struct vd_records *records;
	struct vd_address service4, service6; /* of the router here */
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

/* Inside the VPC's CIDRs, as of the metadata service, the endpoint table decides, in every table. */
static int add_locals(const struct locals *locals, uint32_t table)
{
	int r = 0;

	for (size_t i = 0; i < locals->vpc->cidr_count && r == 0; i++)
		r = add_local(locals, table, &locals->vpc->cidrs[i]);
	return r;
}

int vd_metadata_add(uint32_t domain, struct vd_records *records)
{
	return vd_gateway_add(domain, 0, &metadata, records);
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

static int add_own_service(const struct locals *locals)
{
	const struct vd_address *addresses[] = {&locals->service4, &locals->service6};
	int r = 0;

	for (size_t i = 0; i < 2 && r == 0; i++)
		if (addresses[i]->family != VD_FAMILY_NONE)
			r = vd_gateway_add(locals->vpc->head.id, 0, addresses[i], locals->records);
	return r;
}

/* ---- ways out ---- */

/* A route of the user's own to everywhere stands in its place. */
static int add_default(const struct locals *locals, uint32_t table, uint8_t family)
{
	const struct vd_vpc *vpc = locals->vpc;
	const struct vd_network *network = vd_view_default_network(locals->view, vpc, family);
	const struct vd_prefix everything = {.address = {.family = family}};
	struct vd_plan_record record;

	if (!network || vd_view_has_route(locals->view, vpc, table, &everything))
		return 0;
	vd_plan_record_init(&record, VD_PLAN_KIND_ROUTE);
	record.route.domain = vpc->head.id;
	record.route.table = table;
	record.route.destination = everything;
	record.route.type = VD_PLAN_ROUTE_TYPE_EXIT;
	record.route.exit = network->head.id;
	record.route.is_default = true;
	return vd_records_add(locals->records, &record);
}

/* What every table has that the VPC's ports may come to use. */
static int add_table(const struct locals *locals, uint32_t table)
{
	struct vd_prefix service = vd_prefix_of_address(&metadata);
	int r = add_local(locals, table, &service);

	if (r == 0)
		r = add_locals(locals, table);
	if (r == 0)
		r = add_default(locals, table, VD_FAMILY_IPV4);
	return r < 0 ? r : add_default(locals, table, VD_FAMILY_IPV6);
}

/* The VPC's own addresses are routed to from a network where it has routes to another router. */
static int add_inward(const struct vd_pair *pair, void *userdata)
{
	const struct locals *locals = userdata;
	const struct vd_network *network = vd_view_network(locals->view, pair->other);
	struct vd_plan_record record;
	struct vd_link link;
	int r = 0;

	if (!network || !vd_view_is_gateway_here(locals->view, pair->project, pair->vpc, network))
		return 0;
	vd_view_link(locals->view, network, &link);
	for (size_t i = 0; i < locals->vpc->cidr_count && r == 0; i++) {
		vd_plan_record_init(&record, VD_PLAN_KIND_INWARD);
		record.inward.network = link.id;
		record.inward.prefix = locals->vpc->cidrs[i];
		record.inward.domain = locals->vpc->head.id;
		r = vd_records_add(locals->records, &record);
	}
	return r;
}

static int add_exits(const struct locals *locals)
{
	const struct vd_vpc *vpc = locals->vpc;
	int r = 0;

	for (size_t i = 0; i < vpc->network_count && r == 0; i++) {
		const struct vd_network *network = vd_view_network(locals->view, vpc->networks[i].network);
		struct vd_plan_record record;

		if (!network)
			continue;
		vd_exit_fill(locals->view, vpc, network, &record);
		record.exit.exit = network->head.id;
		r = vd_records_add(locals->records, &record);
	}
	return r < 0 ? r
		     : vd_view_each_pair_of_vpc(locals->view, VD_RELATION_TYPE_PUBLICS, vpc->head.project, vpc->head.name,
						add_inward, (void *)locals);
}

static int add_named_table(const struct vd_pair *pair, void *userdata)
{
	const struct locals *locals = userdata;
	const struct vd_route_table *table = vd_view_route_table(locals->view, pair->project, pair->other);

	return table ? add_table(locals, table->head.id) : 0;
}

static int add_domain(const struct locals *locals, bool is_present)
{
	const struct vd_vpc *vpc = locals->vpc;
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_DOMAIN);
	record.domain.domain = vpc->head.id;
	record.domain.type = is_present ? VD_PLAN_DOMAIN_TYPE_VPC : VD_PLAN_DOMAIN_TYPE_PEER;
	record.domain.vni = vpc->assigned_vni;
	record.domain.mtu = vd_view_mtu(locals->view, vpc);
	if (is_present) {
		set_profile(locals->view, vpc, &record.domain);
		record.domain.service4 = locals->service4;
		record.domain.service6 = locals->service6;
	}
	vd_record_name(record.domain.project, vpc->head.project);
	vd_record_name(record.domain.name, vpc->head.name);
	return vd_records_add(locals->records, &record);
}

int vd_derive_vpc(const struct vd_view *view, const struct vd_unit *unit, struct vd_records *ret)
{
	const struct vd_vpc *vpc = vd_view_vpc(view, unit->project, unit->name);
	struct locals locals = {view, vpc, ret};
	bool is_present;
	int r;

	if (!vpc || !vd_view_is_known(view, unit->project, unit->name))
		return 0;
	is_present = vd_view_is_present(view, unit->project, unit->name);
	if (is_present) {
		const struct vd_host *host = vd_view_host(view, view->host);
		uint32_t id = host ? host->head.id : 0;

		vd_service_find(view, vpc, id, VD_FAMILY_IPV4, &locals.service4);
		vd_service_find(view, vpc, id, VD_FAMILY_IPV6, &locals.service6);
	}
	r = add_domain(&locals, is_present);
	if (r < 0)
		return r;
	if (!is_present)
		return add_locals(&locals, 0);
	r = vd_metadata_add(vpc->head.id, ret);
	if (r == 0)
		r = add_own_service(&locals);
	if (r < 0)
		return r;

	r = add_exits(&locals);
	if (r < 0)
		return r;
	r = add_table(&locals, 0);
	if (r < 0)
		return r;
	return vd_view_each_table_of_vpc(view, vpc, add_named_table, &locals);
}
