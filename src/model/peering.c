/* SPDX-License-Identifier: Apache-2.0 */
#include "model/container.h"
#include "model/prefixes.h"

#include <errno.h>
#include <string.h>

#define VD_TRANSLATIONS_MAX 32
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
	{"translate", .type = VD_FIELD_TYPE_TRANSLATIONS, .offset = OFFSET(translations), .count_offset = OFFSET(translation_count),
	 .max = VD_TRANSLATIONS_MAX,
	 .help = "CIDRs of either VPC, or of its container networks, that the other one sees as others, host bits kept: "
		 "{vpc: …, cidr: …, as: …}. Lets VPCs talk whose CIDRs overlap."},
};

static bool has(const struct vd_peering *peering, const char *vpc)
{
	return strcmp(peering->vpc, vpc) == 0 || strcmp(peering->peer, vpc) == 0;
}

/* ---- translations ---- */

static int check_translation(const struct vd_peering *peering, const struct vd_translation *translation, const char *object,
			     struct vd_error *error)
{
	char cidr[VD_PREFIX_TEXT], as[VD_PREFIX_TEXT];

	vd_prefix_format(&translation->cidr, cidr);
	vd_prefix_format(&translation->as, as);
	if (!has(peering, translation->vpc))
		return vd_error_set(error, -EINVAL, "%s: it translates %s of VPC %s, and is between %s and %s; name one of these",
				    object, cidr, translation->vpc, peering->vpc, peering->peer);
	if (translation->cidr.address.family != translation->as.address.family ||
	    translation->cidr.length != translation->as.length)
		return vd_error_set(error, -EINVAL,
				    "%s: %s of VPC %s cannot be seen as %s, which is of another size; give one of length %u of the "
				    "same family",
				    object, cidr, translation->vpc, as, translation->cidr.length);
	if (vd_prefix_equal(&translation->cidr, &translation->as))
		return vd_error_set(error, -EINVAL, "%s: %s of VPC %s is translated to itself; leave it out", object, cidr,
				    translation->vpc);
	return vd_prefixes_validate(&translation->as, 1, object, error);
}

/* One way there and one way back for each address. */
static int check_two(const struct vd_translation *a, const struct vd_translation *b, const char *object, struct vd_error *error)
{
	bool is_cidr = vd_prefix_overlaps(&a->cidr, &b->cidr);
	const struct vd_prefix *first = is_cidr ? &a->cidr : &a->as, *second = is_cidr ? &b->cidr : &b->as;
	char text[VD_PREFIX_TEXT], other[VD_PREFIX_TEXT];

	if (strcmp(a->vpc, b->vpc) != 0 || !vd_prefix_overlaps(first, second))
		return 0;
	return vd_error_set(error, -EINVAL, "%s: of VPC %s it translates %s %s and %s, which overlap; choose prefixes that do not",
			    object, a->vpc, is_cidr ? "both" : "to both", vd_prefix_format(first, text),
			    vd_prefix_format(second, other));
}

static int check_translations(const struct vd_peering *peering, const char *object, struct vd_error *error)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < peering->translation_count; i++) {
		r = check_translation(peering, &peering->translations[i], object, error);
		for (size_t j = 0; r == 0 && j < i; j++)
			r = check_two(&peering->translations[i], &peering->translations[j], object, error);
	}
	return r;
}

/* What is translated has to be there: a CIDR that is written wrong would be one that nobody reaches. */
static int check_owners(struct vd_validation *validation, const struct vd_peering *peering, const char *object)
{
	char text[VD_PREFIX_TEXT];

	for (size_t i = 0; i < peering->translation_count; i++) {
		const struct vd_translation *translation = &peering->translations[i];
		int r = vd_space_has(validation, peering->head.project, translation->vpc, &translation->cidr);

		if (r < 0)
			return r;
		if (r == 0)
			return vd_error_set(validation->error, -EINVAL,
					    "%s: %s is no CIDR of VPC %s, nor of a routed container network of it; translate one "
					    "that is",
					    object, vd_prefix_format(&translation->cidr, text), translation->vpc);
	}
	return 0;
}

/* ---- the peering ---- */

static int peering_complete(struct vd_resource *resource, const char *object, struct vd_error *error)
{
	const struct vd_peering *peering = (const struct vd_peering *)resource;

	if (strcmp(peering->vpc, peering->peer) != 0)
		return check_translations(peering, object, error);
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
	r = check_owners(validation, peering, object);
	if (r == 0)
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
