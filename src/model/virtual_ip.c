/* SPDX-License-Identifier: Apache-2.0 */
#include "model/prefixes.h"
#include "model/validation.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

#define OFFSET(member) offsetof(struct vd_virtual_ip, member)

static const struct vd_field fields[] = {
	{"network", .type = VD_FIELD_TYPE_NAME, .offset = OFFSET(network), .is_reference = true, .reference = VD_KIND_NETWORK,
	 .help = "The public or flat network that it is taken from; either this or subnet. Cannot change."},
	{"subnet", .type = VD_FIELD_TYPE_NAME, .offset = OFFSET(subnet), .is_reference = true, .reference = VD_KIND_SUBNET,
	 .help = "The subnet that it is taken from: a second address that moves between instances. Cannot change."},
	{"addresses", "address", VD_FIELD_TYPE_ADDRESSES, .offset = OFFSET(addresses), .count_offset = OFFSET(address_count),
	 .max = 2, .help = "Its address; without it the lowest free one, of IPv4 where there is IPv4."},
	{"port", .type = VD_FIELD_TYPE_NAME, .offset = OFFSET(port), .is_reference = true, .reference = VD_KIND_PORT,
	 .help = "Who holds a subnet's virtual_ip now."},
	{"vpc", .type = VD_FIELD_TYPE_NAME, .offset = OFFSET(vpc), .is_reference = true, .reference = VD_KIND_VPC,
	 .help = "Whose router's own address it is: made with the VPC's attachment to the network, and gone with it."},
	{"addresses", .type = VD_FIELD_TYPE_ADDRESSES, .is_assigned = true, .offset = OFFSET(assigned_addresses),
	 .count_offset = OFFSET(assigned_address_count), .help = "The addresses that it has."},
};

const struct vd_kind_type vd_kind_type_virtual_ip = {
	.word = "virtual_ip",
	.plural = "virtual_ips",
	.help = "An address that may move: of a network, for elastic IPs and port forwards, or of a subnet.",
	.size = sizeof(struct vd_virtual_ip),
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
};
