/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_SERVICES_DHCP_WRITER_H
#define VD_SERVICES_DHCP_WRITER_H

#include "base/address.h"

/*
 * Appends to a buffer of fixed size, in network byte order. What does not fit is not written and sets full, once and for all: callers
 * look at it at the end, or set size back to where an option began.
 */
struct vd_writer {
	uint8_t *data;
	size_t size, limit;
	bool full;
};

void vd_writer_bytes(struct vd_writer *writer, const void *bytes, size_t size);
void vd_writer_zeros(struct vd_writer *writer, size_t size);
void vd_writer_u8(struct vd_writer *writer, uint8_t value);
void vd_writer_u16(struct vd_writer *writer, uint16_t value);
void vd_writer_u32(struct vd_writer *writer, uint32_t value);
/* 4 or 16 bytes. */
void vd_writer_address(struct vd_writer *writer, const struct vd_address *address);
/* A domain name as labels (RFC 1035 section 3.1), not compressed; nothing at all when it is no such name. True when it was written. */
bool vd_writer_domain(struct vd_writer *writer, const char *domain);

#endif
