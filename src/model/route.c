/* SPDX-License-Identifier: Apache-2.0 */
#include "model/prefixes.h"
#include "model/validation.h"

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
	 .help = "Where packets go: {address: …}, of a port in the VPC; {vip: …}, of a subnet in it; on a network {public: …}, "
		 "another "
		 "router's address, untranslated, or {gateway: …}; or {blackhole: true}."},
	{NULL, "next_hop", VD_FIELD_TYPE_NAME, .offset = OFFSET(next_hop.vip), .is_reference = true,
	 .reference = VD_KIND_VIRTUAL_IP},
};

#define NEXT_HOPS "{address: ADDRESS}, {vip: NAME}, {public: ADDRESS}, {gateway: ADDRESS} or {blackhole: true}"

static const struct {
	const char *key;
	enum vd_next_hop_type type;
} next_hops[] = {
	{"address", VD_NEXT_HOP_TYPE_ADDRESS}, {"blackhole", VD_NEXT_HOP_TYPE_BLACKHOLE}, {"vip", VD_NEXT_HOP_TYPE_VIP},
	{"public", VD_NEXT_HOP_TYPE_PUBLIC},   {"gateway", VD_NEXT_HOP_TYPE_GATEWAY},
};

/* Its one key says what it is; false when the value does not suit it. */
static bool read_next_hop(const char *key, const json_t *value, struct vd_next_hop *hop, const char **ret_vip)
{
	const char *text = json_string_value(value);

	for (size_t i = 0; i < sizeof(next_hops) / sizeof(next_hops[0]); i++)
		if (strcmp(key, next_hops[i].key) == 0)
			hop->type = next_hops[i].type;
	switch (hop->type) {
	case VD_NEXT_HOP_TYPE_ADDRESS:
	case VD_NEXT_HOP_TYPE_PUBLIC:
	case VD_NEXT_HOP_TYPE_GATEWAY:
		return text && vd_address_parse(text, &hop->address) == 0;
	case VD_NEXT_HOP_TYPE_BLACKHOLE:
		return json_is_true(value);
	case VD_NEXT_HOP_TYPE_VIP:
		*ret_vip = text;
		return text && vd_name_is_valid(text);
	}
	return false;
}

int vd_next_hop_read(const json_t *value, struct vd_next_hop *hop, const struct vd_field_reading *reading)
{
	static const char *const later[] = {"peering", "vpn"};
	struct vd_next_hop parsed = {};
	const char *key, *vip = NULL;
	json_t *item;

	for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++)
		if (json_object_get(value, later[i]))
			return vd_error_set(reading->error, -EINVAL, "%s: next_hop: %s is not supported yet; write " NEXT_HOPS,
					    reading->object, later[i]);
	json_object_foreach ((json_t *)value, key, item)
		if (parsed.type != 0 || !read_next_hop(key, item, &parsed, &vip))
			return vd_error_set(reading->error, -EINVAL, "%s: next_hop must be one of " NEXT_HOPS "; look at \"%.40s\"",
					    reading->object, key);
	if (parsed.type == 0)
		return vd_error_set(reading->error, -EINVAL, "%s: next_hop must be one of " NEXT_HOPS, reading->object);
	parsed.vip = vip ? strdup(vip) : NULL;
	if (vip && !parsed.vip)
		return -ENOMEM;
	free(hop->vip);
	*hop = parsed;
	return 0;
}

json_t *vd_next_hop_write(const struct vd_next_hop *hop)
{
	char text[VD_ADDRESS_TEXT];

	switch (hop->type) {
	case VD_NEXT_HOP_TYPE_ADDRESS:
		return json_pack("{s:s}", "address", vd_address_format(&hop->address, text));
	case VD_NEXT_HOP_TYPE_BLACKHOLE:
		return json_pack("{s:b}", "blackhole", 1);
	case VD_NEXT_HOP_TYPE_VIP:
		return json_pack("{s:s}", "vip", hop->vip);
	case VD_NEXT_HOP_TYPE_PUBLIC:
		return json_pack("{s:s}", "public", vd_address_format(&hop->address, text));
	case VD_NEXT_HOP_TYPE_GATEWAY:
		return json_pack("{s:s}", "gateway", vd_address_format(&hop->address, text));
	}
	return NULL;
}

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
	if (route->next_hop.address.family != VD_FAMILY_NONE && route->next_hop.address.family != route->destination.address.family)
		return vd_error_set(error, -EINVAL, "%s: next hop %s is not of the destination's family; give one of IPv%u", object,
				    vd_address_format(&route->next_hop.address, text), route->destination.address.family);
	return 0;
}

static int route_claim(struct vd_validation *validation, struct vd_resource *resource, const char *object, struct vd_error *error)
{
	const struct vd_route *route = (const struct vd_route *)resource;
	char text[VD_PREFIX_TEXT];

	if (route->next_hop.type != VD_NEXT_HOP_TYPE_ADDRESS || route->destination.length == 0 ||
	    vd_prefix_is_private(&route->destination))
		return 0;
	return vd_error_set(error, -EINVAL, "%s: %s is public; to reach the Internet through an instance the destination is %s",
			    object, vd_prefix_format(&route->destination, text),
			    route->destination.address.family == VD_FAMILY_IPV4 ? "0.0.0.0/0" : "::/0");
}

/* --- the VPCs that use its table --- */

struct search {
	const struct vd_model *model;
	const struct vd_address *address;
	size_t vpcs; /* how many were looked at */
};

/* 1 when a port of the VPC has the address. */
static int search_vpc(struct search *search, const char *project, const char *vpc)
{
	search->vpcs++;
	return vd_model_port_by_address(search->model, project, vpc, search->address) ? 1 : 0;
}

static int search_subnet(const struct vd_resource *resource, void *userdata)
{
	return search_vpc(userdata, resource->project, ((const struct vd_subnet *)resource)->vpc);
}

int vd_route_check_next_hop(struct vd_validation *validation, const struct vd_route *route)
{
	const char *project = route->head.project;
	struct search search = {.model = validation->model, .address = &route->next_hop.address};
	const struct vd_route_table *table;
	char object[VD_OBJECT_SIZE], text[VD_ADDRESS_TEXT];
	int found = 0;

	if (route->next_hop.type != VD_NEXT_HOP_TYPE_ADDRESS)
		return 0;
	if (route->table_is_vpc) {
		found = search_vpc(&search, project, route->table);
	} else {
		table = (const struct vd_route_table *)vd_model_get(validation->model, VD_KIND_ROUTE_TABLE, project, route->table);
		for (size_t i = 0; table && found == 0 && i < table->vpc_count; i++)
			found = search_vpc(&search, project, table->vpcs[i]);
		if (found == 0)
			found = vd_model_each_referrer(validation->model, VD_KIND_SUBNET, VD_KIND_ROUTE_TABLE, project,
						       route->table, search_subnet, &search);
	}
	/* A table that nobody uses yet is looked at again when somebody does. */
	if (found != 0 || search.vpcs == 0)
		return 0;
	return vd_error_set(validation->error, -EINVAL,
			    "%s: next hop %s is no address of a port in %s %s; choose one or apply its port",
			    vd_resource_text(&route->head, object), vd_address_format(&route->next_hop.address, text),
			    route->table_is_vpc ? "VPC" : "any VPC of route_table", route->table);
}

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

	return r < 0 ? r : vd_route_check_next_hop(validation, route);
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
	.claim = route_claim,
	.check = route_check,
};
