/* SPDX-License-Identifier: Apache-2.0 */
#include "model/change.h"

#include "base/cleanup.h"
#include "model/container.h"
#include "model/next_hop.h"
#include "model/pull.h"
#include "model/segment.h"

#include <errno.h>
#include <string.h>

VD_DEFINE_CLEANUP(struct vd_changes, vd_changes_free)
VD_DEFINE_CLEANUP(struct vd_resource, vd_resource_unref)

static void clear_change(struct vd_change *change)
{
	free(change->project);
	free(change->name);
	vd_resource_unref(change->before);
	vd_resource_unref(change->after);
}

void vd_changes_free(struct vd_changes *changes)
{
	if (!changes)
		return;
	for (size_t i = 0; i < changes->count; i++)
		clear_change(&changes->items[i]);
	free(changes->items);
	json_decref(changes->notes);
	free(changes);
}

int vd_changes_apply(const struct vd_changes *changes, struct vd_model *model)
{
	for (size_t i = 0; i < changes->count; i++) {
		const struct vd_change *change = &changes->items[i];
		int r = 0;

		if (change->after)
			r = vd_model_put(model, change->after);
		else
			vd_model_remove(model, change->kind, change->project, change->name);
		if (r < 0)
			return r;
	}
	return 0;
}

struct vd_changes *vd_changes_new(size_t count)
{
	struct vd_changes *changes = calloc(1, sizeof(*changes));

	if (!changes)
		return NULL;
	changes->notes = json_array();
	changes->items = calloc(count + 1, sizeof(*changes->items));
	if (changes->notes && changes->items)
		return changes;
	vd_changes_free(changes);
	return NULL;
}

static int compare_changes(const void *a, const void *b)
{
	const struct vd_change *left = a, *right = b;
	int order;

	if (left->kind != right->kind)
		return left->kind < right->kind ? -1 : 1;
	order = strcmp(left->project, right->project);
	return order != 0 ? order : strcmp(left->name, right->name);
}

static struct vd_change *find_change(struct vd_changes *changes, size_t sorted, enum vd_kind kind, const char *project,
				     const char *name)
{
	struct vd_change key = {.kind = kind, .project = (char *)project, .name = (char *)name};

	return bsearch(&key, changes->items, sorted, sizeof(key), compare_changes);
}

int vd_changes_add(struct vd_changes *changes, enum vd_kind kind, const char *project, const char *name,
		   const struct vd_resource *before, struct vd_resource *after)
{
	struct vd_change *change = &changes->items[changes->count];

	*change = (struct vd_change){.kind = kind, .project = strdup(project), .name = strdup(name)};
	changes->count++;
	/* A model hands out const pointers, since nobody changes what is in it; counting is no change. */
	change->before = before ? vd_resource_ref((struct vd_resource *)before) : NULL;
	change->after = after ? vd_resource_ref(after) : NULL;
	return change->project && change->name ? 0 : -ENOMEM;
}

/* --- from documents --- */

static int parse_document(const struct vd_model *model, const json_t *document, const char *project, struct vd_changes *changes,
			  struct vd_error *error)
{
	VD_CLEANUP(vd_resource_unref_cleanup) struct vd_resource *after = NULL;
	const char *word = json_string_value(json_object_get(document, "kind"));
	enum vd_kind kind;
	bool is_shared = word && vd_kind_parse(word, false, &kind) == 0 && vd_kind_is_shared(kind);
	const struct vd_resource *before;
	json_t *with_project;
	int r;

	/* A host or network is of no project, so it is not of the one that the user works in. */
	if (json_is_object(document) && !json_object_get(document, "project") && project &&
	    strcmp(project, VD_PROJECT_DEFAULT) != 0 && !is_shared) {
		with_project = json_copy((json_t *)document);
		json_object_set_new(with_project, "project", json_string(project));
		r = vd_resource_parse(with_project, changes->notes, &after, error);
		json_decref(with_project);
	} else {
		r = vd_resource_parse(document, changes->notes, &after, error);
	}
	if (r < 0)
		return r;
	before = vd_model_get(model, after->kind, after->project, after->name);
	return vd_changes_add(changes, after->kind, after->project, after->name, before, after);
}

static int refuse_doubles(const struct vd_changes *changes, struct vd_error *error)
{
	char object[VD_OBJECT_SIZE];

	for (size_t i = 1; i < changes->count; i++)
		if (compare_changes(&changes->items[i - 1], &changes->items[i]) == 0)
			return vd_error_set(error, -EEXIST, "%s stands twice in what is applied; leave one out",
					    vd_resource_text(changes->items[i].after, object));
	return 0;
}

/* --- what else changes with what was asked for --- */

/* Room for one change more. */
static int reserve(struct vd_pull *pull)
{
	size_t size = pull->size * 2 + 64;
	struct vd_change *items;

	if (pull->changes->count < pull->size)
		return 0;
	items = reallocarray(pull->changes->items, size, sizeof(*items));
	if (!items)
		return -ENOMEM;
	pull->changes->items = items;
	pull->size = size;
	return 0;
}

const struct vd_change *vd_pull_find(const struct vd_pull *pull, enum vd_kind kind, const char *project, const char *name)
{
	return find_change(pull->changes, pull->sorted, kind, project, name);
}

int vd_pull_add(struct vd_pull *pull, const struct vd_resource *before, struct vd_resource *after)
{
	const struct vd_resource *resource = before ? before : after;
	int r = reserve(pull);

	return r < 0 ? r : vd_changes_add(pull->changes, resource->kind, resource->project, resource->name, before, after);
}

int vd_pull_same(struct vd_pull *pull, const struct vd_resource *resource)
{
	VD_CLEANUP(vd_resource_unref_cleanup) struct vd_resource *after = NULL;

	if (vd_pull_find(pull, resource->kind, resource->project, resource->name))
		return 0;
	after = vd_resource_clone(resource);
	return after ? vd_pull_add(pull, resource, after) : -ENOMEM;
}

static int pull_member(const struct vd_resource *resource, void *userdata)
{
	return vd_pull_same(userdata, resource);
}

static bool segment_differs(const struct vd_resource *before, const struct vd_resource *after)
{
	struct vd_segment a = vd_segment_of(before), b = vd_segment_of(after);
	bool same = vd_cidrs_equal(a.cidrs, a.cidr_count, b.cidrs, b.cidr_count);

	for (size_t i = 0; same && i < a.gateway_count; i++)
		same = vd_address_equal(&a.gateways[i], &b.gateways[i]);
	return !same;
}

static int add_default_rule(struct vd_pull *pull, const struct vd_resource *group, const char *direction)
{
	VD_CLEANUP(vd_resource_unref_cleanup) struct vd_resource *rule = NULL;
	json_t *document =
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:b}", "kind", vd_kind_word(VD_KIND_SECURITY_GROUP_RULE), "project",
			  group->project, "group", group->name, "direction", direction, "remote_group", group->name, "default", 1);
	struct vd_error error;
	int r;

	if (!document)
		return -ENOMEM;
	r = vd_resource_parse(document, NULL, &rule, &error);
	json_decref(document);
	if (r < 0)
		return r;
	return vd_pull_find(pull, rule->kind, rule->project, rule->name) ? 0 : vd_pull_add(pull, NULL, rule);
}

/* A new group comes with two rules: everything from itself, everything to itself. */
static int add_default_rules(struct vd_pull *pull, const struct vd_change *group)
{
	const struct vd_resource *after = group->after;
	int r = add_default_rule(pull, after, "ingress");

	return r < 0 ? r : add_default_rule(pull, after, "egress");
}

/*
 * Ports and virtual IPs of a subnet or network whose CIDRs or gateways change are part of the change: they may get an address more,
 * or stand in its way.
 */
static int pull_members(struct vd_pull *pull, const struct vd_change *change)
{
	int r;

	if (!segment_differs(change->before, change->after))
		return 0;
	if (change->kind == VD_KIND_NETWORK) {
		r = vd_model_each_port_of_network(pull->model, change->name, pull_member, pull);
		return r < 0 ? r : vd_model_each_vip_of_network(pull->model, change->name, pull_member, pull);
	}
	r = vd_model_each_port_of_subnet(pull->model, change->project, change->name, pull_member, pull);
	return r < 0 ? r : vd_model_each_vip_of_subnet(pull->model, change->project, change->name, pull_member, pull);
}

static int complete_change(struct vd_pull *pull, const struct vd_change *change)
{
	if ((change->kind == VD_KIND_SUBNET || change->kind == VD_KIND_NETWORK) && change->before)
		return pull_members(pull, change);
	if (change->kind == VD_KIND_SECURITY_GROUP && !change->before)
		return add_default_rules(pull, change);
	if (change->kind == VD_KIND_VPC)
		return vd_companions_of_vpc(pull, change);
	return change->kind == VD_KIND_ELASTIC_IP ? vd_companions_of_elastic_ip(pull, change) : 0;
}

/* One resource may be pulled in by two: as it is, and to change or to go. */
static void drop_doubles(struct vd_changes *changes)
{
	size_t count = 0;

	for (size_t i = 0; i < changes->count; i++) {
		struct vd_change *change = &changes->items[i], *last = count > 0 ? &changes->items[count - 1] : NULL;

		if (!last || compare_changes(last, change) != 0) {
			changes->items[count++] = *change;
			continue;
		}
		/* What stayed as it was gives way. */
		if (last->after && vd_resource_equal(last->before, last->after)) {
			struct vd_change swapped = *last;

			*last = *change;
			*change = swapped;
		}
		clear_change(change);
	}
	changes->count = count;
}

static int complete(const struct vd_model *model, struct vd_changes *changes, struct vd_error *error)
{
	struct vd_pull pull = {
		.changes = changes, .model = model, .sorted = changes->count, .size = changes->count + 1, .error = error};

	for (size_t i = 0; i < pull.sorted; i++) {
		/* A copy: the items may move. */
		const struct vd_change change = changes->items[i];
		int r = complete_change(&pull, &change);

		if (r < 0)
			return r;
	}
	qsort(changes->items, changes->count, sizeof(*changes->items), compare_changes);
	drop_doubles(changes);
	return 0;
}

/* --- what goes --- */

struct need {
	const struct vd_model *model;    /* an overlay without what goes */
	const struct vd_resource *first; /* of those who need it, by name */
	size_t count;
};

static int note_need(const struct vd_resource *resource, void *userdata)
{
	struct need *need = userdata;

	int order = need->first ? strcmp(resource->name, need->first->name) : -1;

	if (order == 0)
		order = strcmp(resource->project, need->first->project);
	need->count++;
	if (!need->first || resource->kind < need->first->kind || (resource->kind == need->first->kind && order < 0))
		need->first = resource;
	return 0;
}

/* A route to this address needs the port when its own VPC is the one that the port was in. */
static int note_next_hop(const struct vd_resource *resource, void *userdata)
{
	const struct need *need = userdata;
	struct vd_validation validation = {.model = (struct vd_model *)need->model};

	return vd_next_hop_check(&validation, resource) < 0 ? note_need(resource, userdata) : 0;
}

/* Something of its owner's cannot go alone. */
static int check_companion(const struct vd_validation *validation, const struct vd_virtual_ip *vip, struct vd_error *error)
{
	const struct vd_vpc *vpc;
	char object[VD_OBJECT_SIZE];

	if (!vip->vpc)
		return 0;
	vpc = (const struct vd_vpc *)vd_model_get(validation->model, VD_KIND_VPC, vip->head.project, vip->vpc);
	for (size_t i = 0; vpc && i < vpc->network_count; i++)
		if (strcmp(vpc->networks[i].network, vip->network) == 0)
			return vd_error_set(
				error, -EBUSY,
				"%s is the address of the router of vpc %s on network %s; detach the VPC from the network",
				vd_resource_text(&vip->head, object), vip->vpc, vip->network);
	return vpc ? vd_detachment_check(validation, vip, error) : 0;
}

static const char *remedy(const struct vd_change *change, const struct vd_resource *user)
{
	if (change->kind == VD_KIND_SECURITY_GROUP && user->kind == VD_KIND_PORT)
		return "take that out of the group first";
	if (change->kind == VD_KIND_PORT &&
	    (user->kind == VD_KIND_VIRTUAL_IP || user->kind == VD_KIND_ELASTIC_IP || user->kind == VD_KIND_PORT_FORWARD))
		return "unbind that first, or delete all together";
	return "delete that first, or all together";
}

static int check_needs(const struct vd_validation *validation, const struct vd_change *change, struct vd_error *error)
{
	const struct vd_model *overlay = validation->model;
	const struct vd_port *port = (const struct vd_port *)change->before;
	struct need need = {.model = overlay};
	char text[VD_ADDRESS_TEXT], object[VD_OBJECT_SIZE], other[VD_OBJECT_SIZE], more[32] = "";
	int r;

	if (change->kind == VD_KIND_VIRTUAL_IP) {
		r = check_companion(validation, (const struct vd_virtual_ip *)change->before, error);
		if (r < 0)
			return r;
	}
	if (change->kind == VD_KIND_CONTAINER_BLOCK)
		return vd_block_check_removal(validation, (const struct vd_container_block *)change->before, error);
	/* Without its declaration the pool "default" is still there, with all VNIs; the profile "default" likewise. */
	if ((change->kind == VD_KIND_VXLAN_POOL && vd_model_vxlan_pool(overlay, change->project, change->name)) ||
	    (change->kind == VD_KIND_ROUTER_PROFILE && vd_model_router_profile(overlay, change->project, change->name)))
		return 0;
	/* Facts follow: an agent detaches what has no port any more. */
	for (int referrer = 0; referrer < VD_KIND_USER_COUNT; referrer++)
		vd_model_each_referrer(overlay, (enum vd_kind)referrer, (int)change->kind, change->project, change->name, note_need,
				       &need);
	for (size_t i = 0; change->kind == VD_KIND_PORT && i < port->assigned_address_count; i++) {
		vd_address_format(&port->assigned_addresses[i], text);
		vd_model_each_referrer(overlay, VD_KIND_ROUTE, VD_GROUP_NEXT_HOP, change->project, text, note_next_hop, &need);
		vd_model_each_referrer(overlay, VD_KIND_POLICY_ROUTE, VD_GROUP_NEXT_HOP, change->project, text, note_next_hop,
				       &need);
	}
	/* A table may have its next hops through a subnet that names it, and through nothing else. */
	if (change->kind == VD_KIND_SUBNET && ((const struct vd_subnet *)change->before)->route_table) {
		const char *table = ((const struct vd_subnet *)change->before)->route_table;

		vd_model_each_route_of_table(overlay, change->project, table, note_next_hop, &need);
		vd_model_each_policy_route_of_table(overlay, change->project, table, note_next_hop, &need);
	}
	if (!need.first)
		return 0;
	if (need.count > 1)
		snprintf(more, sizeof(more), " and %zu more", need.count - 1);
	return vd_error_set(error, -EBUSY, "%s is needed by %s%s; %s",
			    vd_object_text(change->kind, change->project, change->name, object),
			    vd_resource_text(need.first, other), more, remedy(change, need.first));
}

/* --- the model afterwards --- */

struct reference_check {
	const struct vd_validation *validation;
	const struct vd_resource *resource;
	const char *object;
};

static int check_reference(const struct vd_field *field, const char *name, void *userdata)
{
	const struct reference_check *check = userdata;
	const char *project = vd_reference_project(field->reference, check->resource->project);
	const struct vd_model *model = check->validation->model;
	char other[VD_OBJECT_SIZE];

	if (vd_model_get(model, field->reference, project, name))
		return 0;
	if (field->reference == VD_KIND_VXLAN_POOL && vd_model_vxlan_pool(model, project, name))
		return 0;
	if (field->reference == VD_KIND_ROUTER_PROFILE && vd_model_router_profile(model, project, name))
		return 0;
	/* A host that runs needs no declaration. */
	if (field->reference == VD_KIND_HOST && vd_model_get(model, VD_KIND_CLAIM, project, name))
		return 0;
	return vd_error_set(check->validation->error, -ENOENT, "%s: %s does not exist; apply it too, or correct %s", check->object,
			    vd_object_text(field->reference, project, name, other), field->name ? field->name : field->singular);
}

/* The first of three rounds: everything that is given or kept takes its place. */
static int claim(struct vd_validation *validation, struct vd_change *change)
{
	const struct vd_kind_type *type = vd_kind_type(change->kind);
	struct vd_resource *after = change->after;
	char object[VD_OBJECT_SIZE];
	struct reference_check check = {.validation = validation, .resource = after, .object = object};
	int r;

	if (!after)
		return 0;
	vd_resource_text(after, object);
	r = vd_resource_each_reference(after, check_reference, &check);
	if (r == 0 && type->claim)
		r = type->claim(validation, after, object, validation->error);
	if (r < 0)
		return r;
	if (after->id == 0)
		r = vd_validation_give_id(validation, object, &after->id);
	if (r < 0)
		return r;
	return vd_model_put(validation->model, after);
}

static int assign(struct vd_validation *validation, struct vd_change *change)
{
	const struct vd_kind_type *type = vd_kind_type(change->kind);
	char object[VD_OBJECT_SIZE];
	int r;

	if (!type->assign || !change->after)
		return 0;
	r = type->assign(validation, change->after, vd_resource_text(change->after, object), validation->error);
	/* Once more, for the indexes. */
	return r < 0 ? r : vd_model_put(validation->model, change->after);
}

static int check(struct vd_validation *validation, const struct vd_change *change)
{
	const struct vd_kind_type *type = vd_kind_type(change->kind);
	char object[VD_OBJECT_SIZE];

	if (!change->after)
		return check_needs(validation, change, validation->error);
	if (!type->check)
		return 0;
	return type->check(validation, change->before, change->after, vd_resource_text(change->after, object), validation->error);
}

static int validate(const struct vd_model *model, struct vd_changes *changes, struct vd_validation *validation)
{
	int r = 0;

	validation->next_id = &changes->next_id;
	validation->model = vd_model_overlay(model);
	if (!validation->model)
		return -ENOMEM;
	/* What is replaced is out of the way first, so that two resources may swap what they hold. */
	for (size_t i = 0; i < changes->count; i++)
		if (changes->items[i].before)
			vd_model_remove(validation->model, changes->items[i].kind, changes->items[i].project,
					changes->items[i].name);
	for (size_t i = 0; r == 0 && i < changes->count; i++)
		r = claim(validation, &changes->items[i]);
	for (size_t i = 0; r == 0 && i < changes->count; i++)
		r = assign(validation, &changes->items[i]);
	for (size_t i = 0; r == 0 && i < changes->count; i++)
		r = check(validation, &changes->items[i]);
	return r;
}

static int succeed(struct vd_change *change, struct vd_error *error)
{
	const struct vd_kind_type *type = vd_kind_type(change->kind);
	char object[VD_OBJECT_SIZE];

	if (!change->before)
		return 0;
	change->after->id = change->before->id;
	return type->succeed ? type->succeed(change->before, change->after, vd_resource_text(change->after, object), error) : 0;
}

/* What stays as it was is one and the same resource, before and after. */
static void settle(struct vd_change *change)
{
	if (!change->before || !change->after || !vd_resource_equal(change->before, change->after))
		return;
	vd_resource_unref(change->after);
	change->after = vd_resource_ref(change->before);
}

int vd_changes_finish(const struct vd_model *model, struct vd_changes *changes, struct vd_error *error)
{
	struct vd_validation validation = {.error = error};
	int r;

	qsort(changes->items, changes->count, sizeof(*changes->items), compare_changes);
	r = validate(model, changes, &validation);
	vd_validation_clear(&validation);
	for (size_t i = 0; r == 0 && i < changes->count; i++)
		settle(&changes->items[i]);
	return r;
}

int vd_changes_from_documents(const struct vd_model *model, const json_t *documents, const char *project, uint32_t next_id,
			      struct vd_changes **ret, struct vd_error *error)
{
	VD_CLEANUP(vd_changes_free_cleanup) struct vd_changes *changes = vd_changes_new(json_array_size(documents));
	const json_t *document;
	size_t i;
	int r = 0;

	if (!changes)
		return -ENOMEM;
	changes->next_id = next_id;
	json_array_foreach (documents, i, document) {
		r = parse_document(model, document, project, changes, error);
		if (r < 0)
			return r;
	}
	qsort(changes->items, changes->count, sizeof(*changes->items), compare_changes);
	r = refuse_doubles(changes, error);
	for (i = 0; r == 0 && i < changes->count; i++)
		r = succeed(&changes->items[i], error);
	if (r == 0)
		r = complete(model, changes, error);
	if (r == 0)
		r = vd_changes_finish(model, changes, error);
	if (r < 0)
		return r;
	*ret = VD_TAKE(changes);
	return 0;
}

/* --- deletion --- */

static int add_removal(struct vd_pull *pull, const struct vd_resource *before)
{
	/* Named twice is deleted once. */
	if (!vd_model_remove(pull->overlay, before->kind, before->project, before->name))
		return 0;
	return vd_pull_add(pull, before, NULL);
}

static int remove_owned(const struct vd_resource *resource, void *userdata)
{
	return add_removal(userdata, resource);
}

/* A group's rules go with it, a VPC's addresses on networks, the virtual_ip that was made for an elastic IP, and blocks. */
static int remove_companions(struct vd_pull *pull, const struct vd_resource *owner)
{
	const struct vd_resource *vip;

	if (owner->kind == VD_KIND_SECURITY_GROUP)
		return vd_model_each_rule_of_group(pull->model, owner->project, owner->name, remove_owned, pull);
	if (owner->kind == VD_KIND_VPC)
		return vd_model_each_vip_of_vpc(pull->model, owner->project, owner->name, remove_owned, pull);
	if (owner->kind == VD_KIND_CONTAINER_NETWORK)
		return vd_model_each_block_of_container_network(pull->model, owner->project, owner->name, remove_owned, pull);
	if (owner->kind != VD_KIND_ELASTIC_IP)
		return 0;
	vip = vd_model_get(pull->model, VD_KIND_VIRTUAL_IP, owner->project, owner->name);
	return vip && vd_is_companion(vip, owner) ? add_removal(pull, vip) : 0;
}

static int add_deletion(struct vd_pull *pull, const struct vd_identity *identity, struct vd_error *error)
{
	const struct vd_resource *before = vd_model_get(pull->model, identity->kind, identity->project, identity->name);
	char object[VD_OBJECT_SIZE];
	int r;

	if (!before)
		return vd_error_set(error, -ENOENT, "%s does not exist",
				    vd_object_text(identity->kind, identity->project, identity->name, object));
	r = add_removal(pull, before);
	return r < 0 ? r : remove_companions(pull, before);
}

/* What containers may stand in is no user's to take away, but with the whole network. */
static int check_held(const struct vd_validation *validation, const struct vd_change *change, struct vd_error *error)
{
	const struct vd_container_block *block = (const struct vd_container_block *)change->before;
	char object[VD_OBJECT_SIZE];

	if (change->kind != VD_KIND_CONTAINER_BLOCK || block->port || block->assigned_state == VD_BLOCK_STATE_CHOSEN ||
	    !vd_model_get(validation->model, VD_KIND_CONTAINER_NETWORK, change->project, block->container_network))
		return 0;
	vd_resource_text(change->before, object);
	if (block->assigned_state == VD_BLOCK_STATE_QUARANTINED)
		return vd_error_set(
			error, -EBUSY,
			"%s: node %s held it until it died, and containers may still stand in it; it goes by itself when its "
			"quarantine is over",
			object, block->node);
	return vd_error_set(error, -EBUSY,
			    "%s: node %s holds it, and containers may stand in it; let the node leave container_network %s, which "
			    "releases it",
			    object, block->node, block->container_network);
}

int vd_changes_from_deletion(const struct vd_model *model, const struct vd_identity *identities, size_t count,
			     struct vd_changes **ret, struct vd_error *error)
{
	VD_CLEANUP(vd_changes_free_cleanup) struct vd_changes *changes = vd_changes_new(count);
	struct vd_validation validation = {.model = vd_model_overlay(model)};
	struct vd_pull pull = {.changes = changes, .model = model, .size = count + 1, .overlay = validation.model};
	int r = 0;

	if (!changes || !validation.model)
		r = -ENOMEM;
	for (size_t i = 0; r == 0 && i < count; i++)
		r = add_deletion(&pull, &identities[i], error);
	if (r == 0)
		qsort(changes->items, changes->count, sizeof(*changes->items), compare_changes);
	for (size_t i = 0; r == 0 && i < changes->count; i++)
		r = check_needs(&validation, &changes->items[i], error);
	for (size_t i = 0; r == 0 && i < changes->count; i++)
		r = check_held(&validation, &changes->items[i], error);
	vd_validation_clear(&validation);
	if (r < 0)
		return r;
	*ret = VD_TAKE(changes);
	return 0;
}
