/* SPDX-License-Identifier: Apache-2.0 */
#include "model/kind.h"

#include "abi/maps.h"

#include <errno.h>

#define OFFSET(member) offsetof(struct vd_port, member)
/* As many as a plan's port can hold. */
#define ADDRESSES_MAX 16

static const struct vd_field fields[] = {
	{"subnet", .type = VD_FIELD_TYPE_NAME, .required = true, .offset = OFFSET(subnet), .is_reference = true,
	 .reference = VD_KIND_SUBNET, .help = "Where it is connected; cannot change."},
	{"addresses", "address", VD_FIELD_TYPE_ADDRESSES, .offset = OFFSET(addresses), .count_offset = OFFSET(address_count),
	 .max = ADDRESSES_MAX, .help = "Its addresses; in each CIDR of the subnet where none is given it gets the lowest free one."},
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
	{"addresses", .type = VD_FIELD_TYPE_ADDRESSES, .is_assigned = true, .offset = OFFSET(assigned_addresses),
	 .count_offset = OFFSET(assigned_address_count), .help = "The addresses that it has."},
	{"mac", .type = VD_FIELD_TYPE_MAC, .is_assigned = true, .offset = OFFSET(assigned_mac), .help = "The MAC that it has."},
};

static int port_complete(struct vd_resource *resource, const char *object, struct vd_error *error)
{
	static const struct vd_mac gateway = {VD_GATEWAY_MAC};
	const struct vd_port *port = (const struct vd_port *)resource;
	char text[VD_MAC_TEXT];

	if (port->mac.bytes[0] & 1)
		return vd_error_set(error, -EINVAL, "%s: mac %s is a multicast address; its first byte must be even", object,
				    vd_mac_format(&port->mac, text));
	if (vd_mac_equal(&port->mac, &gateway))
		return vd_error_set(error, -EINVAL, "%s: mac %s is the router's; choose another", object,
				    vd_mac_format(&port->mac, text));
	return 0;
}

const struct vd_kind_type vd_kind_type_port = {
	.word = "port",
	.plural = "ports",
	.help = "The place where an instance (a container, a virtual machine) is plugged into a subnet.",
	.size = sizeof(struct vd_port),
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
	.complete = port_complete,
};
