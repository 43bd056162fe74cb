/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "host/instance.h"
#include "host/link.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>

/*
 * Persistent: it stays when the descriptor is closed, and a virtual machine opens it by name. It is marked before, so that one
 * whose maker dies goes away by itself.
 */
static int create(struct vd_host_net *net, const char *ifname, uint32_t port, struct vd_error *error)
{
	VD_CLOSE int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	struct vd_host_link_state link;
	char what[VD_HOST_WHAT_SIZE];
	int result;

	if (fd < 0)
		return vd_error_set(error, -errno, "cannot open /dev/net/tun: %m");
	memcpy(request.ifr_name, ifname, strlen(ifname) + 1);
	if (ioctl(fd, TUNSETIFF, &request) < 0)
		return vd_error_set(error, -errno, "cannot make the tap %s: %m", ifname);
	result = vd_host_link_read(net->netlink, 0, ifname, &link);
	if (result < 0)
		return vd_error_set(error, result, "cannot read the interface %s: %s", ifname, strerror(-result));
	vd_host_port_what(port, false, what);
	result = vd_host_link_mark(net, link.ifindex, what, error);
	if (result < 0)
		return result;
	if (ioctl(fd, TUNSETPERSIST, 1) < 0)
		return vd_error_set(error, -errno, "cannot keep the tap %s: %m", ifname);
	return 0;
}

/* Another's mark on a tap means that it serves another port, or something that is not Viaduct. */
static int check(struct vd_host_net *net, const struct vd_host_link_state *link, uint32_t port, struct vd_error *error)
{
	char made[VD_HOST_WHAT_SIZE], adopted[VD_HOST_WHAT_SIZE];

	vd_host_port_what(port, false, made);
	vd_host_port_what(port, true, adopted);
	if (strcmp(link->kind, "tun"))
		return vd_error_set(error, -EINVAL, "the interface %s is no tap: name another one, or one that does not exist yet",
				    link->ifname);
	if (*link->alias && !vd_host_link_is_ours(net, link, made) && !vd_host_link_is_ours(net, link, adopted))
		return vd_error_set(error, -EEXIST, "the tap %s is in use: its alias says %s", link->ifname, link->alias);
	return 0;
}

static int finish(struct vd_host_net *net, const struct vd_host_link_state *link, uint32_t port, uint32_t mtu,
		  struct vd_error *error)
{
	char what[VD_HOST_WHAT_SIZE];
	int result = 0;

	vd_host_port_what(port, true, what);
	if (!*link->alias)
		result = vd_host_link_mark(net, link->ifindex, what, error);
	return result < 0 ? result : vd_host_link_bring_up(net->netlink, link, mtu, error);
}

int vd_host_tap_ensure(struct vd_host_net *net, uint32_t port, const char *ifname, uint32_t mtu, struct vd_host_link *ret,
		       struct vd_error *error)
{
	struct vd_host_link_state link;
	bool made = false;
	int result;

	result = vd_host_ifname_check(ifname, error);
	if (result < 0)
		return result;
	result = vd_host_link_read(net->netlink, 0, ifname, &link);
	if (result == -ENODEV) {
		result = create(net, ifname, port, error);
		if (result < 0)
			return result;
		made = true;
		result = vd_host_link_read(net->netlink, 0, ifname, &link);
	}
	if (result < 0)
		return vd_error_set(error, result, "cannot read the interface %s: %s", ifname, strerror(-result));
	result = check(net, &link, port, error);
	if (!result)
		result = finish(net, &link, port, mtu, error);
	if (result < 0) {
		if (made)
			vd_host_link_delete(net->netlink, link.ifindex, NULL);
		return result;
	}
	*ret = (struct vd_host_link){.ifindex = link.ifindex};
	snprintf(ret->ifname, sizeof(ret->ifname), "%s", ifname);
	return 0;
}
