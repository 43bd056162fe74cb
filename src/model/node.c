/* SPDX-License-Identifier: Apache-2.0 */
#include "model/validation.h"

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
	return node->host ? 0 : -ENOMEM;
}

const struct vd_kind_type vd_kind_type_node = {
	.word = "node",
	.plural = "nodes",
	.help = "A host that takes part in container networks; it is called as the host is.",
	.size = sizeof(struct vd_node),
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
	.complete = node_complete,
};
