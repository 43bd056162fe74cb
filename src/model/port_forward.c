/* SPDX-License-Identifier: Apache-2.0 */
#include "model/prefixes.h"
#include "model/validation.h"

#include <errno.h>
#include <string.h>

#define OFFSET(member) offsetof(struct vd_port_forward, member)

/* The words of enum vd_rule_protocol; a forward takes two of them. */
static const char *const protocols[] = {"all", "tcp", "udp", "icmp", NULL};

static const struct vd_field fields[] = {
	{"vip", .type = VD_FIELD_TYPE_NAME, .required = true, .offset = OFFSET(vip), .is_reference = true,
	 .reference = VD_KIND_VIRTUAL_IP, .help = "The virtual_ip of a public network, or a router's own."},
	{"protocol", .type = VD_FIELD_TYPE_WORD, .required = true, .offset = OFFSET(protocol), .words = protocols,
	 .help = "tcp or udp."},
	{"ports", .type = VD_FIELD_TYPE_PORTS, .required = true, .offset = OFFSET(port_first),
	 .help = "On the virtual_ip: one port like 24, or a range like 22-80."},
	{"to_ports", .type = VD_FIELD_TYPE_PORTS, .offset = OFFSET(to_first),
	 .help = "At the instance: one port, or the same range; without it the same."},
	{"port", .type = VD_FIELD_TYPE_NAME, .offset = OFFSET(port), .is_reference = true, .reference = VD_KIND_PORT,
	 .help = "The port of the instance; without it the forward is unbound."},
	{"port_address", .type = VD_FIELD_TYPE_ADDRESS, .offset = OFFSET(port_address),
	 .help = "Which of the port's addresses; without it the first of the virtual_ip's family."},
	{"allowed_cidr", .type = VD_FIELD_TYPE_PREFIX, .offset = OFFSET(allowed_cidr),
	 .help = "Who may use it; without it anyone."},
	{"subnet", .type = VD_FIELD_TYPE_NAME, .is_assigned = true, .offset = OFFSET(assigned_subnet),
	 .help = "The subnet of its instance, remembered while it is unbound."},
};

static int forward_complete(struct vd_resource *resource, const char *object, struct vd_error *error)
{
	struct vd_port_forward *forward = (struct vd_port_forward *)resource;

	if (forward->to_first == 0) {
		forward->to_first = forward->port_first;
		forward->to_last = forward->port_last;
	}
	return 0;
}

const struct vd_kind_type vd_kind_type_port_forward = {
	.word = "port_forward",
	.plural = "port_forwards",
	.help = "One port, or a range of them, of a virtual_ip that leads to an instance.",
	.size = sizeof(struct vd_port_forward),
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
	.complete = forward_complete,
};
