/* SPDX-License-Identifier: Apache-2.0 */
/* The name server's listening sockets: for every address of the namespace, one a family. */
#include "base/cleanup.h"
#include "services/dns/runner.h"

#include <errno.h>
#include <sys/socket.h>

/* A connection answers from the address that it came to by itself; a datagram has to be told which that was. */
static int options_set(int fd, int family, int type)
{
	static const int one = 1;
	int r;

	if (type == SOCK_STREAM)
		r = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	else if (family == AF_INET6)
		r = setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof(one));
	else
		r = setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &one, sizeof(one));
	if (r == 0 && family == AF_INET6)
		r = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	return r < 0 ? -errno : 0;
}

static int socket_open(int family, int type)
{
	VD_CLOSE int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_in any4 = {.sin_family = AF_INET, .sin_port = htons(VD_DNS_PORT)};
	struct sockaddr_in6 any6 = {.sin6_family = AF_INET6, .sin6_port = htons(VD_DNS_PORT)};
	int r;

	if (fd < 0)
		return -errno;
	r = options_set(fd, family, type);
	if (r < 0)
		return r;
	r = family == AF_INET6 ? bind(fd, (struct sockaddr *)&any6, sizeof(any6))
			       : bind(fd, (struct sockaddr *)&any4, sizeof(any4));
	if (r < 0)
		return -errno;
	return VD_TAKE_FD(fd);
}

int vd_dns_sockets_open(int type, int ret_sockets[2])
{
	int ipv4 = socket_open(AF_INET, type), ipv6;

	if (ipv4 < 0)
		return ipv4;
	ipv6 = socket_open(AF_INET6, type);
	if (ipv6 < 0 && ipv6 != -EAFNOSUPPORT) {
		close(ipv4);
		return ipv6;
	}
	ret_sockets[0] = ipv4;
	ret_sockets[1] = ipv6 < 0 ? -1 : ipv6;
	return 0;
}
