/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_AGENT_BLOCK_H
#define VD_AGENT_BLOCK_H

#include "agent/block_duty.h"
#include "store/replica.h"

/*
 * This host's part in sharing out container networks: a thread that follows who lives and claims blocks for this host, gives them back
 * when it leaves, quarantines those of hosts that died and takes away those whose quarantine is over.
 *
 * Why no two hosts ever have one block. It is one record, written with the epoch compared and by the rules of vd_changes_from_blocks():
 * another host's block can be taken only when its quarantine is over, and that begins when its daemon was not seen alive, with the store
 * itself asked. A host that comes back in time takes its block out of quarantine; one that comes back too late finds it gone, and its
 * containers there lose their routes.
 */
struct vd_blocks;

struct vd_blocks_options {
	const char *host;
	struct vd_store *store;
	struct vd_replica *replica;
	/*
	 * Called on the thread, with no lock held, before a block of this host is given back: how many containers have addresses of it. When
	 * none has, no address of it is given any more, until it is opened again. Both NULL: there never are containers.
	 */
	size_t (*close)(uint32_t network, const struct vd_prefix *cidr, void *userdata);
	void (*open)(uint32_t network, const struct vd_prefix *cidr, void *userdata);
	void *userdata;
	unsigned trust_ms; /* how long after this host is seen alive it judges nobody; 0: 6 s */
};

/* Everything borrowed. */
int vd_blocks_new(const struct vd_blocks_options *options, struct vd_blocks **ret, struct vd_error *error);
/* Returns when the thread has ended. */
void vd_blocks_free(struct vd_blocks *blocks);
/* The model changed in something that concerns blocks, or a container of a network that this host leaves is gone. From any thread. */
void vd_blocks_wake(struct vd_blocks *blocks);
/* Whether changes (NULL: anything) are such. */
bool vd_blocks_concern(const struct vd_changes *changes);
/* Whether this host holds blocks or is a node: then a daemon that is only started again should not look dead meanwhile. */
bool vd_blocks_hold(struct vd_blocks *blocks);
/* [{"project", "container_network", "block", "containers"}]: what this host will give back when its containers are gone; a new reference. */
json_t *vd_blocks_leaving(struct vd_blocks *blocks);

#endif
