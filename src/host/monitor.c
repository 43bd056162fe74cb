/* SPDX-License-Identifier: Apache-2.0 */
#include "host/link.h"

#include "base/cleanup.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

/* Thousands of ports may go at once; what does not fit is found by comparing (ENOBUFS). */
#define MONITOR_BUFFER (4 << 20)

static int known_add(struct vd_host_net *net, uint32_t ifindex)
{
	struct vd_host_known *known;

	HASH_FIND(hh, net->known, &ifindex, sizeof(ifindex), known);
	if (known)
		return 0;
	known = calloc(1, sizeof(*known));
	if (!known)
		return -ENOMEM;
	known->ifindex = ifindex;
	HASH_ADD(hh, net->known, ifindex, sizeof(known->ifindex), known);
	return 0;
}

/* Whether it was known, and nobody said that it would go. */
static bool known_remove(struct vd_host_net *net, uint32_t ifindex)
{
	struct vd_host_known *known;
	bool expected;

	HASH_FIND(hh, net->known, &ifindex, sizeof(ifindex), known);
	if (!known)
		return false;
	expected = known->expected;
	HASH_DEL(net->known, known);
	free(known);
	return !expected;
}

void vd_host_monitor_expect(struct vd_host_net *net, uint32_t ifindex)
{
	struct vd_host_known *known;

	if (known_add(net, ifindex) < 0)
		return;
	HASH_FIND(hh, net->known, &ifindex, sizeof(ifindex), known);
	known->expected = true;
}

static bool is_known(const struct vd_host_net *net, uint32_t ifindex)
{
	struct vd_host_known *known;

	HASH_FIND(hh, net->known, &ifindex, sizeof(ifindex), known);
	return known != NULL;
}

static int note_ours(const struct vd_host_link_state *link, void *userdata)
{
	struct vd_host_net *net = userdata;

	return vd_host_link_what(net, link) ? known_add(net, link->ifindex) : 0;
}

int vd_host_monitor_open(struct vd_host_net *net, struct vd_error *error)
{
	static const int groups[] = {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR};
	int size = MONITOR_BUFFER;
	int result = vd_host_socket_open(&net->monitor);
	int fd = result < 0 ? -1 : nl_socket_get_fd(net->monitor);

	if (result < 0)
		return vd_error_set(error, result, "cannot open a netlink socket: %s", strerror(-result));
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	nl_socket_set_nonblocking(net->monitor);
	for (size_t i = 0; i < sizeof(groups) / sizeof(*groups); i++)
		if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i], sizeof(groups[i])) < 0)
			return vd_error_set(error, -errno, "cannot listen for changes of interfaces: %m");
	result = vd_host_link_each(net->netlink, note_ours, net);
	return result < 0 ? vd_error_set(error, result, "cannot read this host's interfaces: %s", strerror(-result)) : 0;
}

void vd_host_monitor_close(struct vd_host_net *net)
{
	struct vd_host_known *known, *next;

	HASH_ITER (hh, net->known, known, next) {
		HASH_DEL(net->known, known);
		free(known);
	}
	vd_host_socket_cleanup(&net->monitor);
}

void vd_host_monitor_stop(struct vd_host_net *net)
{
	vd_host_socket_cleanup(&net->monitor);
	net->monitor = NULL;
}

int vd_host_monitor_fd(struct vd_host_net *net)
{
	return nl_socket_get_fd(net->monitor);
}

static int handle(struct vd_host_net *net, const struct nlmsghdr *header, void (*gone)(uint32_t ifindex, void *userdata),
		  void *userdata)
{
	const struct ifinfomsg *information = nlmsg_data(header);
	const struct ifaddrmsg *address = nlmsg_data(header);
	struct vd_host_link_state link;

	if ((header->nlmsg_type == RTM_NEWADDR || header->nlmsg_type == RTM_DELADDR) &&
	    nlmsg_datalen(header) >= (int)sizeof(*address))
		net->others_changed |= !is_known(net, address->ifa_index);
	/* A bridge's port that leaves it is told as a link deleted, in the bridge's family. */
	if ((header->nlmsg_type != RTM_NEWLINK && header->nlmsg_type != RTM_DELLINK) ||
	    nlmsg_datalen(header) < (int)sizeof(*information) || information->ifi_family != AF_UNSPEC)
		return 0;
	if (header->nlmsg_type == RTM_NEWLINK) {
		if (vd_host_link_parse(header, &link) < 0)
			return 0;
		net->others_changed |= !vd_host_link_what(net, &link) && !vd_host_link_is_half_made(&link);
		return note_ours(&link, net);
	}
	net->others_changed |= !is_known(net, (uint32_t)information->ifi_index);
	if (known_remove(net, (uint32_t)information->ifi_index))
		gone((uint32_t)information->ifi_index, userdata);
	return 0;
}

/* Messages were lost: what we knew and what no longer stands, is gone. */
static int compare(struct vd_host_net *net, void (*gone)(uint32_t ifindex, void *userdata), void *userdata)
{
	struct vd_host_known *before = net->known, *known, *next;
	int result;

	net->known = NULL;
	result = vd_host_link_each(net->netlink, note_ours, net);
	HASH_ITER (hh, before, known, next) {
		uint32_t ifindex = known->ifindex;
		struct vd_host_known *still;

		bool expected = known->expected;

		HASH_FIND(hh, net->known, &ifindex, sizeof(ifindex), still);
		HASH_DEL(before, known);
		free(known);
		if (still || result < 0) {
			known_add(net, ifindex);
			if (expected)
				vd_host_monitor_expect(net, ifindex);
		} else if (!expected) {
			gone(ifindex, userdata);
		}
	}
	return result;
}

int vd_host_monitor_read(struct vd_host_net *net, void (*gone)(uint32_t ifindex, void *userdata), void *userdata)
{
	VD_FREE unsigned char *data = malloc(1 << 16);
	bool missed = false;

	if (!data)
		return -ENOMEM;
	for (;;) {
		ssize_t size = recv(nl_socket_get_fd(net->monitor), data, 1 << 16, 0);
		struct nlmsghdr *header = (struct nlmsghdr *)data;
		int left = (int)size, result = 0;

		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0 && errno == ENOBUFS) {
			missed = net->others_changed = true;
			continue;
		}
		if (size < 0 && errno != EAGAIN)
			return -errno;
		if (size <= 0)
			return missed ? compare(net, gone, userdata) : 0;
		for (; nlmsg_ok(header, left) && !result; header = nlmsg_next(header, &left))
			result = handle(net, header, gone, userdata);
		if (result < 0)
			return result;
	}
}

bool vd_host_monitor_others(struct vd_host_net *net)
{
	bool changed = net->others_changed;

	net->others_changed = false;
	return changed;
}

int vd_host_link_dropped(struct vd_host_net *net, uint32_t ifindex, uint64_t *ret_packets)
{
	struct vd_host_link_state link;
	int result = vd_host_link_read(net->netlink, ifindex, "", &link);

	if (result < 0)
		return result;
	*ret_packets = link.dropped;
	return 0;
}
