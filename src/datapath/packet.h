/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_DATAPATH_PACKET_H
#define VD_DATAPATH_PACKET_H

#include "datapath/datapath.h"

#include <stddef.h>
#include <stdint.h>

/* What a test run takes: a page less the kernel's own room. */
#define VD_PACKET_SIZE 3000

/*
 * The packet that a trace asks about, as it stands on the wire, checksums and all: a TCP SYN, a UDP datagram or an echo request
 * with request->size bytes of payload. Its length into ret; -EINVAL (families differ, another protocol), -EMSGSIZE.
 */
int vd_packet_build(const struct vd_trace_request *request, uint8_t packet[VD_PACKET_SIZE], size_t *ret);

#endif
