/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_HOST_HELD_H
#define VD_HOST_HELD_H

#include "host/solicit.h"

/*
 * A packet that waits for the MAC of its next hop on a provider network: an untagged frame that is as it shall leave, but for whom it
 * goes to, and maybe for the checksum that an instance's kernel left to its network card.
 */
struct vd_host_held {
	size_t size;
	uint8_t frame[]; /* with room for a tag */
};

/* NULL when memory ran out, or the frame is none. */
struct vd_host_held *vd_host_held_new(const void *frame, size_t size);
/* Makes it whole, once. Pure. */
void vd_host_held_finish(struct vd_host_held *held, const struct vd_host_wire *wire, const struct vd_mac *destination);
/* As vd_host_frame_send. */
int vd_host_held_send(struct vd_host_net *net, uint32_t ifindex, const struct vd_host_held *held);

#endif
