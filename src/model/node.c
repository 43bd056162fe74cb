/* SPDX-License-Identifier: Apache-2.0 */
#include "model/binding.h"
#include "model/container.h"

#include <errno.h>
#include <string.h>

#define OFFSET(member) offsetof(struct vd_node, member)

static const struct vd_field fields[] = {
	{NULL, "name", .type = VD_FIELD_TYPE_NAME, .offset = OFFSET(host), .is_reference = true, .reference = VD_KIND_HOST},
	{"container_networks", "container_network", VD_FIELD_TYPE_NAMES, .required = true, .offset = OFFSET(container_networks),
	 .count_offset = OFFSET(container_network_count), .max = 64, .is_reference = true, .reference = VD_KIND_CONTAINER_NETWORK,
	 .help = "The container networks that it takes part in."},
	{"port", .type = VD_FIELD_TYPE_NAME, .offset = OFFSET(port), .is_reference = true, .reference = VD_KIND_PORT,
	 .help = "The instance that it is, when it stands inside a VPC."},
	{"lan", .type = VD_FIELD_TYPE_TEXT, .offset = OFFSET(lan), .max = 63,
	 .help = "Nodes with the same text reach each other without a gateway; without it the prefix of its underlay address."},
};

/* The name is the host's: once more, so that it is a reference. */
static int node_complete(struct vd_resource *resource, const char *object, struct vd_error *error)
{
	struct vd_node *node = (struct vd_node *)resource;

	free(node->host);
	node->host = strdup(resource->name);
	if (!node->host)
		return -ENOMEM;
	if (node->lan && node->lan[0] == '\0')
		return vd_error_set(error, -EINVAL, "%s: lan is empty; give it a text or leave it out", object);
	return 0;
}

const char *vd_node_vpc(const struct vd_model *model, const struct vd_node *node)
{
	const struct vd_port *port =
		node->port ? (const struct vd_port *)vd_model_get(model, VD_KIND_PORT, node->head.project, node->port) : NULL;

	return port ? vd_port_vpc(model, port) : NULL;
}

/* --- its port --- */

struct twin {
	const struct vd_node *node;
	const struct vd_resource *found;
};

static int find_twin(const struct vd_resource *resource, void *userdata)
{
	struct twin *twin = userdata;

	if (resource == &twin->node->head)
		return 0;
	twin->found = resource;
	return 1;
}

static int check_port(struct vd_validation *validation, const struct vd_node *node, const char *object)
{
	const struct vd_model *model = validation->model;
	struct twin twin = {.node = node};
	char other[VD_OBJECT_SIZE];

	if (!node->port)
		return 0;
	if (!vd_node_vpc(model, node))
		return vd_error_set(validation->error, -EINVAL,
				    "%s: port %s stands on a network itself, in no VPC; choose one of a subnet, or leave port out",
				    object, node->port);
	if (vd_model_each_node_of_port(model, node->head.project, node->port, find_twin, &twin) != 0)
		return vd_error_set(validation->error, -EEXIST, "%s: port %s is %s already; choose this one's", object, node->port,
				    vd_resource_text(twin.found, other));
	return 0;
}

static int check_network(struct vd_validation *validation, const struct vd_node *node, const char *name, const char *object)
{
	const struct vd_container_network *network = (const struct vd_container_network *)vd_model_get(
		validation->model, VD_KIND_CONTAINER_NETWORK, node->head.project, name);

	if (network->provider == VD_ROUTE_PROVIDER_VPC && !node->port)
		return vd_error_set(
			validation->error, -EINVAL,
			"%s: container_network %s has its routes in VPC %s, which have to lead to a port; give port: the "
			"one that this instance has",
			object, name, network->vpc);
	if (network->mode == VD_CONTAINER_MODE_NATIVE && node->port)
		return vd_error_set(
			validation->error, -EINVAL,
			"%s: container_network %s is native, which hosts of its VPC take part in, and port %s says that "
			"this one is an instance; leave one of the two out",
			object, name, node->port);
	return 0;
}

int vd_node_check(struct vd_validation *validation, const struct vd_node *node, const char *object)
{
	int r = check_port(validation, node, object);

	for (size_t i = 0; r == 0 && i < node->container_network_count; i++)
		r = check_network(validation, node, node->container_networks[i], object);
	return r;
}

static int node_check(struct vd_validation *validation, const struct vd_resource *before, const struct vd_resource *after,
		      const char *object, struct vd_error *error)
{
	const struct vd_node *node = (const struct vd_node *)after;
	const char *vpc = vd_node_vpc(validation->model, node);
	int r;

	r = vd_node_check(validation, node, object);
	if (r == 0)
		r = vd_space_check_host(validation, node->host, object);
	return r < 0 || !vpc ? r : vd_space_check_vpc_and_peers(validation, after->project, vpc, object);
}

const struct vd_node *vd_model_node_in_network(const struct vd_model *model, const struct vd_container_network *network,
					       const char *host)
{
	const struct vd_node *node = (const struct vd_node *)vd_model_get(model, VD_KIND_NODE, network->head.project, host);

	for (size_t i = 0; node && i < node->container_network_count; i++)
		if (strcmp(node->container_networks[i], network->head.name) == 0)
			return node;
	return NULL;
}

const struct vd_kind_type vd_kind_type_node = {
	.word = "node",
	.plural = "nodes",
	.help = "A host that takes part in container networks; it is called as the host is.",
	.size = sizeof(struct vd_node),
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
	.complete = node_complete,
	.check = node_check,
};
