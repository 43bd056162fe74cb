/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_CLIENT_PCAP_H
#define VD_CLIENT_PCAP_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The pcap format (draft-ietf-opsawg-pcap), nanoseconds, Ethernet, in this machine's byte order. All return 0 or a negative errno.
 */
int vd_pcap_begin(FILE *file);
/* time_ns since 1970; size bytes of a packet that was original bytes long. */
int vd_pcap_packet(FILE *file, uint64_t time_ns, const uint8_t *data, uint32_t size, uint32_t original);

/* Decodes base64 (RFC 4648, with padding) in place of ret (to free). -EINVAL when it is none. Pure. */
int vd_base64_decode(const char *text, uint8_t **ret, size_t *ret_size);

#endif
