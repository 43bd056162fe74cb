/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "host/ip.h"
#include "host/link.h"
#include "host/netns.h"
#include "host/sysctl.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>

static bool is_on_link(const struct vd_host_guest *guest, const struct vd_address *gateway)
{
	for (size_t i = 0; i < guest->address_count; i++) {
		if (vd_prefix_contains(&guest->addresses[i], gateway))
			return true;
	}
	return false;
}

/* The interface's own network needs no route by the gateway: the kernel has one. */
static bool is_connected(const struct vd_host_guest *guest, const struct vd_prefix *prefix)
{
	for (size_t i = 0; i < guest->address_count; i++) {
		if (vd_prefix_equal(&guest->addresses[i], prefix))
			return true;
	}
	return false;
}

static struct vd_host_ip_route route_by(const struct vd_host_guest *guest, uint32_t ifindex, const struct vd_prefix *destination)
{
	struct vd_host_ip_route route = {
		.ifindex = ifindex,
		.destination = *destination,
		.gateway = destination->address.family == VD_FAMILY_IPV6 ? guest->gateway6 : guest->gateway4,
	};

	vd_prefix_normalise(&route.destination);
	route.on_link = !is_on_link(guest, &route.gateway);
	return route;
}

/* Into routes, which has room for others and two more; how many. */
static size_t wanted_routes(const struct vd_host_guest *guest, uint32_t ifindex, struct vd_host_ip_route *routes)
{
	const struct vd_prefix all[] = {{.address.family = VD_FAMILY_IPV4}, {.address.family = VD_FAMILY_IPV6}};
	const struct vd_prefix *destinations = guest->is_default ? all : guest->others;
	size_t destination_count = guest->is_default ? 2 : guest->other_count, count = 0;

	for (size_t i = 0; i < destination_count && !guest->dhcp; i++) {
		if (is_connected(guest, &destinations[i]))
			continue;
		routes[count] = route_by(guest, ifindex, &destinations[i]);
		if (routes[count].gateway.family != VD_FAMILY_NONE)
			count++;
	}
	return count;
}

static int enable_ipv6(int netns, const char *ifname, const struct vd_host_guest *guest, struct vd_error *error)
{
	char name[64];
	const struct vd_host_sysctl sysctl = {.name = name, .value = "0"};

	snprintf(name, sizeof(name), "ipv6/conf/%s/disable_ipv6", ifname);
	for (size_t i = 0; i < guest->address_count; i++) {
		if (guest->addresses[i].address.family == VD_FAMILY_IPV6)
			return vd_host_sysctl_ensure(netns, &sysctl, 1, error);
	}
	return 0;
}

static int configure(int netns, struct nl_sock *socket, const struct vd_host_link_state *link, const struct vd_host_guest *guest,
		     struct vd_error *error)
{
	VD_FREE struct vd_host_ip_route *routes = calloc(guest->other_count + 2, sizeof(*routes));
	struct vd_host_link_state loopback;
	int result;

	if (!routes)
		return vd_error_set(error, -ENOMEM, "out of memory");
	if (!vd_host_link_read(socket, 0, "lo", &loopback)) {
		result = vd_host_link_bring_up(socket, &loopback, 0, error);
		if (result < 0)
			return result;
	}
	result = vd_host_link_bring_up(socket, link, guest->mtu, error);
	if (!result && !guest->dhcp)
		result = enable_ipv6(netns, link->ifname, guest, error);
	if (!result)
		result = vd_host_ip_addresses_ensure(socket, link->ifindex, guest->addresses,
						     guest->dhcp ? 0 : guest->address_count, error);
	if (!result)
		result =
			vd_host_ip_routes_ensure(socket, link->ifindex, routes, wanted_routes(guest, link->ifindex, routes), error);
	return result;
}

/* ---- whether it still is so ---- */

struct presence {
	const struct vd_prefix *address; /* looked for … */
	const struct vd_host_ip_route *route;
	bool found;
};

static int address_look(const struct vd_host_ip_address *address, void *userdata)
{
	struct presence *presence = userdata;

	presence->found |= vd_address_equal(&address->prefix.address, &presence->address->address);
	return 0;
}

static int route_look(const struct vd_host_ip_route *route, void *userdata)
{
	struct presence *presence = userdata;

	presence->found |= vd_prefix_equal(&route->destination, &presence->route->destination) &&
			   vd_address_equal(&route->gateway, &presence->route->gateway);
	return 0;
}

static int addresses_check(struct nl_sock *socket, uint32_t ifindex, const struct vd_host_guest *guest, struct vd_error *error)
{
	char text[VD_PREFIX_TEXT];

	for (size_t i = 0; i < guest->address_count; i++) {
		struct presence presence = {.address = &guest->addresses[i]};

		if (vd_host_ip_address_each(socket, ifindex, address_look, &presence) < 0 || !presence.found)
			return vd_error_set(error, -ENOENT, "the address %s is gone", vd_prefix_format(&guest->addresses[i], text));
	}
	return 0;
}

static int routes_check(struct nl_sock *socket, uint32_t ifindex, const struct vd_host_guest *guest, struct vd_error *error)
{
	VD_FREE struct vd_host_ip_route *routes = calloc(guest->other_count + 2, sizeof(*routes));
	size_t count = routes ? wanted_routes(guest, ifindex, routes) : 0;
	char text[VD_PREFIX_TEXT];

	for (size_t i = 0; i < count; i++) {
		struct presence presence = {.route = &routes[i]};

		if (vd_host_ip_route_each(socket, ifindex, route_look, &presence) < 0 || !presence.found)
			return vd_error_set(error, -ENOENT, "the route to %s is gone",
					    vd_prefix_format(&routes[i].destination, text));
	}
	return routes ? 0 : -ENOMEM;
}

static int guest_check(struct nl_sock *socket, const char *ifname, const struct vd_mac *mac, const struct vd_host_guest *guest,
		       struct vd_error *error)
{
	struct vd_host_link_state link;
	char text[VD_MAC_TEXT];
	int result;

	if (vd_host_link_read(socket, 0, ifname, &link) < 0)
		return vd_error_set(error, -ENOENT, "it is gone");
	if (!vd_mac_equal(&link.mac, mac))
		return vd_error_set(error, -ENOENT, "its MAC is not %s any more", vd_mac_format(mac, text));
	if (!(link.flags & IFF_UP))
		return vd_error_set(error, -ENOENT, "it is down");
	result = addresses_check(socket, link.ifindex, guest, error);
	return result < 0 ? result : routes_check(socket, link.ifindex, guest, error);
}

int vd_host_guest_check(struct vd_host_net *net, const char *netns_path, const char *guest_ifname, const struct vd_mac *mac,
			const struct vd_host_guest *guest, struct vd_error *error)
{
	VD_CLOSE int fd = -1;
	VD_SOCKET struct nl_sock *socket = NULL;
	struct vd_host_netns netns;
	int result = vd_host_netns_open(netns_path, &fd, &netns, error);

	if (!result)
		result = vd_host_netns_socket(fd, &socket, error);
	if (result < 0)
		return result;
	result = guest_check(socket, guest_ifname, mac, guest, error);
	return result < 0 ? vd_error_prefix(error, result, "interface %s in namespace %s", guest_ifname, netns_path) : 0;
}

int vd_host_guest_configure(struct vd_host_net *net, const char *netns_path, const char *guest_ifname,
			    const struct vd_host_guest *guest, struct vd_error *error)
{
	VD_CLOSE int fd = -1;
	VD_SOCKET struct nl_sock *socket = NULL;
	struct vd_host_netns netns;
	struct vd_host_link_state link;
	int result = vd_host_netns_open(netns_path, &fd, &netns, error);

	if (!result)
		result = vd_host_netns_socket(fd, &socket, error);
	if (result < 0)
		return result;
	result = vd_host_link_read(socket, 0, guest_ifname, &link);
	if (result < 0)
		return vd_error_set(error, result, "namespace %s has no interface %s: attach the port again", netns_path,
				    guest_ifname);
	result = configure(fd, socket, &link, guest, error);
	return result < 0 ? vd_error_prefix(error, result, "interface %s in namespace %s", guest_ifname, netns_path) : 0;
}
