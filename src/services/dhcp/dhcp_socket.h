/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_SERVICES_DHCP_DHCP_SOCKET_H
#define VD_SERVICES_DHCP_DHCP_SOCKET_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Inside src/services/dhcp only: the sockets that a router hears its instances with, all in its network namespace. */
struct vd_dhcp_sockets {
	int packet; /* whole frames, only of DHCP to a server and router solicitations; does not block */
	/* Bound to the servers' ports, and deaf: without them the kernel would answer renewals with "port unreachable". */
	int port4, port6; /* port6: -1 without IPv6 */
};

/* In the namespace netns. A failure leaves nothing open. */
int vd_dhcp_sockets_open(int netns, const char *ifname, struct vd_dhcp_sockets *ret, struct vd_error *error);
void vd_dhcp_sockets_close(struct vd_dhcp_sockets *sockets);
/* One frame; its size, or a negative errno. checksum_ready as in vd_frame_parse. A frame longer than size is cut. */
ssize_t vd_dhcp_socket_receive(int packet, uint8_t *data, size_t size, bool *ret_checksum_ready);

#endif
