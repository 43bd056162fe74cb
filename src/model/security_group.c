/* SPDX-License-Identifier: Apache-2.0 */
#include "model/validation.h"

#define OFFSET(member) offsetof(struct vd_security_group, member)

static const struct vd_field fields[] = {
	{"networks", "network", VD_FIELD_TYPE_NAMES, .offset = OFFSET(networks), .count_offset = OFFSET(network_count),
	 .is_reference = true, .reference = VD_KIND_SUBNET,
	 .help = "The subnets whose ports may join; without it those of any. Naming one enrols nobody."},
};

const struct vd_kind_type vd_kind_type_security_group = {
	.word = "security_group",
	.plural = "security_groups",
	.help = "A list of what may reach its ports and what they may reach. A new one has two rules: everything from and to "
		"itself.",
	.size = sizeof(struct vd_security_group),
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
};
