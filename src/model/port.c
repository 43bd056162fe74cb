/* SPDX-License-Identifier: Apache-2.0 */
#include "model/binding.h"
#include "model/mac.h"
#include "model/prefixes.h"
#include "model/segment.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

#define OFFSET(member) offsetof(struct vd_port, member)
/* One less than a plan's port can hold: in the CIDR of the other family it may be assigned one more. */
#define ADDRESSES_MAX 15

static const struct vd_field fields[] = {
	{"subnet", .type = VD_FIELD_TYPE_NAME, .offset = OFFSET(subnet), .is_reference = true, .reference = VD_KIND_SUBNET,
	 .help = "Where it is connected; either this or network; cannot change."},
	{"network", .type = VD_FIELD_TYPE_NAME, .offset = OFFSET(network), .is_reference = true, .reference = VD_KIND_NETWORK,
	 .help = "The flat or public network where it is connected, without a VPC; cannot change."},
	{"addresses", "address", VD_FIELD_TYPE_ADDRESSES, .offset = OFFSET(addresses), .count_offset = OFFSET(address_count),
	 .max = ADDRESSES_MAX,
	 .help = "Its addresses; in each CIDR of the subnet where none is given it gets the lowest free one."},
	{"mac", .type = VD_FIELD_TYPE_MAC, .offset = OFFSET(mac), .help = "Its MAC address; without it one is assigned."},
	{"host", .type = VD_FIELD_TYPE_NAME, .offset = OFFSET(host), .is_reference = true, .reference = VD_KIND_HOST,
	 .help = "The only host where it may be attached; without it any."},
	{"instance", .type = VD_FIELD_TYPE_NAME, .offset = OFFSET(instance),
	 .help = "The machine that it belongs to: ports of one machine name the same."},
	{"default", .type = VD_FIELD_TYPE_BOOL, .offset = OFFSET(is_default), .value = "false",
	 .help = "Whether it gives its instance the default route; when no port of it says so, the first by name does."},
	{"source_check", .type = VD_FIELD_TYPE_BOOL, .offset = OFFSET(source_check), .value = "true",
	 .help = "Whether it may send from its own addresses only; false for an instance that forwards for others."},
	{"allowed_sources", "allowed_source", VD_FIELD_TYPE_PREFIXES, .offset = OFFSET(allowed_sources),
	 .count_offset = OFFSET(allowed_source_count), .max = 1024, .help = "CIDRs that it may send from besides."},
	{"security_groups", "security_group", VD_FIELD_TYPE_NAMES, .offset = OFFSET(security_groups),
	 .count_offset = OFFSET(security_group_count), .max = 64, .is_reference = true, .reference = VD_KIND_SECURITY_GROUP,
	 .help = "The groups whose rules together say what may reach it and what it may reach; without any it is unfiltered."},
	{"hostname", .type = VD_FIELD_TYPE_TEXT, .offset = OFFSET(hostname), .max = 63,
	 .help = "What its instance is told that it is called; without it the port's name."},
	{"user_data", .type = VD_FIELD_TYPE_TEXT, .offset = OFFSET(user_data), .max = 65536,
	 .help = "For cloud-init in its instance: a script or a #cloud-config."},
	{"ssh_keys", "ssh_key", VD_FIELD_TYPE_TEXTS, .offset = OFFSET(ssh_keys), .count_offset = OFFSET(ssh_key_count), .max = 64,
	 .help = "For cloud-init in its instance: public keys that may log in."},
	{"addresses", .type = VD_FIELD_TYPE_ADDRESSES, .is_assigned = true, .offset = OFFSET(assigned_addresses),
	 .count_offset = OFFSET(assigned_address_count), .help = "The addresses that it has."},
	{"mac", .type = VD_FIELD_TYPE_MAC, .is_assigned = true, .offset = OFFSET(assigned_mac), .help = "The MAC that it has."},
	{"identity", .type = VD_FIELD_TYPE_NUMBER, .is_assigned = true, .offset = OFFSET(assigned_identity),
	 .help = "What ports with the same groups share."},
};

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* RFC 1123, in small letters. */
static bool is_label(const char *text)
{
	size_t size = strlen(text);

	return size >= 1 && size <= 63 && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == size && text[0] != '-' &&
	       text[size - 1] != '-';
}

static int complete_hostname(struct vd_port *port, const char *object, struct vd_error *error)
{
	char *end;

	if (port->hostname) {
		if (is_label(port->hostname))
			return 0;
		return vd_error_set(error, -EINVAL,
				    "%s: hostname \"%.63s\" is no DNS label; use 1-63 of a-z 0-9 -, neither first nor last a -",
				    object, port->hostname);
	}
	port->hostname = strdup(port->head.name);
	if (!port->hostname)
		return -ENOMEM;
	/* Names begin with a letter or digit, so something is left. */
	for (end = port->hostname; *end; end++)
		if (*end == '.' || *end == '_')
			*end = '-';
	while (end[-1] == '-')
		*--end = '\0';
	return 0;
}

static int port_complete(struct vd_resource *resource, const char *object, struct vd_error *error)
{
	struct vd_port *port = (struct vd_port *)resource;
	char text[VD_MAC_TEXT];

	if (!port->subnet == !port->network)
		return vd_error_set(error, -EINVAL, "%s: name either subnet: (of a VPC) or network: (flat or public)", object);
	if (port->security_group_count > 1)
		qsort(port->security_groups, port->security_group_count, sizeof(*port->security_groups), compare_names);
	if (port->mac.bytes[0] & 1)
		return vd_error_set(error, -EINVAL, "%s: mac %s is a multicast address; its first byte must be even", object,
				    vd_mac_format(&port->mac, text));
	if (vd_mac_is_router(&port->mac))
		return vd_error_set(error, -EINVAL, "%s: mac %s is the router's; choose another", object,
				    vd_mac_format(&port->mac, text));
	if (vd_mac_is_exit(&port->mac))
		return vd_error_set(error, -EINVAL,
				    "%s: mac %s begins with 02:77, which ways out have inside tunnels; choose another", object,
				    vd_mac_format(&port->mac, text));
	return complete_hostname(port, object, error);
}

const struct vd_subnet *vd_port_subnet(const struct vd_model *model, const struct vd_port *port)
{
	if (!port->subnet)
		return NULL;
	return (const struct vd_subnet *)vd_model_get(model, VD_KIND_SUBNET, port->head.project, port->subnet);
}

static bool same_groups(const struct vd_port *a, const struct vd_port *b)
{
	bool same = a->security_group_count == b->security_group_count;

	for (size_t i = 0; same && i < a->security_group_count; i++)
		same = strcmp(a->security_groups[i], b->security_groups[i]) == 0;
	return same;
}

static const char *place_of(const struct vd_port *port)
{
	return port->subnet ? port->subnet : port->network;
}

/* The new one holds what the old one did, until port_claim() has seen the subnet. */
static int port_succeed(const struct vd_resource *before, struct vd_resource *after, const char *object, struct vd_error *error)
{
	const struct vd_port *old = (const struct vd_port *)before;
	struct vd_port *port = (struct vd_port *)after;

	if (!old->subnet != !port->subnet || strcmp(place_of(old), place_of(port)) != 0)
		return vd_error_set(error, -EINVAL, "%s: its %s is %s and cannot become %s%s while it stands; delete it first",
				    object, old->subnet ? "subnet" : "network", place_of(old),
				    !old->subnet == !port->subnet ? ""
				    : port->subnet                ? "subnet "
								  : "network ",
				    place_of(port));
	free(port->assigned_addresses);
	port->assigned_address_count = 0;
	port->assigned_addresses = calloc(old->assigned_address_count + 1, sizeof(*port->assigned_addresses));
	if (!port->assigned_addresses)
		return -ENOMEM;
	if (old->assigned_address_count > 0)
		memcpy(port->assigned_addresses, old->assigned_addresses,
		       old->assigned_address_count * sizeof(*port->assigned_addresses));
	port->assigned_address_count = old->assigned_address_count;
	port->assigned_mac = old->assigned_mac;
	/* A clone has it; another set of groups is another identity. */
	port->assigned_identity = same_groups(old, port) ? old->assigned_identity : 0;
	return 0;
}

/* What it keeps of what it held: the first address of each CIDR in which it asks for none. */
static int keep_addresses(struct vd_port *port, const struct vd_segment *segment, struct vd_address *addresses, size_t *count,
			  const char *object, struct vd_error *error)
{
	bool has[2] = {};
	char text[VD_ADDRESS_TEXT], other[VD_OBJECT_SIZE];

	for (size_t i = 0; i < port->address_count; i++) {
		size_t cidr = vd_segment_cidr(segment, &port->addresses[i]);

		addresses[(*count)++] = port->addresses[i];
		if (cidr < 2)
			has[cidr] = true;
	}
	for (size_t i = 0; i < port->assigned_address_count; i++) {
		size_t cidr = vd_segment_cidr(segment, &port->assigned_addresses[i]);

		if (cidr == segment->cidr_count && port->address_count == 0)
			return vd_error_set(error, -EINVAL,
					    "%s: it has address %s, which %s would not contain; delete the port first", object,
					    vd_address_format(&port->assigned_addresses[i], text), vd_segment_text(segment, other));
		if (cidr == segment->cidr_count || has[cidr])
			continue;
		has[cidr] = true;
		addresses[(*count)++] = port->assigned_addresses[i];
	}
	return 0;
}

static int claim_mac(struct vd_validation *validation, struct vd_port *port, const struct vd_segment *segment, const char *object)
{
	char text[VD_MAC_TEXT], other[VD_OBJECT_SIZE];
	const struct vd_port *owner;

	if (!vd_mac_is_zero(&port->mac))
		port->assigned_mac = port->mac;
	if (vd_mac_is_zero(&port->assigned_mac))
		return 0;
	owner = vd_segment_holder_of_mac(validation->model, segment, &port->assigned_mac);
	if (!owner || (strcmp(owner->head.name, port->head.name) == 0 && strcmp(owner->head.project, port->head.project) == 0))
		return 0;
	return vd_error_set(
		validation->error, -EADDRINUSE, "%s: mac %s is taken by %s in the same %s; choose another or leave it out", object,
		vd_mac_format(&port->assigned_mac, text), vd_resource_text(&owner->head, other), segment->vpc ? "VPC" : "network");
}

/* Its segment; the reference is known to lead somewhere. */
static struct vd_segment port_segment(const struct vd_model *model, const struct vd_port *port)
{
	struct vd_segment segment = {};

	vd_segment_find(model, port->head.project, port->subnet, port->network, &segment);
	return segment;
}

static int check_network(const struct vd_validation *validation, const struct vd_port *port, const char *object)
{
	const struct vd_network *network;

	if (!port->network)
		return 0;
	network = (const struct vd_network *)vd_model_get(validation->model, VD_KIND_NETWORK, VD_PROJECT_DEFAULT, port->network);
	if (network->role != VD_NETWORK_ROLE_MANAGEMENT)
		return 0;
	return vd_error_set(validation->error, -EINVAL,
			    "%s: network %s is a management network, for hosts only; choose a flat or public one", object,
			    port->network);
}

static int port_claim(struct vd_validation *validation, struct vd_resource *resource, const char *object, struct vd_error *error)
{
	struct vd_port *port = (struct vd_port *)resource;
	struct vd_segment segment = port_segment(validation->model, port);
	struct vd_address_request request = {port->addresses, port->assigned_addresses, port->address_count,
					     port->assigned_address_count};
	VD_FREE struct vd_address *addresses =
		calloc(port->address_count + port->assigned_address_count + segment.cidr_count, sizeof(*addresses));
	size_t count = 0;
	int r;

	if (!addresses)
		return -ENOMEM;
	r = check_network(validation, port, object);
	if (r == 0)
		r = vd_segment_check_ranges(validation, &segment, &request, object);
	if (r == 0)
		r = keep_addresses(port, &segment, addresses, &count, object, error);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = vd_segment_check_address(validation, &segment, resource, &addresses[i], object);
	if (r < 0)
		return r;
	free(port->assigned_addresses);
	port->assigned_addresses = VD_TAKE(addresses);
	port->assigned_address_count = count;
	return claim_mac(validation, port, &segment, object);
}

/* 02:76 and the id; the next one when somebody in the VPC or network asked for just that. */
static void allocate_mac(const struct vd_validation *validation, struct vd_port *port, const struct vd_segment *segment)
{
	uint64_t number = 0x027600000000 + port->head.id;
	struct vd_mac mac;

	do {
		for (int i = 0; i < 6; i++)
			mac.bytes[i] = (uint8_t)(number >> (40 - 8 * i));
		number++;
	} while (vd_mac_is_router(&mac) || vd_mac_is_exit(&mac) || vd_segment_holder_of_mac(validation->model, segment, &mac));
	port->assigned_mac = mac;
}

struct identity_search {
	const struct vd_port *port;
	uint32_t found;
};

static int search_identity(const struct vd_resource *resource, void *userdata)
{
	const struct vd_port *other = (const struct vd_port *)resource;
	struct identity_search *search = userdata;

	if (other->assigned_identity != 0 && same_groups(other, search->port))
		search->found = other->assigned_identity;
	return search->found != 0;
}

/* That of a port in the same groups, or a new one. */
static int assign_identity(struct vd_validation *validation, struct vd_port *port, const char *object)
{
	struct identity_search search = {.port = port};
	char text[VD_GROUPS_HASH_SIZE];

	if (port->security_group_count == 0 || port->assigned_identity != 0)
		return 0;
	vd_model_each_referrer(validation->model, VD_KIND_PORT, VD_GROUP_GROUPS, port->head.project,
			       vd_port_groups_hash(port, text), search_identity, &search);
	port->assigned_identity = search.found;
	return search.found != 0 ? 0 : vd_validation_give_id(validation, object, &port->assigned_identity);
}

static int port_assign(struct vd_validation *validation, struct vd_resource *resource, const char *object, struct vd_error *error)
{
	struct vd_port *port = (struct vd_port *)resource;
	struct vd_segment segment = port_segment(validation->model, port);

	for (size_t cidr = 0; cidr < segment.cidr_count; cidr++) {
		bool has = false;
		int r;

		for (size_t i = 0; i < port->assigned_address_count; i++)
			has |= vd_prefix_contains(&segment.cidrs[cidr], &port->assigned_addresses[i]);
		if (has)
			continue;
		/* port_claim() left room for one in each. */
		r = vd_segment_allocate(validation, &segment, cidr, object,
					&port->assigned_addresses[port->assigned_address_count]);
		if (r < 0)
			return r;
		port->assigned_address_count++;
	}
	if (vd_mac_is_zero(&port->assigned_mac))
		allocate_mac(validation, port, &segment);
	return assign_identity(validation, port, object);
}

static int port_check(struct vd_validation *validation, const struct vd_resource *before, const struct vd_resource *after,
		      const char *object, struct vd_error *error)
{
	const struct vd_port *old = (const struct vd_port *)before, *port = (const struct vd_port *)after;
	int r = 0;

	for (size_t i = 0; r == 0 && i < port->security_group_count; i++)
		r = vd_security_group_admit((const struct vd_security_group *)vd_model_get(validation->model,
											   VD_KIND_SECURITY_GROUP, after->project,
											   port->security_groups[i]),
					    port, object, error);
	if (r == 0 && port->instance)
		r = vd_instance_check(validation, after->project, port->instance);
	/* An address that it gave up may be a next hop, or bound. */
	return r < 0 || !old ? r : vd_port_check_users(validation, old, port);
}

const struct vd_kind_type vd_kind_type_port = {
	.word = "port",
	.plural = "ports",
	.help = "The place where an instance (a container, a virtual machine) is plugged into a subnet.",
	.size = sizeof(struct vd_port),
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
	.complete = port_complete,
	.succeed = port_succeed,
	.claim = port_claim,
	.assign = port_assign,
	.check = port_check,
};
