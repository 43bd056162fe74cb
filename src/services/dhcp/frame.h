/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_SERVICES_DHCP_FRAME_H
#define VD_SERVICES_DHCP_FRAME_H

#include "base/address.h"

/* Ethernet frames with one UDP or ICMPv6 message in them: from bytes, and to bytes. Pure. */

#define VD_FRAME_SIZE 1514 /* Ethernet header and 1500 bytes: what an answer is built in */
#define VD_FRAME_UDP 17
#define VD_FRAME_ICMPV6 58

struct vd_frame {
	struct vd_mac source, destination;
	struct vd_address from, to;
	uint8_t protocol; /* VD_FRAME_UDP or VD_FRAME_ICMPV6 */
	uint8_t hop_limit;
	uint16_t source_port, destination_port; /* UDP; host order */
	const uint8_t *payload;                 /* behind the UDP header, or from the ICMPv6 type on; inside the frame's bytes */
	size_t size;
};

/*
 * Reads a frame; what is behind the packet's own length is padding. checksum_ready: whether the sender has computed the UDP or ICMPv6
 * checksum (between two ends of a veth it may not have); then it must be right. 0, or -EINVAL for what is malformed, fragmented, or
 * neither UDP nor ICMPv6.
 */
int vd_frame_parse(const uint8_t *data, size_t size, bool checksum_ready, struct vd_frame *ret);

/* Where the payload of an answer begins in its bytes, for the family of its addresses. */
size_t vd_frame_payload_offset(enum vd_family family, uint8_t protocol);
/*
 * Writes the headers in front of a payload of size bytes that lies at its offset in data (VD_FRAME_SIZE bytes), and the checksums;
 * an ICMPv6 message's too. payload and size of head are not used. Returns the size of the whole frame.
 */
size_t vd_frame_finish(uint8_t data[VD_FRAME_SIZE], const struct vd_frame *head, size_t size);

#endif
