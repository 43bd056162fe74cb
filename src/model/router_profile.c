/* SPDX-License-Identifier: Apache-2.0 */
#include "model/change.h"
#include "model/kind.h"

#include <string.h>

#define OFFSET(member) offsetof(struct vd_router_profile, member)

static const struct vd_field fields[] = {
	{"cpu", .type = VD_FIELD_TYPE_CORES, .offset = OFFSET(cpu_milli), .value = "1",
	 .help = "How many cores they may keep busy together, for example 0.5."},
	{"memory", .type = VD_FIELD_TYPE_MEMORY, .offset = OFFSET(memory), .value = "256M",
	 .help = "How much memory they may have together, for example 64M; at least 32M."},
	{"network", .type = VD_FIELD_TYPE_NAME, .offset = OFFSET(network), .is_reference = true, .reference = VD_KIND_NETWORK,
	 .help = "The public or flat network that a new VPC is attached to when it names none."},
	{"management_network", .type = VD_FIELD_TYPE_NAME, .offset = OFFSET(management_network), .is_reference = true,
	 .reference = VD_KIND_NETWORK, .help = "The network of hosts and the control plane."},
};

const struct vd_router_profile *vd_model_router_profile(const struct vd_model *model, const char *project, const char *name)
{
	static const struct vd_router_profile implicit = {
		.head = {.kind = VD_KIND_ROUTER_PROFILE, .project = VD_PROJECT_DEFAULT, .name = "default"},
		.cpu_milli = 1000,
		.memory = 256ull << 20,
	};
	const struct vd_resource *profile = vd_model_get(model, VD_KIND_ROUTER_PROFILE, project, name);

	if (profile)
		return (const struct vd_router_profile *)profile;
	return strcmp(name, "default") == 0 ? &implicit : NULL;
}

const struct vd_kind_type vd_kind_type_router_profile = {
	.word = "router_profile",
	.plural = "router_profiles",
	.help = "What the processes of a VPC's router (DHCP, DNS, metadata) may use on each host.",
	.size = sizeof(struct vd_router_profile),
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
};
