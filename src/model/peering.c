/* SPDX-License-Identifier: Apache-2.0 */
#include "model/validation.h"

#include <errno.h>
#include <string.h>

#define OFFSET(member) offsetof(struct vd_peering, member)

static const char *const routes[] = {"auto", "manual", NULL};

static const struct vd_field fields[] = {
	{"vpc", .type = VD_FIELD_TYPE_NAME, .required = true, .offset = OFFSET(vpc), .is_reference = true, .reference = VD_KIND_VPC,
	 .help = "One of the two VPCs. Cannot change."},
	{"peer", .type = VD_FIELD_TYPE_NAME, .required = true, .offset = OFFSET(peer), .is_reference = true,
	 .reference = VD_KIND_VPC, .help = "The other one. Cannot change."},
	{"routes", .type = VD_FIELD_TYPE_WORD, .offset = OFFSET(routes), .words = routes, .value = "auto",
	 .help = "auto: each side reaches the other's CIDRs and those of its routed container networks; manual: what routes with "
		 "next_hop: {peering: …} lead to."},
};

const struct vd_kind_type vd_kind_type_peering = {
	.word = "peering",
	.plural = "peerings",
	.help = "Two VPCs that reach each other.",
	.size = sizeof(struct vd_peering),
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
};
