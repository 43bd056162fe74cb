/* SPDX-License-Identifier: Apache-2.0 */
#include "model/next_hop.h"

#include "model/binding.h"
#include "model/prefixes.h"

#include <errno.h>
#include <string.h>

#define NEXT_HOPS "{address: ADDRESS}, {vip: NAME}, {peering: NAME}, {public: ADDRESS}, {gateway: ADDRESS} or {blackhole: true}"

static const struct {
	const char *key;
	enum vd_next_hop_type type;
} next_hops[] = {
	{"address", VD_NEXT_HOP_TYPE_ADDRESS}, {"blackhole", VD_NEXT_HOP_TYPE_BLACKHOLE}, {"vip", VD_NEXT_HOP_TYPE_VIP},
	{"public", VD_NEXT_HOP_TYPE_PUBLIC},   {"gateway", VD_NEXT_HOP_TYPE_GATEWAY},     {"peering", VD_NEXT_HOP_TYPE_PEERING},
};

/* Its one key says what it is; false when the value does not suit it. */
static bool read_next_hop(const char *key, const json_t *value, struct vd_next_hop *hop, const char **ret_name)
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
	case VD_NEXT_HOP_TYPE_PEERING:
		*ret_name = text;
		return text && vd_name_is_valid(text);
	}
	return false;
}

int vd_next_hop_read(const json_t *value, struct vd_next_hop *hop, const struct vd_field_reading *reading)
{
	static const char *const later[] = {"vpn"};
	struct vd_next_hop parsed = {};
	const char *key, *name = NULL;
	char *copy;
	json_t *item;

	for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++)
		if (json_object_get(value, later[i]))
			return vd_error_set(reading->error, -EINVAL, "%s: next_hop: %s is not supported yet; write " NEXT_HOPS,
					    reading->object, later[i]);
	json_object_foreach ((json_t *)value, key, item)
		if (parsed.type != 0 || !read_next_hop(key, item, &parsed, &name))
			return vd_error_set(reading->error, -EINVAL, "%s: next_hop must be one of " NEXT_HOPS "; look at \"%.40s\"",
					    reading->object, key);
	if (parsed.type == 0)
		return vd_error_set(reading->error, -EINVAL, "%s: next_hop must be one of " NEXT_HOPS, reading->object);
	copy = name ? strdup(name) : NULL;
	if (name && !copy)
		return -ENOMEM;
	*(parsed.type == VD_NEXT_HOP_TYPE_VIP ? &parsed.vip : &parsed.peering) = copy;
	free(hop->vip);
	free(hop->peering);
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
	case VD_NEXT_HOP_TYPE_PEERING:
		return json_pack("{s:s}", "peering", hop->peering);
	case VD_NEXT_HOP_TYPE_PUBLIC:
		return json_pack("{s:s}", "public", vd_address_format(&hop->address, text));
	case VD_NEXT_HOP_TYPE_GATEWAY:
		return json_pack("{s:s}", "gateway", vd_address_format(&hop->address, text));
	}
	return NULL;
}

int vd_next_hop_check_family(const struct vd_next_hop *hop, const struct vd_prefix *prefix, const char *what, const char *object,
			     struct vd_error *error)
{
	char text[VD_ADDRESS_TEXT];

	if (hop->address.family == VD_FAMILY_NONE || prefix->address.family == VD_FAMILY_NONE ||
	    hop->address.family == prefix->address.family)
		return 0;
	return vd_error_set(error, -EINVAL, "%s: next hop %s is not of the %s's family; give one of IPv%u", object,
			    vd_address_format(&hop->address, text), what, prefix->address.family);
}

/* --- where it leads in the VPCs that use its table --- */

struct search {
	const struct vd_model *model;
	const struct vd_next_hop *hop;
	unsigned family; /* of what it is for; none: either */
	size_t vpcs;     /* how many were looked at */
	bool is_own;     /* in one of them it is the router itself */
	const struct vd_port *port;
};

static const struct vd_virtual_ip *hop_vip(const struct vd_model *model, const char *project, const struct vd_next_hop *hop)
{
	return (const struct vd_virtual_ip *)vd_model_get(model, VD_KIND_VIRTUAL_IP, project, hop->vip);
}

static bool search_vip(struct search *search, const char *project, const char *vpc)
{
	const struct vd_virtual_ip *vip = hop_vip(search->model, project, search->hop);
	const struct vd_subnet *subnet =
		vip && vip->subnet ? (const struct vd_subnet *)vd_model_get(search->model, VD_KIND_SUBNET, project, vip->subnet)
				   : NULL;

	if (!subnet || strcmp(subnet->vpc, vpc) != 0 || !vd_virtual_ip_has_family(vip, search->family))
		return false;
	if (vip->port)
		search->port = (const struct vd_port *)vd_model_get(search->model, VD_KIND_PORT, project, vip->port);
	return true;
}

static bool search_network(struct search *search, const char *project, const char *name)
{
	const struct vd_vpc *vpc = (const struct vd_vpc *)vd_model_get(search->model, VD_KIND_VPC, project, name);
	const struct vd_address *address = &search->hop->address;

	for (size_t i = 0; vpc && i < vpc->network_count; i++) {
		const char *network = vpc->networks[i].network;
		const struct vd_virtual_ip *vip;

		if (!vd_network_contains(search->model, network, address))
			continue;
		vip = vd_model_vip_by_network_address(search->model, network, address);
		if (!vip || !vip->vpc || strcmp(vip->vpc, name) != 0 || strcmp(vip->head.project, project) != 0)
			return true;
		search->is_own = true;
	}
	return false;
}

/* Is the VPC one of the two? */
static bool search_peering(const struct search *search, const char *project, const char *vpc)
{
	const struct vd_peering *peering =
		(const struct vd_peering *)vd_model_get(search->model, VD_KIND_PEERING, project, search->hop->peering);

	return peering && (strcmp(peering->vpc, vpc) == 0 || strcmp(peering->peer, vpc) == 0);
}

/* 1 when it leads somewhere in this VPC. */
static int search_vpc(const char *project, const char *vpc, void *userdata)
{
	struct search *search = userdata;

	search->vpcs++;
	switch (search->hop->type) {
	case VD_NEXT_HOP_TYPE_ADDRESS:
		search->port = vd_model_port_by_address(search->model, project, vpc, &search->hop->address);
		return search->port ? 1 : 0;
	case VD_NEXT_HOP_TYPE_BLACKHOLE:
		return 1;
	case VD_NEXT_HOP_TYPE_VIP:
		return search_vip(search, project, vpc) ? 1 : 0;
	case VD_NEXT_HOP_TYPE_PEERING:
		return search_peering(search, project, vpc) ? 1 : 0;
	case VD_NEXT_HOP_TYPE_PUBLIC:
	case VD_NEXT_HOP_TYPE_GATEWAY:
		return search_network(search, project, vpc) ? 1 : 0;
	}
	return 0;
}

static int refuse_vip(struct vd_validation *validation, const struct vd_resource *resource, const struct search *search,
		      const char *users)
{
	const struct vd_virtual_ip *vip = hop_vip(search->model, resource->project, search->hop);
	char object[VD_OBJECT_SIZE];

	vd_resource_text(resource, object);
	if (vip && !vip->subnet)
		return vd_error_set(validation->error, -EINVAL,
				    "%s: virtual_ip %s is of network %s; a next hop is one of a subnet in the same VPC", object,
				    search->hop->vip, vip->network);
	if (vip && !vd_virtual_ip_has_family(vip, search->family))
		return vd_error_set(validation->error, -EINVAL, "%s: virtual_ip %s has no IPv%u address; choose one that has",
				    object, search->hop->vip, search->family);
	return vd_error_set(validation->error, -EINVAL, "%s: virtual_ip %s is of no subnet of %s; choose one that is", object,
			    search->hop->vip, users);
}

static int refuse(struct vd_validation *validation, const struct vd_resource *resource, const struct search *search,
		  const struct vd_table_of *table)
{
	char object[VD_OBJECT_SIZE], text[VD_ADDRESS_TEXT], users[VD_NAME_SIZE + 32];

	snprintf(users, sizeof(users), "%s %s", table->is_vpc ? "VPC" : "any VPC of route_table", table->name);
	vd_resource_text(resource, object);
	vd_address_format(&search->hop->address, text);
	if (search->hop->type == VD_NEXT_HOP_TYPE_VIP)
		return refuse_vip(validation, resource, search, users);
	if (search->hop->type == VD_NEXT_HOP_TYPE_PEERING)
		return vd_error_set(validation->error, -EINVAL, "%s: peering %s is none of %s; choose one that is", object,
				    search->hop->peering, users);
	if (search->is_own)
		return vd_error_set(validation->error, -EINVAL, "%s: next hop %s is the router's own address; give another's",
				    object, text);
	if (search->hop->type == VD_NEXT_HOP_TYPE_ADDRESS)
		return vd_error_set(validation->error, -EINVAL,
				    "%s: next hop %s is no address of a port in %s; choose one or apply its port", object, text,
				    users);
	return vd_error_set(validation->error, -EINVAL,
			    "%s: next hop %s lies on no network of %s; attach the VPC to its network, or choose another", object,
			    text, users);
}

/* What is declared to stand behind a port: blocks of its own, and of the nodes that it is the port of. */
struct behind {
	const struct vd_model *model;
	const struct vd_prefix *destination;
	const char *project;
};

static int covers_destination(const struct vd_resource *resource, void *userdata)
{
	const struct vd_container_block *block = (const struct vd_container_block *)resource;
	const struct behind *behind = userdata;

	return strcmp(resource->project, behind->project) == 0 && vd_prefix_covers(&block->cidr, behind->destination);
}

static int node_covers_destination(const struct vd_resource *node, void *userdata)
{
	const struct behind *behind = userdata;

	return vd_model_each_block_of_host(behind->model, node->name, covers_destination, userdata);
}

static bool is_behind(const struct vd_model *model, const struct vd_port *port, const struct vd_prefix *destination)
{
	struct behind behind = {model, destination, port->head.project};

	return vd_prefixes_cover(port->allowed_sources, port->allowed_source_count, destination) ||
	       vd_model_each_block_of_port(model, port->head.project, port->head.name, covers_destination, &behind) ||
	       vd_model_each_node_of_port(model, port->head.project, port->head.name, node_covers_destination, &behind);
}

/* Through an instance the Internet is reached as a whole. What its port may send from is what stands behind it. */
static int check_destination(struct vd_validation *validation, const struct vd_route *route, const struct vd_port *port)
{
	const struct vd_prefix *destination = &route->destination;
	char object[VD_OBJECT_SIZE], text[VD_PREFIX_TEXT];

	if ((route->next_hop.type != VD_NEXT_HOP_TYPE_ADDRESS && route->next_hop.type != VD_NEXT_HOP_TYPE_VIP) ||
	    destination->length == 0 || vd_prefix_is_private(destination) ||
	    (port && is_behind(validation->model, port, destination)))
		return 0;
	return vd_error_set(
		validation->error, -EINVAL,
		"%s: %s is public; to reach the Internet through an instance the destination is %s, and a block of its own stands "
		"in its port's allowed_sources",
		vd_resource_text(&route->head, object), vd_prefix_format(destination, text),
		destination->address.family == VD_FAMILY_IPV4 ? "0.0.0.0/0" : "::/0");
}

static unsigned family_of(const struct vd_resource *resource)
{
	const struct vd_policy_route *policy = (const struct vd_policy_route *)resource;

	if (resource->kind == VD_KIND_ROUTE)
		return ((const struct vd_route *)resource)->destination.address.family;
	return policy->destination.address.family != VD_FAMILY_NONE ? policy->destination.address.family
								    : policy->source.address.family;
}

int vd_next_hop_check(struct vd_validation *validation, const struct vd_resource *resource)
{
	struct vd_table_of table = vd_table_of(resource);
	struct search search = {.model = validation->model, .hop = vd_next_hop_of(resource), .family = family_of(resource)};
	bool found;

	if (!search.hop || search.hop->type == VD_NEXT_HOP_TYPE_BLACKHOLE)
		return 0;
	found = vd_table_each_user(validation->model, resource->project, &table, search_vpc, &search) != 0;
	/* A table that nobody uses yet is looked at again when somebody does. */
	if (!found && search.vpcs > 0)
		return refuse(validation, resource, &search, &table);
	if (resource->kind == VD_KIND_ROUTE)
		return check_destination(validation, (const struct vd_route *)resource, search.port);
	return 0;
}
