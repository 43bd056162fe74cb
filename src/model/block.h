/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_MODEL_BLOCK_H
#define VD_MODEL_BLOCK_H

#include "model/change.h"

/*
 * Blocks of container networks, for those who hold them: which one is free, and the writes about them. Pure: the caller knows the
 * time. No two nodes have the same block: it is one record, named by its CIDR, and every write compares the epoch and goes by the
 * rules of vd_changes_from_blocks(). An address inside a block for which a container_block of its own stands (in any state) is not
 * its holder's to give.
 */

/* A block that is a single address, inside a block of another node. */
bool vd_block_is_moved(const struct vd_container_block *block);
/* Its first address behind the network's own: what the node answers as (10.0.2.1). A moved one has none: family none. */
struct vd_address vd_block_gateway(const struct vd_container_block *block);
/* The prefix length of a block of this family. */
uint8_t vd_block_length(const struct vd_container_network *network, unsigned family);

struct vd_block_request {
	const struct vd_container_network *network;
	const char *host; /* the node that asks */
	unsigned family;
	int64_t now;                        /* seconds since 1970: what is quarantined until after it is not free */
	const struct vd_occupied *occupied; /* of the host; what the model's claim of it says is looked at besides */
	size_t occupied_count;
};

/*
 * A free block: next to one of the host's own, so that both may be one route (the block that completes the pair first), else the
 * lowest that leaves a neighbour free, else the lowest. -ENOSPC when there is none: ret_occupied (may be NULL) is then what stands
 * in the way of one that would be free otherwise, or NULL. Borrowed.
 */
int vd_block_choose(const struct vd_model *model, const struct vd_block_request *request, struct vd_prefix *ret,
		    const struct vd_occupied **ret_occupied);
/* What a prefix collides with on a host, by its claim; NULL: nothing. Borrowed. */
const struct vd_occupied *vd_block_collision(const struct vd_model *model, const char *host, const struct vd_prefix *prefix);

/* How one block shall be afterwards. */
struct vd_block_write {
	const char *project, *container_network;
	struct vd_prefix cidr;
	const char *node; /* NULL: the block goes */
	enum vd_block_state state;
	uint64_t quarantined_until;
};

struct vd_block_writes {
	const char *host;                   /* who writes */
	int64_t now;                        /* seconds since 1970 */
	const struct vd_block_write *items; /* one for each block */
	size_t count;
};

/*
 * What a host writes about blocks, to be returned from a vd_replica_decide(): unlike a user it may give a block another state or
 * node, and delete one that was held. A block is taken by its node itself: when nobody has it, when it has it already (chosen for
 * it, or quarantined while it was away), or when another one's quarantine is over and no address that moved out of it is in use.
 * Anyone may quarantine what a node holds; it goes by its node, or by anyone when its quarantine is over. Everything else is
 * refused: -EBUSY naming who has it, -ENOENT for what is not there, -EINVAL and -EEXIST as of a document.
 */
int vd_changes_from_blocks(const struct vd_model *model, const struct vd_block_writes *writes, uint32_t next_id,
			   struct vd_changes **ret, struct vd_error *error);
/* Has an address of it moved to another node, where it still is? Then the block does not go. */
bool vd_block_is_lent(const struct vd_model *model, const struct vd_container_block *block);
/* Is its quarantine over, with no address of it in use elsewhere? Then it is free, though it still stands. */
bool vd_block_is_over(const struct vd_model *model, const struct vd_container_block *block, int64_t now);

/* Does the host take part in this network? Its node document, or NULL. */
const struct vd_node *vd_model_node_in_network(const struct vd_model *model, const struct vd_container_network *network,
					       const char *host);

#endif
