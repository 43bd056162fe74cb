/* SPDX-License-Identifier: Apache-2.0 */
#include "model/container.h"
#include "model/next_hop.h"
#include "model/prefixes.h"
#include "model/validation.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

#define OFFSET(member) offsetof(struct vd_vpc, member)

static const struct vd_field fields[] = {
	{"cidrs", "cidr", VD_FIELD_TYPE_PREFIXES, .required = true, .offset = OFFSET(cidrs), .count_offset = OFFSET(cidr_count),
	 .max = 64, .help = "The address space that its subnets are cut from."},
	{"vxlan_pool", .type = VD_FIELD_TYPE_NAME, .offset = OFFSET(vxlan_pool), .value = "default", .is_reference = true,
	 .reference = VD_KIND_VXLAN_POOL, .help = "Where its VNIs come from."},
	{"router_profile", .type = VD_FIELD_TYPE_NAME, .offset = OFFSET(router_profile), .value = "default", .is_reference = true,
	 .reference = VD_KIND_ROUTER_PROFILE, .help = "What its router's processes may use on a host."},
	{"vni", .type = VD_FIELD_TYPE_NUMBER, .offset = OFFSET(vni), .min = 1, .max = VD_VNI_MAX,
	 .help = "The VNI that routed traffic travels in; without it the lowest free one of the pool."},
	{"route_quota", .type = VD_FIELD_TYPE_NUMBER, .offset = OFFSET(route_quota), .min = 1, .max = 1000000, .value = "50",
	 .help = "How many custom routes its tables may hold together."},
	{"networks", "network", VD_FIELD_TYPE_VPC_NETWORKS, .offset = OFFSET(networks), .count_offset = OFFSET(network_count),
	 .max = 16, .is_reference = true, .reference = VD_KIND_NETWORK,
	 .help = "The public or flat networks that its router leads to; the first has the default route. Without it a new VPC "
		 "takes "
		 "its router_profile's, another one keeps what it has; [] detaches all."},
	{"vni", .type = VD_FIELD_TYPE_NUMBER, .is_assigned = true, .offset = OFFSET(assigned_vni), .help = "The VNI that it has."},
};

int vd_vpc_network_read(const json_t *value, struct vd_vpc_network *network, const struct vd_field_reading *reading)
{
	const json_t *address = json_object_get(value, "address");
	const char *name = json_string_value(json_is_object(value) ? json_object_get(value, "network") : value), *key;
	bool is_known = true;
	json_t *item;

	json_object_foreach ((json_t *)value, key, item)
		is_known &= strcmp(key, "network") == 0 || strcmp(key, "address") == 0;
	/* The item is freed with the list, whatever it has. */
	network->network = name ? strdup(name) : NULL;
	if (name && !network->network)
		return -ENOMEM;
	if (is_known && name && vd_name_is_valid(name) &&
	    (!address || (json_is_string(address) && vd_address_parse(json_string_value(address), &network->address) == 0)))
		return 0;
	return vd_error_set(reading->error, -EINVAL, "%s: networks must be %s", reading->object,
			    vd_field_type_text(VD_FIELD_TYPE_VPC_NETWORKS));
}

json_t *vd_vpc_network_write(const struct vd_vpc_network *network)
{
	char text[VD_ADDRESS_TEXT];

	if (network->address.family == VD_FAMILY_NONE)
		return json_string(network->network);
	return json_pack("{s:s, s:s}", "network", network->network, "address", vd_address_format(&network->address, text));
}

bool vd_vpc_network_equal(const struct vd_vpc_network *a, const struct vd_vpc_network *b)
{
	return strcmp(a->network, b->network) == 0 && vd_address_equal(&a->address, &b->address);
}

static int vpc_prepare(struct vd_resource *resource, const json_t *document, const char *object, struct vd_error *error)
{
	struct vd_vpc *vpc = (struct vd_vpc *)resource;

	vpc->networks_given = json_object_get(document, "networks") || json_object_get(document, "network");
	return 0;
}

static int vpc_complete(struct vd_resource *resource, const char *object, struct vd_error *error)
{
	const struct vd_vpc *vpc = (const struct vd_vpc *)resource;

	for (size_t i = 0; i < vpc->network_count; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(vpc->networks[i].network, vpc->networks[j].network) == 0)
				return vd_error_set(error, -EINVAL, "%s: networks names %s twice", object,
						    vpc->networks[i].network);
	return vd_prefixes_validate(vpc->cidrs, vpc->cidr_count, object, error);
}

bool vd_cidrs_equal(const struct vd_prefix *a, size_t a_count, const struct vd_prefix *b, size_t b_count)
{
	bool equal = a_count == b_count;

	for (size_t i = 0; equal && i < a_count; i++)
		equal = vd_prefix_equal(&a[i], &b[i]);
	return equal;
}

/* A document that does not say where the router leads changes nothing about it. */
static int keep_networks(const struct vd_vpc *old, struct vd_vpc *vpc)
{
	if (vpc->networks_given || old->network_count == 0)
		return 0;
	vpc->networks = calloc(old->network_count, sizeof(*vpc->networks));
	if (!vpc->networks)
		return -ENOMEM;
	for (size_t i = 0; i < old->network_count; i++) {
		vpc->networks[i] = old->networks[i];
		vpc->networks[i].network = strdup(old->networks[i].network);
		vpc->network_count++;
		if (!vpc->networks[i].network)
			return -ENOMEM;
	}
	return 0;
}

static int vpc_succeed(const struct vd_resource *before, struct vd_resource *after, const char *object, struct vd_error *error)
{
	const struct vd_vpc *old = (const struct vd_vpc *)before;
	struct vd_vpc *vpc = (struct vd_vpc *)after;
	int r;

	if (strcmp(old->vxlan_pool, vpc->vxlan_pool) != 0)
		return vd_error_set(error, -EINVAL,
				    "%s: its vxlan_pool is %s and cannot become %s while it stands; delete it first", object,
				    old->vxlan_pool, vpc->vxlan_pool);
	vpc->assigned_vni = old->assigned_vni;
	r = keep_networks(old, vpc);
	return r < 0 ? r : vd_vni_succeed(old->assigned_vni, vpc->vni, object, error);
}

static int vpc_claim(struct vd_validation *validation, struct vd_resource *resource, const char *object, struct vd_error *error)
{
	struct vd_vpc *vpc = (struct vd_vpc *)resource;

	if (vd_model_get(validation->model, VD_KIND_ROUTE_TABLE, resource->project, resource->name))
		return vd_error_set(error, -EEXIST,
				    "%s: a route_table is called so, as the VPC's main table would be; choose another name",
				    object);
	for (size_t i = 0; i < vpc->network_count; i++) {
		const struct vd_network *network = (const struct vd_network *)vd_model_get(
			validation->model, VD_KIND_NETWORK, VD_PROJECT_DEFAULT, vpc->networks[i].network);

		if (network->role == VD_NETWORK_ROLE_MANAGEMENT)
			return vd_error_set(
				error, -EINVAL,
				"%s: network %s is a management network, where no router leads; choose a public or flat one",
				object, network->head.name);
	}
	if (vpc->vni != 0)
		vpc->assigned_vni = vpc->vni;
	if (vpc->assigned_vni == 0)
		return 0;
	return vd_vxlan_pool_claim(validation, resource, vpc->vxlan_pool, vpc->assigned_vni, object);
}

static int vpc_assign(struct vd_validation *validation, struct vd_resource *resource, const char *object, struct vd_error *error)
{
	struct vd_vpc *vpc = (struct vd_vpc *)resource;

	if (vpc->assigned_vni != 0)
		return 0;
	return vd_vxlan_pool_allocate(validation, resource, vpc->vxlan_pool, object, &vpc->assigned_vni);
}

/* --- its routes --- */

struct quota {
	struct vd_validation *validation;
	const char *vpc;
	size_t count;
};

static int count_route(const struct vd_resource *resource, void *userdata)
{
	((struct quota *)userdata)->count++;
	return 0;
}

static int count_table(struct quota *quota, const char *project, const char *table)
{
	char name[2 * VD_NAME_SIZE];

	/* A table may be the VPC's own way and that of several of its subnets: counted once. */
	snprintf(name, sizeof(name), "%s/%s", quota->vpc, table);
	if (!vd_validation_once(quota->validation, "quota table", project, name))
		return 0;
	return vd_model_each_referrer(quota->validation->model, VD_KIND_ROUTE, VD_KIND_ROUTE_TABLE, project, table, count_route,
				      quota);
}

static int count_attached(const struct vd_resource *resource, void *userdata)
{
	return count_table(userdata, resource->project, resource->name);
}

static int count_named(const struct vd_resource *resource, void *userdata)
{
	const struct vd_subnet *subnet = (const struct vd_subnet *)resource;

	return subnet->route_table ? count_table(userdata, resource->project, subnet->route_table) : 0;
}

int vd_vpc_check_quota(struct vd_validation *validation, const char *project, const char *name)
{
	const struct vd_vpc *vpc = (const struct vd_vpc *)vd_model_get(validation->model, VD_KIND_VPC, project, name);
	struct quota quota = {.validation = validation, .vpc = name};
	char text[VD_OBJECT_SIZE];

	if (!vpc || !vd_validation_once(validation, "quota", project, name))
		return 0;
	vd_model_each_referrer(validation->model, VD_KIND_ROUTE, VD_KIND_VPC, project, name, count_route, &quota);
	vd_model_each_referrer(validation->model, VD_KIND_ROUTE_TABLE, VD_KIND_VPC, project, name, count_attached, &quota);
	vd_model_each_subnet_of_vpc(validation->model, project, name, count_named, &quota);
	if (quota.count <= vpc->route_quota)
		return 0;
	return vd_error_set(validation->error, -EDQUOT,
			    "%s: %zu routes are more than its route_quota of %u; raise it or delete routes",
			    vd_resource_text(&vpc->head, text), quota.count, vpc->route_quota);
}

/* --- its subnets --- */

struct owned_prefix {
	struct vd_prefix prefix;
	const struct vd_resource *subnet;
};

struct owned_prefixes {
	const struct vd_vpc *vpc;
	struct vd_error *error;
	struct owned_prefix *items;
	size_t count, size;
};

static int collect_subnet(const struct vd_resource *resource, void *userdata)
{
	const struct vd_subnet *subnet = (const struct vd_subnet *)resource;
	struct owned_prefixes *all = userdata;
	int r;

	r = vd_subnet_check_inside(subnet, all->vpc, all->error);
	if (r < 0)
		return r;
	if (all->count + subnet->cidr_count > all->size) {
		size_t size = all->size * 2 + 64;
		struct owned_prefix *items = reallocarray(all->items, size, sizeof(*items));

		if (!items)
			return -ENOMEM;
		all->items = items;
		all->size = size;
	}
	for (size_t i = 0; i < subnet->cidr_count; i++)
		all->items[all->count++] = (struct owned_prefix){.prefix = subnet->cidrs[i], .subnet = resource};
	return 0;
}

static int compare_prefixes(const void *a, const void *b)
{
	const struct owned_prefix *left = a, *right = b;
	int order = vd_address_compare(&left->prefix.address, &right->prefix.address);

	if (order != 0)
		return order;
	if (left->prefix.length != right->prefix.length)
		return left->prefix.length < right->prefix.length ? -1 : 1;
	return strcmp(left->subnet->name, right->subnet->name);
}

int vd_vpc_check_subnets(struct vd_validation *validation, const char *project, const char *name)
{
	const struct vd_vpc *vpc = (const struct vd_vpc *)vd_model_get(validation->model, VD_KIND_VPC, project, name);
	struct owned_prefixes all = {.vpc = vpc, .error = validation->error};
	VD_FREE struct owned_prefix *items = NULL;
	char object[VD_OBJECT_SIZE], other[VD_OBJECT_SIZE], cidr[VD_PREFIX_TEXT], other_cidr[VD_PREFIX_TEXT];
	int r;

	if (!vpc || !vd_validation_once(validation, "subnets", project, name))
		return 0;
	r = vd_model_each_subnet_of_vpc(validation->model, project, name, collect_subnet, &all);
	items = all.items;
	if (r < 0 || all.count == 0)
		return r;
	/* In this order a prefix that overlaps any stands next to one that it overlaps. */
	qsort(items, all.count, sizeof(*items), compare_prefixes);
	for (size_t i = 1; i < all.count; i++)
		if (vd_prefix_overlaps(&items[i - 1].prefix, &items[i].prefix))
			return vd_error_set(
				validation->error, -EEXIST, "%s: CIDR %s overlaps %s of %s in the same VPC; choose another",
				vd_resource_text(items[i].subnet, object), vd_prefix_format(&items[i].prefix, cidr),
				vd_prefix_format(&items[i - 1].prefix, other_cidr), vd_resource_text(items[i - 1].subnet, other));
	return 0;
}

static int check_port_instance(const struct vd_resource *resource, void *userdata)
{
	const struct vd_port *port = (const struct vd_port *)resource;

	return port->instance ? vd_instance_check(userdata, resource->project, port->instance) : 0;
}

static int check_subnet_instances(const struct vd_resource *resource, void *userdata)
{
	const struct vd_validation *validation = userdata;

	return vd_model_each_port_of_subnet(validation->model, resource->project, resource->name, check_port_instance, userdata);
}

static int vpc_check(struct vd_validation *validation, const struct vd_resource *before, const struct vd_resource *after,
		     const char *object, struct vd_error *error)
{
	const struct vd_vpc *old = (const struct vd_vpc *)before, *vpc = (const struct vd_vpc *)after;
	int r;

	if (!old)
		return 0;
	if (vpc->route_quota < old->route_quota) {
		r = vd_vpc_check_quota(validation, after->project, after->name);
		if (r < 0)
			return r;
	}
	r = vd_vpc_check_public_routes(validation, after->project, after->name);
	if (r < 0)
		return r;
	if (vd_cidrs_equal(vpc->cidrs, vpc->cidr_count, old->cidrs, old->cidr_count))
		return 0;
	r = vd_space_check_vpc_and_peers(validation, after->project, after->name, object);
	if (r < 0)
		return r;
	r = vd_vpc_check_subnets(validation, after->project, after->name);
	if (r < 0)
		return r;
	return vd_model_each_subnet_of_vpc(validation->model, after->project, after->name, check_subnet_instances, validation);
}

const struct vd_kind_type vd_kind_type_vpc = {
	.word = "vpc",
	.plural = "vpcs",
	.help = "An isolated network with its own address space and one router, present on every host that has a port of it.",
	.size = sizeof(struct vd_vpc),
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
	.prepare = vpc_prepare,
	.complete = vpc_complete,
	.succeed = vpc_succeed,
	.claim = vpc_claim,
	.assign = vpc_assign,
	.check = vpc_check,
};
