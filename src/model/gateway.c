/* SPDX-License-Identifier: Apache-2.0 */
#include "model/kind.h"

#define OFFSET(member) offsetof(struct vd_gateway, member)

static const struct vd_field fields[] = {
	{"host", .type = VD_FIELD_TYPE_NAME, .required = true, .offset = OFFSET(host), .is_reference = true,
	 .reference = VD_KIND_HOST, .help = "Who holds the router's address."},
	{"boot_id", .type = VD_FIELD_TYPE_BUFFER, .offset = OFFSET(boot_id), .max = sizeof(((struct vd_gateway *)0)->boot_id),
	 .help = "Of the host, then."},
};

const struct vd_kind_type vd_kind_type_gateway = {
	.word = "gateway",
	.plural = "gateway",
	.help = "Which host leads a VPC out to a network.",
	.size = sizeof(struct vd_gateway),
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
};
