/* SPDX-License-Identifier: Apache-2.0 */
#include "host/instance.h"

#include "base/cleanup.h"
#include "host/link.h"
#include "host/netns.h"

#include <errno.h>
#include <string.h>

#define ADOPTED "/adopted"

void vd_host_port_what(uint32_t port, bool adopted, char text[VD_HOST_WHAT_SIZE])
{
	snprintf(text, VD_HOST_WHAT_SIZE, "port/%x%s", port, adopted ? ADOPTED : "");
}

bool vd_host_link_is_port(struct vd_host_net *net, uint32_t ifindex, uint32_t port)
{
	struct vd_host_link_state link;
	char made[VD_HOST_WHAT_SIZE], adopted[VD_HOST_WHAT_SIZE];
	const char *what;

	if (!ifindex || vd_host_link_read(net->netlink, ifindex, NULL, &link) < 0)
		return false;
	what = vd_host_link_what(net, &link);
	vd_host_port_what(port, false, made);
	vd_host_port_what(port, true, adopted);
	return what && (!strcmp(what, made) || !strcmp(what, adopted));
}

/* What a former attempt for this port left behind. */
static int remove_leftover(struct vd_host_net *net, const char *ifname, const char *what, struct vd_error *error)
{
	struct vd_host_link_state link;
	int result = vd_host_link_read(net->netlink, 0, ifname, &link);

	if (result == -ENODEV)
		return 0;
	if (result < 0)
		return vd_error_set(error, result, "cannot read the interface %s: %s", ifname, strerror(-result));
	if (!vd_host_link_is_ours(net, &link, what))
		return vd_error_set(error, -EEXIST, "the interface %s on this host is not ours: rename or remove it", ifname);
	return vd_host_link_delete(net->netlink, link.ifindex, error);
}

static int make(struct vd_host_net *net, const struct vd_host_veth *veth, const char *netns_path, struct vd_error *error)
{
	struct vd_error reason = {""};
	int result = vd_host_veth_make(net->netlink, veth, &reason);

	/* Ours was free a moment ago. */
	if (result == -EEXIST)
		return vd_error_set(error, -EEXIST, "namespace %s has an interface %s already: choose another name with --ifname",
				    netns_path ? netns_path : "of this host", veth->peer_ifname);
	if (result < 0)
		return vd_error_set(error, result, "cannot make the interface %s in namespace %s: %s", veth->peer_ifname,
				    netns_path ? netns_path : "of this host", reason.text);
	return 0;
}

/* Marked and up on our side; the other side waits for its configuration. */
static int finish(struct vd_host_net *net, const char *ifname, const char *what, struct vd_host_link *ret, struct vd_error *error)
{
	struct vd_host_link_state link;
	int result = vd_host_link_read(net->netlink, 0, ifname, &link);

	if (result < 0)
		return vd_error_set(error, result, "cannot read the interface %s: %s", ifname, strerror(-result));
	result = vd_host_link_mark(net, link.ifindex, what, error);
	if (!result)
		result = vd_host_link_bring_up(net->netlink, &link, 0, error);
	if (result < 0) {
		vd_host_link_delete(net->netlink, link.ifindex, NULL);
		return result;
	}
	*ret = (struct vd_host_link){.ifindex = link.ifindex};
	snprintf(ret->ifname, sizeof(ret->ifname), "%s", ifname);
	return 0;
}

int vd_host_veth_create(struct vd_host_net *net, uint32_t port, const struct vd_mac *mac, uint32_t mtu, const char *netns_path,
			const char *guest_ifname, struct vd_host_link *ret, struct vd_error *error)
{
	VD_CLOSE int fd = -1;
	char ifname[16], what[VD_HOST_WHAT_SIZE];
	struct vd_host_veth veth = {.ifname = ifname, .peer_ifname = guest_ifname, .peer_mac = mac, .peer_mtu = mtu};
	struct vd_host_netns netns = net->netns;
	struct vd_host_link link;
	int result = vd_host_ifname_check(guest_ifname, error);

	if (!result && netns_path)
		result = vd_host_netns_open(netns_path, &fd, &netns, error);
	if (result < 0)
		return result;
	/* bpf_redirect_peer drops in silence when both ends lie in one namespace. */
	if (netns_path && vd_host_netns_equal(&netns, &net->netns))
		return vd_error_set(error, -EINVAL, "namespace %s is this host's own: an instance needs one of its own",
				    netns_path);
	snprintf(ifname, sizeof(ifname), "vd%x", port);
	vd_host_port_what(port, false, what);
	result = remove_leftover(net, ifname, what, error);
	if (result < 0)
		return result;
	veth.peer_netns = fd;
	result = make(net, &veth, netns_path, error);
	if (!result)
		result = finish(net, ifname, what, &link, error);
	if (result < 0)
		return result;
	link.netns = netns;
	*ret = link;
	return 0;
}

int vd_host_link_remove(struct vd_host_net *net, uint32_t ifindex, struct vd_error *error)
{
	struct vd_host_link_state link;
	const char *what;
	int result = ifindex ? vd_host_link_read(net->netlink, ifindex, NULL, &link) : -ENODEV;

	if (result == -ENODEV)
		return 0;
	if (result < 0)
		return vd_error_set(error, result, "cannot read the interface with index %u: %s", ifindex, strerror(-result));
	what = vd_host_link_what(net, &link);
	if (what && strstr(what, ADOPTED))
		return vd_host_link_unmark(net, ifindex, error);
	if (!what && !vd_host_link_is_half_made(&link))
		return 0;
	vd_host_monitor_expect(net, ifindex);
	return vd_host_link_delete(net->netlink, ifindex, error);
}

/* 1 when there is one, and it is ours. */
static int port_read(struct vd_host_net *net, uint32_t port, struct vd_host_link_state *ret, struct vd_error *error)
{
	char ifname[16], what[VD_HOST_WHAT_SIZE];
	int result;

	snprintf(ifname, sizeof(ifname), "vd%x", port);
	vd_host_port_what(port, false, what);
	result = vd_host_link_read(net->netlink, 0, ifname, ret);
	if (result < 0 && result != -ENODEV)
		return vd_error_set(error, result, "cannot read the interface %s: %s", ifname, strerror(-result));
	return !result && vd_host_link_is_ours(net, ret, what);
}

int vd_host_port_remove(struct vd_host_net *net, uint32_t port, struct vd_error *error)
{
	struct vd_host_link_state link;
	int result = port_read(net, port, &link, error);

	if (result <= 0)
		return result;
	vd_host_monitor_expect(net, link.ifindex);
	return vd_host_link_delete(net->netlink, link.ifindex, error);
}

int vd_host_port_condemn(struct vd_host_net *net, uint32_t port, struct vd_error *error)
{
	struct vd_host_link_state link;
	int result = port_read(net, port, &link, error);

	if (result <= 0)
		return result;
	vd_host_monitor_expect(net, link.ifindex);
	return vd_host_link_group(net->netlink, link.ifindex, VD_HOST_LINK_GROUP_CONDEMNED, error);
}

int vd_host_condemned_remove(struct vd_error *error)
{
	VD_SOCKET struct nl_sock *socket = NULL;
	int result = vd_host_socket_open(&socket);

	if (result < 0)
		return vd_error_set(error, result, "cannot open a netlink socket: %s", strerror(-result));
	return vd_host_link_delete_group(socket, VD_HOST_LINK_GROUP_CONDEMNED, error);
}
