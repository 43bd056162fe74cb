/* SPDX-License-Identifier: Apache-2.0 */
#include "model/container.h"

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

static int peering_complete(struct vd_resource *resource, const char *object, struct vd_error *error)
{
	const struct vd_peering *peering = (const struct vd_peering *)resource;

	if (strcmp(peering->vpc, peering->peer) != 0)
		return 0;
	return vd_error_set(error, -EINVAL, "%s: vpc and peer are both %s; a peering is between two", object, peering->vpc);
}

static int peering_succeed(const struct vd_resource *before, struct vd_resource *after, const char *object, struct vd_error *error)
{
	const struct vd_peering *old = (const struct vd_peering *)before, *peering = (const struct vd_peering *)after;

	if (strcmp(old->vpc, peering->vpc) == 0 && strcmp(old->peer, peering->peer) == 0)
		return 0;
	return vd_error_set(error, -EINVAL,
			    "%s: it is between %s and %s and cannot be between %s and %s while it stands; delete it first", object,
			    old->vpc, old->peer, peering->vpc, peering->peer);
}

static bool has(const struct vd_peering *peering, const char *vpc)
{
	return strcmp(peering->vpc, vpc) == 0 || strcmp(peering->peer, vpc) == 0;
}

struct twin {
	const struct vd_peering *peering;
	const struct vd_resource *found;
};

static int find_twin(const struct vd_resource *resource, void *userdata)
{
	struct twin *twin = userdata;

	if (resource == &twin->peering->head || !has((const struct vd_peering *)resource, twin->peering->peer))
		return 0;
	twin->found = resource;
	return 1;
}

static int peering_check(struct vd_validation *validation, const struct vd_resource *before, const struct vd_resource *after,
			 const char *object, struct vd_error *error)
{
	const struct vd_peering *peering = (const struct vd_peering *)after;
	struct twin twin = {.peering = peering};
	char other[VD_OBJECT_SIZE];
	int r;

	if (vd_model_each_peering_of_vpc(validation->model, after->project, peering->vpc, find_twin, &twin) != 0)
		return vd_error_set(error, -EEXIST, "%s: %s is between %s and %s already; leave one out", object,
				    vd_resource_text(twin.found, other), peering->vpc, peering->peer);
	r = vd_space_check_vpc(validation, after->project, peering->vpc, object);
	return r < 0 ? r : vd_space_check_vpc(validation, after->project, peering->peer, object);
}

const struct vd_kind_type vd_kind_type_peering = {
	.word = "peering",
	.plural = "peerings",
	.help = "Two VPCs that reach each other.",
	.size = sizeof(struct vd_peering),
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
	.complete = peering_complete,
	.succeed = peering_succeed,
	.check = peering_check,
};
