/* SPDX-License-Identifier: Apache-2.0 */
#include "model/validation.h"

#include <errno.h>
#include <string.h>

#define OFFSET(member) offsetof(struct vd_container_block, member)

static const char *const states[] = {"chosen", "held", "quarantined", NULL};

static const struct vd_field fields[] = {
	{"container_network", .type = VD_FIELD_TYPE_NAME, .required = true, .offset = OFFSET(container_network),
	 .is_reference = true, .reference = VD_KIND_CONTAINER_NETWORK, .help = "What it is part of."},
	{"cidr", .type = VD_FIELD_TYPE_PREFIX, .required = true, .offset = OFFSET(cidr),
	 .help = "Its addresses, of the network's block size; or one address inside another node's block, which moved."},
	{"node", .type = VD_FIELD_TYPE_NAME, .offset = OFFSET(node), .is_reference = true, .reference = VD_KIND_HOST,
	 .help = "The host that holds it; either this or port. Cannot change."},
	{"port", .type = VD_FIELD_TYPE_NAME, .offset = OFFSET(port), .is_reference = true, .reference = VD_KIND_PORT,
	 .help = "The instance, without a viaductd of its own, behind which its containers stand."},
	{"state", .type = VD_FIELD_TYPE_WORD, .is_assigned = true, .offset = OFFSET(assigned_state), .words = states,
	 .help = "chosen for a node that has not taken it up, held by it, or quarantined after the node died."},
	{"quarantined_until", .type = VD_FIELD_TYPE_NUMBER64, .is_assigned = true, .offset = OFFSET(assigned_quarantined_until),
	 .help = "When a quarantined one is free, in seconds since 1970."},
};

static int block_complete(struct vd_resource *resource, const char *object, struct vd_error *error)
{
	struct vd_container_block *block = (struct vd_container_block *)resource;
	char text[VD_PREFIX_TEXT], name[VD_IDENTITY_SIZE];

	snprintf(name, sizeof(name), "%s/%s", block->container_network, vd_prefix_format(&block->cidr, text));
	free(resource->name);
	resource->name = strdup(name);
	if (!resource->name)
		return -ENOMEM;
	/* Until a succession says otherwise. */
	block->assigned_state = block->port ? VD_BLOCK_STATE_HELD : VD_BLOCK_STATE_CHOSEN;
	return 0;
}

const struct vd_kind_type vd_kind_type_container_block = {
	.word = "container_block",
	.plural = "container_blocks",
	.naming = VD_NAMING_DERIVED,
	.help = "Part of a container network: the addresses of one node's containers.",
	.size = sizeof(struct vd_container_block),
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
	.complete = block_complete,
};
