/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_MODEL_CONTAINER_H
#define VD_MODEL_CONTAINER_H

/* Inside src/model only: what container networks, nodes, blocks and peerings check of each other. */

#include "model/block.h"
#include "model/validation.h"

/*
 * space.c: all addresses that a VPC or a host reaches lie apart. A VPC reaches its own CIDRs, those of the container networks that
 * name it or have nodes in it, and of its peers their CIDRs and those of their routed container networks, as the peering translates
 * them. A host reaches the
 * container networks in which it is a node or a gateway, of any project. Each is looked at once in a change.
 */
int vd_space_check_vpc(struct vd_validation *validation, const char *project, const char *vpc, const char *object);
/* Whether the prefix is a CIDR of the VPC, or of a container network that its peers reach. 1, 0, or a negative errno. */
int vd_space_has(struct vd_validation *validation, const char *project, const char *vpc, const struct vd_prefix *prefix);
/* And its peers, which reach what it reaches itself. */
int vd_space_check_vpc_and_peers(struct vd_validation *validation, const char *project, const char *vpc, const char *object);
int vd_space_check_host(struct vd_validation *validation, const char *host, const char *object);

/* node.c: can this node take part in its container networks? */
int vd_node_check(struct vd_validation *validation, const struct vd_node *node, const char *object);
/* The VPC of the instance that a node is; NULL: of none. */
const char *vd_node_vpc(const struct vd_model *model, const struct vd_node *node);

/* container_block.c: does it lie inside its network, with the right size, and can its port be led to? */
int vd_block_check_place(const struct vd_validation *validation, const struct vd_container_block *block,
			 const struct vd_container_network *network);

/* block.c: all blocks of a container network lie inside it and apart. Once in a change. */
int vd_blocks_check(struct vd_validation *validation, const struct vd_container_network *network);
/* A block goes: nothing may have moved out of it. */
int vd_block_check_removal(const struct vd_validation *validation, const struct vd_container_block *block, struct vd_error *error);

const struct vd_container_network *vd_block_network(const struct vd_model *model, const struct vd_container_block *block);

#endif
