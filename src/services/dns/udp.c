/* SPDX-License-Identifier: Apache-2.0 */
/* Queries by UDP: one socket a family for every address, so each answer says by pktinfo which address it comes from. */
#include "services/dns/runner.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* Longer queries do not exist: a name, a question and some EDNS options. */
#define QUERY_SIZE_MAX 4096
/* So many in one go, then the loop looks at the others. */
#define BATCH 64

/* The address that the query came to. */
static void read_local(const struct msghdr *message, struct vd_dns_origin *origin)
{
	const struct cmsghdr *control;

	for (control = CMSG_FIRSTHDR(message); control;
	     control = CMSG_NXTHDR((struct msghdr *)message, (struct cmsghdr *)control)) {
		if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(control), sizeof(info));
			origin->local = (struct vd_address){.family = VD_FAMILY_IPV4};
			memcpy(origin->local.bytes, &info.ipi_addr, 4);
			origin->ifindex = (uint32_t)info.ipi_ifindex;
		} else if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(control), sizeof(info));
			origin->local = (struct vd_address){.family = VD_FAMILY_IPV6};
			memcpy(origin->local.bytes, &info.ipi6_addr, 16);
			origin->ifindex = info.ipi6_ifindex;
		}
	}
}

static void readable(uv_poll_t *poll, int status, int events)
{
	struct vd_dns_runner *runner = poll->data;
	int fd = runner->udp_sockets[poll - runner->udp];
	uint8_t packet[QUERY_SIZE_MAX];
	uint8_t control[CMSG_SPACE(sizeof(struct in6_pktinfo))] __attribute__((aligned(8)));

	for (int i = 0; i < BATCH; i++) {
		struct vd_dns_origin origin = {.socket = fd};
		struct iovec part = {packet, sizeof(packet)};
		struct msghdr message = {
			.msg_name = &origin.peer,
			.msg_namelen = sizeof(origin.peer),
			.msg_iov = &part,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control),
		};
		ssize_t size = recvmsg(fd, &message, 0);

		if (size < 0) {
			/* What an earlier answer met (port unreachable) is read here too: the next query may lie behind it. */
			if (errno == EAGAIN)
				return;
			continue;
		}
		origin.client = vd_dns_address_of((struct sockaddr *)&origin.peer);
		read_local(&message, &origin);
		vd_dns_runner_take(runner, packet, (size_t)size, &origin);
	}
}

int vd_dns_udp_start(struct vd_dns_runner *runner)
{
	for (int i = 0; i < 2; i++) {
		int r;

		if (runner->udp_sockets[i] < 0)
			continue;
		r = uv_poll_init(runner->loop, &runner->udp[i], runner->udp_sockets[i]);
		if (r < 0)
			return r;
		runner->handles++;
		runner->udp[i].data = runner;
		uv_poll_start(&runner->udp[i], UV_READABLE, readable);
	}
	return 0;
}

int vd_dns_udp_send(const struct vd_dns_origin *origin, const void *data, size_t size)
{
	bool is_ipv6 = origin->client.family == VD_FAMILY_IPV6;
	uint8_t control[CMSG_SPACE(sizeof(struct in6_pktinfo))] __attribute__((aligned(8))) = {};
	struct in_pktinfo info4 = {};
	struct in6_pktinfo info6 = {.ipi6_ifindex = origin->ifindex};
	size_t info_size = is_ipv6 ? sizeof(info6) : sizeof(info4);
	struct iovec part = {(void *)data, size};
	struct msghdr message = {
		.msg_name = (void *)&origin->peer,
		.msg_namelen = is_ipv6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in),
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = CMSG_SPACE(info_size),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	memcpy(&info4.ipi_spec_dst, origin->local.bytes, 4);
	memcpy(&info6.ipi6_addr, origin->local.bytes, 16);
	header->cmsg_level = is_ipv6 ? IPPROTO_IPV6 : IPPROTO_IP;
	header->cmsg_type = is_ipv6 ? IPV6_PKTINFO : IP_PKTINFO;
	header->cmsg_len = CMSG_LEN(info_size);
	memcpy(CMSG_DATA(header), is_ipv6 ? (void *)&info6 : (void *)&info4, info_size);
	return sendmsg(origin->socket, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}
