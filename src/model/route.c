/* SPDX-License-Identifier: Apache-2.0 */
#include "model/next_hop.h"

#include <errno.h>
#include <string.h>

#define OFFSET(member) offsetof(struct vd_route, member)

static bool is_main(const struct vd_resource *resource)
{
	return ((const struct vd_route *)resource)->table_is_vpc;
}

static bool is_named(const struct vd_resource *resource)
{
	return !is_main(resource);
}

static const struct vd_field fields[] = {
	{.type = VD_FIELD_TYPE_BOOL, .offset = OFFSET(table_is_vpc)},
	{"vpc", .type = VD_FIELD_TYPE_NAME, .offset = OFFSET(table), .applies = is_main, .is_reference = true,
	 .reference = VD_KIND_VPC, .help = "The VPC in whose main table it stands; either this or table."},
	{"table", .type = VD_FIELD_TYPE_NAME, .offset = OFFSET(table), .applies = is_named, .is_reference = true,
	 .reference = VD_KIND_ROUTE_TABLE, .help = "The route_table in which it stands; \"main\" may be said beside vpc."},
	{"destination", .type = VD_FIELD_TYPE_PREFIX, .offset = OFFSET(destination), .value = "0.0.0.0/0",
	 .help = "The CIDR that it leads to, unique in its table."},
	{"next_hop", .type = VD_FIELD_TYPE_NEXT_HOP, .required = true, .offset = OFFSET(next_hop),
	 .help = "Where packets go: {address: …}, of a port in the VPC; {vip: …}, of a subnet in it; {peering: …}, to the VPC "
		 "on its other side; on a network {public: …}, another router's address, untranslated, or {gateway: …}; or "
		 "{blackhole: true}."},
	{NULL, "next_hop", VD_FIELD_TYPE_NAME, .offset = OFFSET(next_hop.vip), .is_reference = true,
	 .reference = VD_KIND_VIRTUAL_IP},
	{NULL, "next_hop", VD_FIELD_TYPE_NAME, .offset = OFFSET(next_hop.peering), .is_reference = true,
	 .reference = VD_KIND_PEERING},
};

int vd_route_prepare_table(const json_t *document, const char *object, bool *ret_is_vpc, struct vd_error *error)
{
	const json_t *vpc = json_object_get(document, "vpc"), *table = json_object_get(document, "table");
	const char *name = json_string_value(table);

	if (!vpc && !table)
		return vd_error_set(error, -EINVAL,
				    "%s: it stands in no table; name one with vpc: (its main table) or table:", object);
	if (!vpc && name && strcmp(name, "main") == 0)
		return vd_error_set(error, -EINVAL, "%s: table: main needs vpc: beside it, to say whose", object);
	if (vpc && table && (!name || strcmp(name, "main") != 0))
		return vd_error_set(
			error, -EINVAL,
			"%s: it names a vpc (for its main table) and a table; leave one out, a table says itself which VPCs use it",
			object);
	*ret_is_vpc = vpc != NULL;
	return 0;
}

static int route_prepare(struct vd_resource *resource, const json_t *document, const char *object, struct vd_error *error)
{
	return vd_route_prepare_table(document, object, &((struct vd_route *)resource)->table_is_vpc, error);
}

static int route_complete(struct vd_resource *resource, const char *object, struct vd_error *error)
{
	struct vd_route *route = (struct vd_route *)resource;
	char text[VD_PREFIX_TEXT], name[VD_IDENTITY_SIZE];

	snprintf(name, sizeof(name), "%s/%s", route->table, vd_prefix_format(&route->destination, text));
	free(resource->name);
	resource->name = strdup(name);
	if (!resource->name)
		return -ENOMEM;
	return vd_next_hop_check_family(&route->next_hop, &route->destination, "destination", object, error);
}

/* --- the VPCs that use its table --- */

struct duplicate {
	struct vd_validation *validation;
	const struct vd_route *route;
	const char *vpc;
};

static int check_table(const struct duplicate *duplicate, const char *table)
{
	const struct vd_route *route = duplicate->route;
	char name[VD_IDENTITY_SIZE], text[VD_PREFIX_TEXT], object[VD_OBJECT_SIZE];

	if (strcmp(table, route->table) == 0)
		return 0;
	snprintf(name, sizeof(name), "%s/%s", table, vd_prefix_format(&route->destination, text));
	if (!vd_model_get(duplicate->validation->model, VD_KIND_ROUTE, route->head.project, name))
		return 0;
	return vd_error_set(duplicate->validation->error, -EEXIST,
			    "%s: table %s has a route to %s too, and VPC %s uses both; leave one out",
			    vd_resource_text(&route->head, object), table, text, duplicate->vpc);
}

static int check_attached(const struct vd_resource *resource, void *userdata)
{
	return check_table(userdata, resource->name);
}

static int check_vpc(struct vd_validation *validation, const struct vd_route *route, const char *vpc)
{
	struct duplicate duplicate = {.validation = validation, .route = route, .vpc = vpc};
	int r;

	r = vd_vpc_check_quota(validation, route->head.project, vpc);
	if (r == 0)
		r = check_table(&duplicate, vpc);
	if (r < 0)
		return r;
	return vd_model_each_referrer(validation->model, VD_KIND_ROUTE_TABLE, VD_KIND_VPC, route->head.project, vpc, check_attached,
				      &duplicate);
}

static int check_quota_of_subnet(const struct vd_resource *resource, void *userdata)
{
	return vd_vpc_check_quota(userdata, resource->project, ((const struct vd_subnet *)resource)->vpc);
}

static int check_users(struct vd_validation *validation, const struct vd_route *route)
{
	const char *project = route->head.project;
	const struct vd_route_table *table;
	int r = 0;

	if (route->table_is_vpc)
		return check_vpc(validation, route, route->table);
	table = (const struct vd_route_table *)vd_model_get(validation->model, VD_KIND_ROUTE_TABLE, project, route->table);
	for (size_t i = 0; table && r == 0 && i < table->vpc_count; i++)
		r = check_vpc(validation, route, table->vpcs[i]);
	if (r < 0 || !vd_validation_once(validation, "quota of subnets", project, route->table))
		return r;
	return vd_model_each_referrer(validation->model, VD_KIND_SUBNET, VD_KIND_ROUTE_TABLE, project, route->table,
				      check_quota_of_subnet, validation);
}

int vd_route_check(struct vd_validation *validation, const struct vd_route *route)
{
	int r = check_users(validation, route);

	if (r == 0)
		r = vd_next_hop_check(validation, &route->head);
	return r < 0 ? r : vd_public_route_check(validation, &route->head);
}

static int route_check(struct vd_validation *validation, const struct vd_resource *before, const struct vd_resource *after,
		       const char *object, struct vd_error *error)
{
	return vd_route_check(validation, (const struct vd_route *)after);
}

const struct vd_kind_type vd_kind_type_route = {
	.word = "route",
	.plural = "routes",
	.naming = VD_NAMING_DERIVED,
	.help = "A way to addresses outside the VPC: a destination and where its packets go next.",
	.size = sizeof(struct vd_route),
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
	.prepare = route_prepare,
	.complete = route_complete,
	.check = route_check,
};
