/* SPDX-License-Identifier: Apache-2.0 */
#include "model/next_hop.h"

#include <errno.h>
#include <string.h>

#define OFFSET(member) offsetof(struct vd_policy_route, member)
/* As many as the data plane looks at (VD_POLICY_ROUTES). */
#define POLICY_ROUTES_MAX 64

static const char *const protocols[] = {"all", "tcp", "udp", "icmp", NULL};

static bool is_main(const struct vd_resource *resource)
{
	return ((const struct vd_policy_route *)resource)->table_is_vpc;
}

static bool is_named(const struct vd_resource *resource)
{
	return !is_main(resource);
}

static bool has_next_hop(const struct vd_resource *resource)
{
	return ((const struct vd_policy_route *)resource)->action == VD_POLICY_ACTION_NEXT_HOP;
}

static bool has_mark(const struct vd_resource *resource)
{
	return ((const struct vd_policy_route *)resource)->action == VD_POLICY_ACTION_SET_MARK;
}

static bool has_table(const struct vd_resource *resource)
{
	return ((const struct vd_policy_route *)resource)->action == VD_POLICY_ACTION_LOOKUP_TABLE;
}

static const char *const actions[] = {"next_hop", "set_mark", "lookup_table", NULL};

static const struct vd_field fields[] = {
	{.type = VD_FIELD_TYPE_BOOL, .offset = OFFSET(table_is_vpc)},
	{.type = VD_FIELD_TYPE_WORD, .offset = OFFSET(action), .words = actions},
	{"vpc", .type = VD_FIELD_TYPE_NAME, .offset = OFFSET(table), .applies = is_main, .is_reference = true,
	 .reference = VD_KIND_VPC, .help = "The VPC in whose main table it stands; either this or table."},
	{"table", .type = VD_FIELD_TYPE_NAME, .offset = OFFSET(table), .applies = is_named, .is_reference = true,
	 .reference = VD_KIND_ROUTE_TABLE, .help = "The route_table in which it stands; \"main\" may be said beside vpc."},
	{"priority", .type = VD_FIELD_TYPE_NUMBER, .required = true, .offset = OFFSET(priority), .min = 1, .max = 32767,
	 .help = "Its place in the table, where no other has it; the lowest is asked first."},
	{"protocol", .type = VD_FIELD_TYPE_WORD, .offset = OFFSET(protocol), .words = protocols, .value = "all",
	 .help = "Of the packets that it is for."},
	{"source", .type = VD_FIELD_TYPE_PREFIX, .offset = OFFSET(source),
	 .help = "From where they come; without it from anywhere."},
	{"destination", .type = VD_FIELD_TYPE_PREFIX, .offset = OFFSET(destination), .help = "Where they go; without it anywhere."},
	{"source_ports", .type = VD_FIELD_TYPE_PORTS, .offset = OFFSET(source_port_first),
	 .help = "Of tcp and udp: their source port or a range of it."},
	{"destination_ports", .type = VD_FIELD_TYPE_PORTS, .offset = OFFSET(destination_port_first),
	 .help = "Of tcp and udp: their destination port or a range of it."},
	{"mark", .type = VD_FIELD_TYPE_NUMBER, .offset = OFFSET(mark), .min = 1, .max = UINT32_MAX,
	 .help = "The mark that a policy route before this one set on them; without it any or none."},
	{"next_hop", .type = VD_FIELD_TYPE_NEXT_HOP, .offset = OFFSET(next_hop), .applies = has_next_hop,
	 .help = "Where they go, as a route's; one of this, set_mark and lookup_table."},
	{NULL, "next_hop", VD_FIELD_TYPE_NAME, .offset = OFFSET(next_hop.vip), .is_reference = true,
	 .reference = VD_KIND_VIRTUAL_IP},
	{NULL, "next_hop", VD_FIELD_TYPE_NAME, .offset = OFFSET(next_hop.peering), .is_reference = true,
	 .reference = VD_KIND_PEERING},
	{"set_mark", .type = VD_FIELD_TYPE_NUMBER, .offset = OFFSET(set_mark), .applies = has_mark, .min = 1, .max = UINT32_MAX,
	 .help = "Marks them for the policy routes behind this one."},
	{"lookup_table", .type = VD_FIELD_TYPE_NAME, .offset = OFFSET(lookup_table), .applies = has_table, .is_reference = true,
	 .reference = VD_KIND_ROUTE_TABLE, .help = "The route_table that decides about them."},
};

static int policy_prepare(struct vd_resource *resource, const json_t *document, const char *object, struct vd_error *error)
{
	struct vd_policy_route *route = (struct vd_policy_route *)resource;
	int r;

	r = vd_route_prepare_table(document, object, &route->table_is_vpc, error);
	for (int i = 0; r == 0 && actions[i]; i++) {
		if (!json_object_get(document, actions[i]))
			continue;
		if (route->action != 0)
			return vd_error_set(error, -EINVAL, "%s: it has %s and %s; leave one out", object,
					    actions[route->action - 1], actions[i]);
		route->action = (enum vd_policy_action)(i + 1);
	}
	if (r == 0 && route->action == 0)
		return vd_error_set(error, -EINVAL, "%s: it does nothing; give it a next_hop, a set_mark or a lookup_table",
				    object);
	return r;
}

static int check_fields(const struct vd_policy_route *route, const char *object, struct vd_error *error)
{
	const struct vd_prefix *source = &route->source, *destination = &route->destination;
	bool ports = route->source_port_first != 0 || route->destination_port_first != 0;
	int r;

	if (source->address.family != VD_FAMILY_NONE && destination->address.family != VD_FAMILY_NONE &&
	    source->address.family != destination->address.family)
		return vd_error_set(error, -EINVAL, "%s: its source is of IPv%u and its destination of IPv%u; give both one family",
				    object, source->address.family, destination->address.family);
	if (ports && route->protocol != VD_RULE_PROTOCOL_TCP && route->protocol != VD_RULE_PROTOCOL_UDP)
		return vd_error_set(error, -EINVAL, "%s: it has ports beside protocol %s; make the protocol tcp or udp", object,
				    protocols[route->protocol - 1]);
	if (route->action != VD_POLICY_ACTION_NEXT_HOP)
		return 0;
	r = vd_next_hop_check_family(&route->next_hop, destination, "destination", object, error);
	return r < 0 ? r : vd_next_hop_check_family(&route->next_hop, source, "source", object, error);
}

static int policy_complete(struct vd_resource *resource, const char *object, struct vd_error *error)
{
	const struct vd_policy_route *route = (const struct vd_policy_route *)resource;
	char name[VD_IDENTITY_SIZE];

	snprintf(name, sizeof(name), "%s/%u", route->table, route->priority);
	free(resource->name);
	resource->name = strdup(name);
	return resource->name ? check_fields(route, object, error) : -ENOMEM;
}

static int count_route(const struct vd_resource *resource, void *userdata)
{
	(*(size_t *)userdata)++;
	return 0;
}

static int policy_check(struct vd_validation *validation, const struct vd_resource *before, const struct vd_resource *after,
			const char *object, struct vd_error *error)
{
	const struct vd_policy_route *route = (const struct vd_policy_route *)after;
	size_t count = 0;
	int r;

	if (vd_validation_once(validation, "policy routes", after->project, route->table))
		vd_model_each_policy_route_of_table(validation->model, after->project, route->table, count_route, &count);
	if (count > POLICY_ROUTES_MAX)
		return vd_error_set(error, -EDQUOT, "%s: table %s would have %zu policy routes, and at most %d fit; delete some",
				    object, route->table, count, POLICY_ROUTES_MAX);
	r = vd_next_hop_check(validation, after);
	if (r == 0)
		r = vd_public_route_check(validation, after);
	/* What is in the table that it looks up leads somewhere for those VPCs too. */
	return r < 0 || !route->lookup_table ? r : vd_table_check_hops(validation, after->project, route->lookup_table);
}

const struct vd_kind_type vd_kind_type_policy_route = {
	.word = "policy_route",
	.plural = "policy_routes",
	.naming = VD_NAMING_DERIVED,
	.help = "Decides about packets by more than their destination, before the routes of its table.",
	.size = sizeof(struct vd_policy_route),
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
	.prepare = policy_prepare,
	.complete = policy_complete,
	.check = policy_check,
};
