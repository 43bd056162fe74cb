/* SPDX-License-Identifier: Apache-2.0 */
#include "model/container.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

/* A CIDR and whose it is: a VPC or a container network. */
struct territory {
	struct vd_prefix prefix; /* as it is seen from here */
	struct vd_prefix cidr;   /* as its owner has it */
	const struct vd_resource *owner;
	const struct vd_peering *peering; /* by which it is seen; NULL: without one */
	const char *vpc;                  /* of that peering, the one that it is in */
};

struct space {
	struct vd_validation *validation;
	const char *project, *vpc;        /* while what a VPC reaches is collected */
	bool routed_only;                 /* of a peer: what goes by tunnel is not seen */
	const struct vd_peering *peering; /* likewise; NULL: the VPC's own */
	struct territory *items;
	size_t count, size;
};

static int add(struct space *space, const struct vd_prefix *prefixes, size_t count, const struct vd_resource *owner)
{
	if (space->count + count > space->size) {
		size_t size = (space->count + count) * 2 + 16;
		struct territory *items = reallocarray(space->items, size, sizeof(*items));

		if (!items)
			return -ENOMEM;
		space->items = items;
		space->size = size;
	}
	for (size_t i = 0; i < count; i++)
		space->items[space->count++] = (struct territory){
			.prefix = space->peering ? vd_peering_translate(space->peering, space->vpc, &prefixes[i]) : prefixes[i],
			.cidr = prefixes[i],
			.owner = owner,
			.peering = space->peering,
			.vpc = space->vpc,
		};
	return 0;
}

static int add_network(const struct vd_resource *resource, void *userdata)
{
	const struct vd_container_network *network = (const struct vd_container_network *)resource;
	struct space *space = userdata;

	if (space->routed_only && network->mode != VD_CONTAINER_MODE_ROUTED)
		return 0;
	return add(space, network->cidrs, network->cidr_count, resource);
}

static int add_networks_of_node(struct space *space, const struct vd_node *node)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < node->container_network_count; i++) {
		const struct vd_resource *network = vd_model_get(space->validation->model, VD_KIND_CONTAINER_NETWORK,
								 node->head.project, node->container_networks[i]);

		r = network ? add_network(network, space) : 0;
	}
	return r;
}

/* A node that is an instance in the VPC brings its networks with it. */
static int visit_node(const struct vd_resource *resource, void *userdata)
{
	const struct vd_node *node = (const struct vd_node *)resource;
	struct space *space = userdata;
	const char *vpc = vd_node_vpc(space->validation->model, node);

	return vpc && strcmp(vpc, space->vpc) == 0 ? add_networks_of_node(space, node) : 0;
}

static int add_vpc(struct space *space, const char *name, bool routed_only)
{
	const struct vd_model *model = space->validation->model;
	const struct vd_vpc *vpc = (const struct vd_vpc *)vd_model_get(model, VD_KIND_VPC, space->project, name);
	int r;

	if (!vpc)
		return 0;
	space->vpc = name;
	space->routed_only = routed_only;
	r = add(space, vpc->cidrs, vpc->cidr_count, &vpc->head);
	if (r == 0)
		r = vd_model_each_container_network_of_vpc(model, space->project, name, add_network, space);
	return r < 0 ? r : vd_model_each(model, VD_KIND_NODE, space->project, visit_node, space);
}

struct peers {
	struct space *space;
	const char *vpc;
};

static const char *other_of(const struct vd_peering *peering, const char *vpc)
{
	return strcmp(peering->vpc, vpc) == 0 ? peering->peer : peering->vpc;
}

static int visit_peering(const struct vd_resource *resource, void *userdata)
{
	const struct peers *peers = userdata;

	peers->space->peering = (const struct vd_peering *)resource;
	return add_vpc(peers->space, other_of(peers->space->peering, peers->vpc), true);
}

static int compare(const void *a, const void *b)
{
	const struct territory *left = a, *right = b;
	int order = vd_address_compare(&left->prefix.address, &right->prefix.address);

	if (order != 0)
		return order;
	if (left->prefix.length != right->prefix.length)
		return left->prefix.length < right->prefix.length ? -1 : 1;
	order = (int)left->owner->kind - (int)right->owner->kind;
	if (order == 0)
		order = strcmp(left->owner->name, right->owner->name);
	return order != 0 ? order : strcmp(left->owner->project, right->owner->project);
}

#define TERRITORY_TEXT (2 * VD_PREFIX_TEXT + 8)

static bool is_translated(const struct territory *territory)
{
	return !vd_prefix_equal(&territory->prefix, &territory->cidr);
}

/* "192.168.0.0/16", "192.168.0.0/16 (as 100.64.0.0/16)"; returns text. */
static const char *territory_text(const struct territory *territory, char text[TERRITORY_TEXT])
{
	char cidr[VD_PREFIX_TEXT], as[VD_PREFIX_TEXT];

	vd_prefix_format(&territory->cidr, cidr);
	if (is_translated(territory))
		snprintf(text, TERRITORY_TEXT, "%s (as %s)", cidr, vd_prefix_format(&territory->prefix, as));
	else
		snprintf(text, TERRITORY_TEXT, "%s", cidr);
	return text;
}

#define ADVICE_SIZE (2 * VD_NAME_SIZE + VD_IDENTITY_SIZE + VD_PREFIX_TEXT + 80)

/* What to do: what a peering brings, it can translate; best one that is just being made. Returns text. */
static const char *advice(const struct territory *a, const struct territory *b, const char *object, char text[ADVICE_SIZE])
{
	const struct territory *seen = b->peering ? b : a;
	char peering[VD_OBJECT_SIZE], cidr[VD_PREFIX_TEXT];

	if (a->peering && strcmp(vd_resource_text(&a->peering->head, peering), object) == 0)
		seen = a;
	if (!seen->peering || is_translated(a) || is_translated(b))
		snprintf(text, ADVICE_SIZE, "choose another");
	else
		snprintf(text, ADVICE_SIZE, "choose another, or let peering %s translate it: {vpc: %s, cidr: %s, as: …}",
			 seen->peering->head.name, seen->vpc, vd_prefix_format(&seen->cidr, cidr));
	return text;
}

/* place: "VPC demo", "host n1". */
static int refuse(const struct space *space, const struct territory *a, const struct territory *b, const char *place,
		  const char *object)
{
	char text[VD_OBJECT_SIZE], other[VD_OBJECT_SIZE], cidr[TERRITORY_TEXT], other_cidr[TERRITORY_TEXT], todo[ADVICE_SIZE];

	/* That of the object comes first, if one of the two is. */
	if (strcmp(vd_resource_text(b->owner, text), object) == 0) {
		const struct territory *swapped = a;

		a = b;
		b = swapped;
	}
	territory_text(a, cidr);
	territory_text(b, other_cidr);
	advice(a, b, object, todo);
	vd_resource_text(b->owner, other);
	if (strcmp(vd_resource_text(a->owner, text), object) == 0)
		return vd_error_set(space->validation->error, -EEXIST,
				    "%s: its CIDR %s overlaps %s of %s, and %s could not tell them apart; %s", object, cidr,
				    other_cidr, other, place, todo);
	return vd_error_set(space->validation->error, -EEXIST,
			    "%s: CIDR %s of %s overlaps %s of %s, and %s could not tell them apart; %s", object, cidr, text,
			    other_cidr, other, place, todo);
}

/* Whose own CIDRs overlap is refused elsewhere, but for what a translation makes of them; one network may have come twice. */
static bool can_clash(const struct territory *a, const struct territory *b)
{
	return a->owner != b->owner || ((is_translated(a) || is_translated(b)) && !vd_prefix_equal(&a->cidr, &b->cidr));
}

static int check_apart(struct space *space, const char *place, const char *object)
{
	if (space->count == 0)
		return 0;
	/* In this order a prefix that overlaps any stands next to one that it overlaps. */
	qsort(space->items, space->count, sizeof(*space->items), compare);
	for (size_t i = 1; i < space->count; i++) {
		const struct territory *outer = &space->items[i - 1], *inner = &space->items[i];

		if (can_clash(outer, inner) && vd_prefix_overlaps(&outer->prefix, &inner->prefix))
			return refuse(space, inner, outer, place, object);
	}
	return 0;
}

int vd_space_check_vpc(struct vd_validation *validation, const char *project, const char *vpc, const char *object)
{
	struct space space = {.validation = validation, .project = project};
	struct peers peers = {.space = &space, .vpc = vpc};
	char place[VD_NAME_SIZE + 8];
	int r;

	if (!vd_validation_once(validation, "space of VPC", project, vpc))
		return 0;
	snprintf(place, sizeof(place), "VPC %s", vpc);
	r = add_vpc(&space, vpc, false);
	if (r == 0)
		r = vd_model_each_peering_of_vpc(validation->model, project, vpc, visit_peering, &peers);
	if (r == 0)
		r = check_apart(&space, place, object);
	free(space.items);
	return r;
}

int vd_space_has(struct vd_validation *validation, const char *project, const char *vpc, const struct vd_prefix *prefix)
{
	struct space space = {.validation = validation, .project = project};
	int r = add_vpc(&space, vpc, true);

	for (size_t i = 0; r == 0 && i < space.count; i++)
		r = vd_prefix_equal(&space.items[i].cidr, prefix);
	free(space.items);
	return r;
}

struct views {
	struct vd_validation *validation;
	const char *vpc, *object;
};

static int check_peer(const struct vd_resource *resource, void *userdata)
{
	const struct views *views = userdata;

	return vd_space_check_vpc(views->validation, resource->project, other_of((const struct vd_peering *)resource, views->vpc),
				  views->object);
}

int vd_space_check_vpc_and_peers(struct vd_validation *validation, const char *project, const char *vpc, const char *object)
{
	struct views views = {.validation = validation, .vpc = vpc, .object = object};
	int r = vd_space_check_vpc(validation, project, vpc, object);

	return r < 0 ? r : vd_model_each_peering_of_vpc(validation->model, project, vpc, check_peer, &views);
}

static int visit_node_of_host(const struct vd_resource *resource, void *userdata)
{
	return add_networks_of_node(userdata, (const struct vd_node *)resource);
}

int vd_space_check_host(struct vd_validation *validation, const char *host, const char *object)
{
	struct space space = {.validation = validation};
	char place[VD_NAME_SIZE + 8];
	int r;

	if (!vd_validation_once(validation, "space of host", VD_PROJECT_DEFAULT, host))
		return 0;
	snprintf(place, sizeof(place), "host %s", host);
	r = vd_model_each_node_of_host(validation->model, host, visit_node_of_host, &space);
	/* Those whose gateway it is: the only way in which a container network names a host. */
	if (r == 0)
		r = vd_model_each_referrer(validation->model, VD_KIND_CONTAINER_NETWORK, VD_KIND_HOST, VD_PROJECT_DEFAULT, host,
					   add_network, &space);
	if (r == 0)
		r = check_apart(&space, place, object);
	free(space.items);
	return r;
}
