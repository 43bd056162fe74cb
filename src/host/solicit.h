/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_HOST_SOLICIT_H
#define VD_HOST_SOLICIT_H

#include "host/host.h"

/*
 * Asking for and announcing MACs on a provider network: frames that leave an uplink, tagged or not. Answers are never read here, the
 * data plane learns them. Making a frame is a pure function.
 */
#define VD_HOST_FRAME_SIZE 96

struct vd_host_frame {
	uint8_t bytes[VD_HOST_FRAME_SIZE]; /* from the Ethernet header on */
	size_t size;
};

/* Where a frame leaves: the uplink's own MAC, and the VLAN (0: untagged). */
struct vd_host_wire {
	struct vd_mac mac;
	uint16_t vlan;
};

/*
 * Who has target? ARP (RFC 826) or a neighbour solicitation (RFC 4861). asker: an address of ours there; family none: an ARP probe, which
 * tells nobody anything (RFC 5227), or the MAC's link-local address. known: ask this MAC alone (a refresh); NULL: everyone.
 */
void vd_host_frame_solicit(const struct vd_host_wire *wire, const struct vd_address *asker, const struct vd_address *target,
			   const struct vd_mac *known, struct vd_host_frame *ret);
/* The address is at this MAC now: an ARP announcement (RFC 5227, 2.3) or an unsolicited neighbour advertisement that overrides. */
void vd_host_frame_announce(const struct vd_host_wire *wire, const struct vd_address *address, struct vd_host_frame *ret);

/* 0 or a negative errno: -ENXIO, -ENETDOWN when the interface is gone or down. */
int vd_host_frame_send(struct vd_host_net *net, uint32_t ifindex, const struct vd_host_frame *frame);
int vd_host_bytes_send(struct vd_host_net *net, uint32_t ifindex, const void *bytes, size_t size);

#endif
