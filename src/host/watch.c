/* SPDX-License-Identifier: Apache-2.0 */
#include "host/watch.h"

#include "base/cleanup.h"
#include "host/netlink.h"
#include "host/occupied.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#define WATCH_BUFFER (1 << 20)

int vd_host_watch_open(struct vd_error *error)
{
	static const int groups[] = {RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,  RTNLGRP_IPV4_ROUTE,
				     RTNLGRP_IPV6_ROUTE,  RTNLGRP_IPV4_NETCONF, RTNLGRP_IPV6_NETCONF};
	VD_CLOSE int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	struct sockaddr_nl address = {.nl_family = AF_NETLINK};
	int size = WATCH_BUFFER;

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return vd_error_set(error, -errno, "cannot open a netlink socket: %m");
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	for (size_t i = 0; i < sizeof(groups) / sizeof(*groups); i++)
		if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i], sizeof(groups[i])) < 0)
			return vd_error_set(error, -errno, "cannot listen for changes of this host's addresses: %m");
	return VD_TAKE_FD(fd);
}

/* Each link that comes up brings a link-local one, containers' as well: those tell nothing. */
static bool is_address_news(const struct nlmsghdr *header)
{
	const struct ifaddrmsg *address = nlmsg_data(header);

	return nlmsg_datalen(header) >= (int)sizeof(*address) && address->ifa_scope != RT_SCOPE_LINK;
}

static bool is_route_news(const struct nlmsghdr *header)
{
	const struct rtmsg *route = nlmsg_data(header);
	struct nlattr *table[RTA_MAX + 1];
	struct vd_prefix destination = {0};

	if (nlmsg_datalen(header) < (int)sizeof(*route) || route->rtm_table != RT_TABLE_MAIN ||
	    vd_host_attributes(header, sizeof(*route), table, RTA_MAX) < 0)
		return false;
	destination.address = vd_host_get_address(route->rtm_family, table[RTA_DST]);
	destination.length = route->rtm_dst_len;
	return vd_host_occupies(route->rtm_protocol, &destination);
}

static void take(const struct nlmsghdr *header, struct vd_host_watched *watched)
{
	switch (header->nlmsg_type) {
	case RTM_NEWADDR:
	case RTM_DELADDR:
		watched->addresses |= is_address_news(header);
		break;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		watched->routes |= is_route_news(header);
		break;
	case RTM_NEWNETCONF:
		watched->settings = true;
		break;
	}
}

void vd_host_watch_read(int fd, struct vd_host_watched *ret)
{
	VD_FREE unsigned char *data = malloc(1 << 16);
	struct vd_host_watched watched = {0};

	*ret = (struct vd_host_watched){true, true, true};
	while (data) {
		ssize_t size = recv(fd, data, 1 << 16, 0);
		struct nlmsghdr *header = (struct nlmsghdr *)data;
		int left = (int)size;

		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0 && errno == ENOBUFS) {
			watched = (struct vd_host_watched){true, true, true};
			continue;
		}
		if (size <= 0) {
			*ret = watched;
			return;
		}
		for (; nlmsg_ok(header, left); header = nlmsg_next(header, &left))
			take(header, &watched);
	}
}
