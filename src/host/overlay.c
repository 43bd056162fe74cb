/* SPDX-License-Identifier: Apache-2.0 */
#include "host/link.h"

#include "base/cleanup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>

#define WHAT "overlay"
/* Below any limit of the kernel: the device must never be what a packet does not fit through. */
#define OVERLAY_MTU 65000

static int put_settings(struct nl_msg *message, uint16_t udp_port)
{
	struct nlattr *information = nla_nest_start(message, IFLA_LINKINFO), *data;

	if (!information || nla_put_string(message, IFLA_INFO_KIND, "vxlan") < 0)
		return -EMSGSIZE;
	data = nla_nest_start(message, IFLA_INFO_DATA);
	if (!data || nla_put_u8(message, IFLA_VXLAN_COLLECT_METADATA, 1) < 0 || nla_put_flag(message, IFLA_VXLAN_GBP) < 0 ||
	    nla_put_u8(message, IFLA_VXLAN_LEARNING, 0) < 0 || nla_put_u16(message, IFLA_VXLAN_PORT, htons(udp_port)) < 0 ||
	    nla_put_u8(message, IFLA_VXLAN_UDP_ZERO_CSUM6_TX, 1) < 0 || nla_put_u8(message, IFLA_VXLAN_UDP_ZERO_CSUM6_RX, 1) < 0)
		return -EMSGSIZE;
	nla_nest_end(message, data);
	nla_nest_end(message, information);
	return 0;
}

static int create(struct vd_host_net *net, uint16_t udp_port, struct vd_error *error)
{
	struct ifinfomsg information = {0};
	VD_MESSAGE struct nl_msg *message =
		vd_host_message_new(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &information, sizeof(information));
	struct vd_error reason = {""};
	int result;

	if (!message || nla_put_string(message, IFLA_IFNAME, VD_HOST_OVERLAY_NAME) < 0 ||
	    nla_put_u32(message, IFLA_GROUP, VD_HOST_LINK_GROUP) < 0 || put_settings(message, udp_port) < 0)
		return vd_error_set(error, -ENOMEM, "out of memory");
	result = vd_host_request(net->netlink, message, NULL, NULL, &reason);
	if (result == -EEXIST)
		return vd_error_set(error, -EEXIST,
				    "UDP port %u is another VXLAN interface's: remove that one, or choose another port", udp_port);
	if (result < 0)
		return vd_error_set(error, result, "cannot make the VXLAN interface " VD_HOST_OVERLAY_NAME ": %s", reason.text);
	return 0;
}

static bool is_right(const struct vd_host_link_state *link, uint16_t udp_port)
{
	return !strcmp(link->kind, "vxlan") && link->vxlan.collect_metadata && link->vxlan.gbp && link->vxlan.zero_checksum6 &&
	       link->vxlan.udp_port == udp_port;
}

/* Marks it and brings it up; the kernel opens the UDP socket only now. */
static int finish(struct vd_host_net *net, uint16_t udp_port, struct vd_host_link_state *link, struct vd_error *error)
{
	struct vd_error reason = {""};
	int result;

	if (vd_host_link_is_half_made(link)) {
		result = vd_host_link_mark(net, link->ifindex, WHAT, error);
		if (result < 0)
			return result;
	}
	result = vd_host_link_bring_up(net->netlink, link, OVERLAY_MTU, &reason);
	if (result == -EADDRINUSE)
		return vd_error_set(error, -EEXIST, "UDP port %u is in use on this host: free it, or choose another port",
				    udp_port);
	return result < 0 ? vd_error_set(error, result, "%s", reason.text) : 0;
}

int vd_host_overlay_ensure(struct vd_host_net *net, uint16_t udp_port, uint32_t *ret_ifindex, struct vd_error *error)
{
	struct vd_host_link_state link;
	bool made = false;
	int result = vd_host_link_read(net->netlink, 0, VD_HOST_OVERLAY_NAME, &link);

	if (!result && !vd_host_link_is_ours(net, &link, WHAT))
		return vd_error_set(error, -EEXIST, "the interface " VD_HOST_OVERLAY_NAME " is not ours: rename or remove it%s%s",
				    *link.alias ? ", its alias says " : "", link.alias);
	if (!result && !is_right(&link, udp_port)) {
		result = vd_host_link_delete(net->netlink, link.ifindex, error);
		if (result < 0)
			return result;
		result = -ENODEV;
	}
	if (result == -ENODEV) {
		result = create(net, udp_port, error);
		if (result < 0)
			return result;
		made = true;
		result = vd_host_link_read(net->netlink, 0, VD_HOST_OVERLAY_NAME, &link);
	}
	if (result < 0)
		return vd_error_set(error, result, "cannot read the interface " VD_HOST_OVERLAY_NAME ": %s", strerror(-result));
	result = finish(net, udp_port, &link, error);
	if (result < 0) {
		if (made)
			vd_host_link_delete(net->netlink, link.ifindex, NULL);
		return result;
	}
	*ret_ifindex = link.ifindex;
	return 0;
}
