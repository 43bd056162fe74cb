/* SPDX-License-Identifier: Apache-2.0 */
#include "model/pull.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

VD_DEFINE_CLEANUP(struct vd_resource, vd_resource_unref)
#define UNREF VD_CLEANUP(vd_resource_unref_cleanup)

/* What a companion has to be. */
struct companion {
	const struct vd_resource *owner;
	const char *name, *network;
	const char *vpc;           /* NULL: an elastic IP's */
	struct vd_address address; /* family none: whatever it has or gets */
};

static int make_vip(struct vd_pull *pull, const struct companion *companion)
{
	UNREF struct vd_resource *vip = NULL;
	char address[VD_ADDRESS_TEXT], object[VD_OBJECT_SIZE];
	json_t *document;
	int r;

	if (!vd_name_is_valid(companion->name))
		return vd_error_set(
			pull->error, -EINVAL,
			"%s: its router's address on network %s would be called %s, which is too long for a name; choose "
			"a shorter one for either",
			vd_resource_text(companion->owner, object), companion->network, companion->name);
	document = json_pack("{s:s, s:s, s:s, s:s, s:s*}", "kind", vd_kind_word(VD_KIND_VIRTUAL_IP), "name", companion->name,
			     "project", companion->owner->project, "network", companion->network, "vpc", companion->vpc);
	if (!document)
		return -ENOMEM;
	if (companion->address.family != VD_FAMILY_NONE)
		json_object_set_new(document, "address", json_string(vd_address_format(&companion->address, address)));
	r = vd_resource_parse(document, NULL, &vip, pull->error);
	json_decref(document);
	return r < 0 ? r : vd_pull_add(pull, NULL, vip);
}

/* Gives it the address that is asked for now. */
static int change_vip(struct vd_pull *pull, const struct companion *companion, const struct vd_virtual_ip *before)
{
	UNREF struct vd_resource *after = NULL;
	struct vd_virtual_ip *vip;

	if (companion->address.family == VD_FAMILY_NONE)
		return 0;
	for (size_t i = 0; i < before->assigned_address_count; i++)
		if (vd_address_equal(&before->assigned_addresses[i], &companion->address))
			return 0;
	after = vd_resource_clone(&before->head);
	vip = (struct vd_virtual_ip *)after;
	if (!after)
		return -ENOMEM;
	free(vip->addresses);
	vip->address_count = 0;
	vip->addresses = calloc(1, sizeof(*vip->addresses));
	if (!vip->addresses)
		return -ENOMEM;
	vip->addresses[vip->address_count++] = companion->address;
	return vd_pull_add(pull, &before->head, after);
}

static int refuse_name(struct vd_pull *pull, const struct companion *companion)
{
	char object[VD_OBJECT_SIZE], other[VD_OBJECT_SIZE];

	vd_resource_text(companion->owner, object);
	vd_object_text(VD_KIND_VIRTUAL_IP, companion->owner->project, companion->name, other);
	if (companion->vpc)
		return vd_error_set(
			pull->error, -EEXIST,
			"%s: its router's address on network %s would be called as %s is, which is another; rename that", object,
			companion->network, other);
	return vd_error_set(pull->error, -EEXIST, "%s: %s exists; say vip: %s in place of network, or choose another name", object,
			    other, companion->name);
}

/* kept: it was the owner's before. What a document says of it itself goes. */
static int ensure_vip(struct vd_pull *pull, const struct companion *companion, bool kept)
{
	const struct vd_resource *before =
		vd_model_get(pull->model, VD_KIND_VIRTUAL_IP, companion->owner->project, companion->name);
	const struct vd_change *asked = vd_pull_find(pull, VD_KIND_VIRTUAL_IP, companion->owner->project, companion->name);
	const struct vd_virtual_ip *vip = (const struct vd_virtual_ip *)(asked ? asked->after : before);

	if (!vip)
		return make_vip(pull, companion);
	if (!vip->network || strcmp(vip->network, companion->network) != 0 || !vip->vpc != !companion->vpc || (before && !kept))
		return refuse_name(pull, companion);
	return asked ? 0 : change_vip(pull, companion, vip);
}

static int drop_vip(struct vd_pull *pull, const char *project, const char *name)
{
	const struct vd_resource *vip = vd_model_get(pull->model, VD_KIND_VIRTUAL_IP, project, name);
	const struct vd_change *asked = vd_pull_find(pull, VD_KIND_VIRTUAL_IP, project, name);

	/* Asked for what is not there any more: its own check says so. */
	return vip && !asked ? vd_pull_add(pull, vip, NULL) : 0;
}

/* --- of a VPC --- */

static const struct vd_vpc_network *find_network(const struct vd_vpc *vpc, const char *network)
{
	for (size_t i = 0; vpc && i < vpc->network_count; i++)
		if (strcmp(vpc->networks[i].network, network) == 0)
			return &vpc->networks[i];
	return NULL;
}

/* The profile as it will be: it may come with the VPC. */
static const struct vd_router_profile *find_profile(const struct vd_pull *pull, const struct vd_vpc *vpc)
{
	const struct vd_change *asked = vd_pull_find(pull, VD_KIND_ROUTER_PROFILE, vpc->head.project, vpc->router_profile);

	return asked ? (const struct vd_router_profile *)asked->after
		     : vd_model_router_profile(pull->model, vpc->head.project, vpc->router_profile);
}

/* A new VPC that names no networks is attached to that of its profile. */
static int take_default(const struct vd_pull *pull, struct vd_vpc *vpc)
{
	const struct vd_router_profile *profile = find_profile(pull, vpc);

	if (vpc->networks_given || !profile || !profile->network)
		return 0;
	vpc->networks = calloc(1, sizeof(*vpc->networks));
	if (!vpc->networks)
		return -ENOMEM;
	vpc->networks[0].network = strdup(profile->network);
	if (!vpc->networks[0].network)
		return -ENOMEM;
	vpc->network_count = 1;
	return 0;
}

int vd_companions_of_vpc(struct vd_pull *pull, const struct vd_change *change)
{
	const struct vd_vpc *before = (const struct vd_vpc *)change->before;
	struct vd_vpc *after = (struct vd_vpc *)change->after;
	char name[2 * VD_NAME_SIZE];
	int r = before ? 0 : take_default(pull, after);

	for (size_t i = 0; r == 0 && i < after->network_count; i++) {
		struct companion companion = {
			.owner = &after->head,
			.name = vd_system_vip_name(after->head.name, after->networks[i].network, name),
			.network = after->networks[i].network,
			.vpc = after->head.name,
			.address = after->networks[i].address,
		};

		r = ensure_vip(pull, &companion, find_network(before, companion.network) != NULL);
	}
	for (size_t i = 0; r == 0 && before && i < before->network_count; i++)
		if (!find_network(after, before->networks[i].network))
			r = drop_vip(pull, after->head.project,
				     vd_system_vip_name(after->head.name, before->networks[i].network, name));
	return r;
}

/* --- of an elastic IP --- */

int vd_companions_of_elastic_ip(struct vd_pull *pull, const struct vd_change *change)
{
	const struct vd_elastic_ip *before = (const struct vd_elastic_ip *)change->before;
	const struct vd_elastic_ip *after = (const struct vd_elastic_ip *)change->after;
	bool had_one = before && before->network;
	struct companion companion = {
		.owner = change->after,
		.name = after->head.name,
		.network = after->network,
		.address = after->address,
	};

	if (after->network)
		return ensure_vip(pull, &companion, had_one);
	/* Its name in vip: makes it a virtual_ip like others. */
	if (!had_one || strcmp(after->vip, before->vip) == 0)
		return 0;
	return drop_vip(pull, before->head.project, before->vip);
}

bool vd_is_companion(const struct vd_resource *resource, const struct vd_resource *owner)
{
	const struct vd_virtual_ip *vip = (const struct vd_virtual_ip *)resource;
	const struct vd_elastic_ip *elastic = (const struct vd_elastic_ip *)owner;

	if (owner->kind == VD_KIND_VPC)
		return vip->vpc && strcmp(vip->vpc, owner->name) == 0;
	return elastic->network && strcmp(elastic->vip, resource->name) == 0;
}
