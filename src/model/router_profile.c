/* SPDX-License-Identifier: Apache-2.0 */
#include "model/validation.h"

#include <errno.h>
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

static const struct vd_network *find_network(const struct vd_validation *validation, const char *name)
{
	return name ? (const struct vd_network *)vd_model_get(validation->model, VD_KIND_NETWORK, VD_PROJECT_DEFAULT, name) : NULL;
}

static int profile_claim(struct vd_validation *validation, struct vd_resource *resource, const char *object, struct vd_error *error)
{
	const struct vd_router_profile *profile = (const struct vd_router_profile *)resource;
	const struct vd_network *network = find_network(validation, profile->network);
	const struct vd_network *management = find_network(validation, profile->management_network);

	if (network && network->role == VD_NETWORK_ROLE_MANAGEMENT)
		return vd_error_set(error, -EINVAL, "%s: network %s is a management network; choose a public or flat one", object,
				    profile->network);
	/* One network may be both (a merged deployment). */
	if (management && management->role == VD_NETWORK_ROLE_FLAT)
		return vd_error_set(error, -EINVAL,
				    "%s: management_network %s is a flat network, for instances; choose a management or public one",
				    object, profile->management_network);
	return 0;
}

const struct vd_kind_type vd_kind_type_router_profile = {
	.word = "router_profile",
	.plural = "router_profiles",
	.help = "What the processes of a VPC's router (DHCP, DNS, metadata) may use on each host, and where it leads.",
	.size = sizeof(struct vd_router_profile),
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
	.claim = profile_claim,
};
