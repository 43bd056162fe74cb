/* SPDX-License-Identifier: Apache-2.0 */
#include "services/dhcp/dhcp_socket.h"

#include "base/cleanup.h"
#include "base/netns.h"
#include "services/dhcp/dhcp4.h"
#include "services/dhcp/dhcp6.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#define ACCEPT BPF_STMT(BPF_RET | BPF_K, 0xffff)
#define REFUSE BPF_STMT(BPF_RET | BPF_K, 0)

/* Offsets are of the frame. Jumps count from the next instruction. */
static const struct sock_filter wanted[] = {
	BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12), /* Ethernet type */
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHERTYPE_IP, 0, 7),
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 23), /* protocol */
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 14),
	BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 20), /* not the first fragment */
	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x1fff, 12, 0),
	BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 14), /* size of the IPv4 header */
	BPF_STMT(BPF_LD | BPF_H | BPF_IND, 16),  /* destination port */
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, VD_DHCP4_SERVER_PORT, 8, 9),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHERTYPE_IPV6, 0, 8),
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 20), /* next header */
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 2),
	BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 56), /* destination port */
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, VD_DHCP6_SERVER_PORT, 3, 4),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6, 0, 3),
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 54), /* ICMPv6 type */
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 133, 0, 1),
	ACCEPT,
	REFUSE,
};

static const struct sock_filter nothing[] = {REFUSE};

static int filter_attach(int fd, const struct sock_filter *filter, size_t count)
{
	struct sock_fprog program = {.len = (unsigned short)count, .filter = (struct sock_filter *)filter};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ? -errno : 0;
}

static int option_enable(int fd, int level, int option)
{
	return setsockopt(fd, level, option, &(int){1}, sizeof(int)) < 0 ? -errno : 0;
}

/* The filter stands before the socket is bound: nothing else is ever queued. */
static int packet_open(const char *ifname, int *ret)
{
	VD_CLOSE int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)if_nametoindex(ifname)};
	int result;

	if (fd < 0 || !address.sll_ifindex)
		return -errno;
	result = filter_attach(fd, wanted, sizeof(wanted) / sizeof(wanted[0]));
	if (!result)
		result = option_enable(fd, SOL_PACKET, PACKET_AUXDATA);
	if (!result)
		result = option_enable(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING);
	if (!result && bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		result = -errno;
	if (result < 0)
		return result;
	*ret = VD_TAKE_FD(fd);
	return 0;
}

/* Shared, so that the next version of this process can stand before the last one goes. */
static int port_open(int family, uint16_t port, int *ret)
{
	VD_CLOSE int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in address4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 address6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	const struct sockaddr *address = family == AF_INET ? (struct sockaddr *)&address4 : (struct sockaddr *)&address6;
	int result = fd < 0 ? -errno : filter_attach(fd, nothing, 1);

	if (!result)
		result = option_enable(fd, SOL_SOCKET, SO_REUSEPORT);
	if (!result && family == AF_INET6)
		result = option_enable(fd, IPPROTO_IPV6, IPV6_V6ONLY);
	if (!result && bind(fd, address, family == AF_INET ? sizeof(address4) : sizeof(address6)) < 0)
		result = -errno;
	if (result < 0)
		return result;
	*ret = VD_TAKE_FD(fd);
	return 0;
}

struct job {
	const char *ifname;
	struct vd_dhcp_sockets sockets;
};

static int open_all(void *userdata)
{
	struct job *job = userdata;
	int result = packet_open(job->ifname, &job->sockets.packet);

	if (!result)
		result = port_open(AF_INET, VD_DHCP4_SERVER_PORT, &job->sockets.port4);
	if (!result)
		result = port_open(AF_INET6, VD_DHCP6_SERVER_PORT, &job->sockets.port6);
	return result == -EAFNOSUPPORT || result == -EADDRNOTAVAIL ? 0 : result;
}

int vd_dhcp_sockets_open(int netns, const char *ifname, struct vd_dhcp_sockets *ret, struct vd_error *error)
{
	struct job job = {.ifname = ifname, .sockets = {-1, -1, -1}};
	int result = vd_netns_run(netns, open_all, &job);

	if (result < 0) {
		vd_dhcp_sockets_close(&job.sockets);
		return vd_error_set(error, result, "cannot answer DHCP on the interface %s: %s", ifname, strerror(-result));
	}
	*ret = job.sockets;
	return 0;
}

void vd_dhcp_sockets_close(struct vd_dhcp_sockets *sockets)
{
	vd_cleanup_close(&sockets->packet);
	vd_cleanup_close(&sockets->port4);
	vd_cleanup_close(&sockets->port6);
	*sockets = (struct vd_dhcp_sockets){-1, -1, -1};
}

ssize_t vd_dhcp_socket_receive(int packet, uint8_t *data, size_t size, bool *ret_checksum_ready)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	struct iovec part = {.iov_base = data, .iov_len = size};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	struct tpacket_auxdata auxiliary;
	ssize_t received;

	do
		received = recvmsg(packet, &message, 0);
	while (received < 0 && errno == EINTR);
	if (received < 0)
		return -errno;
	*ret_checksum_ready = true;
	for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
		if (header->cmsg_level != SOL_PACKET || header->cmsg_type != PACKET_AUXDATA)
			continue;
		memcpy(&auxiliary, CMSG_DATA(header), sizeof(auxiliary));
		*ret_checksum_ready = !(auxiliary.tp_status & TP_STATUS_CSUMNOTREADY);
	}
	return received;
}
