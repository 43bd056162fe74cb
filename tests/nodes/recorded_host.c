/* SPDX-License-Identifier: Apache-2.0 */
/* host/host.h and its neighbours for a kernel that is written down, not changed: links in the place of src/host. */
#include "recorded.h"

#include "host/cgroup.h"
#include "host/firewall.h"
#include "host/host.h"
#include "host/node.h"
#include "host/occupied.h"
#include "host/setting.h"
#include "host/watch.h"
#include "host/uplink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct vd_host_net {
	int fd; /* never readable */
	struct vd_host_node_route *routes;
	size_t route_count;
};

int vd_host_net_open(const char *tag, const char *run_directory, struct vd_host_net **ret, struct vd_error *error)
{
	struct vd_host_net *net = calloc(1, sizeof(*net));

	if (!net)
		return -ENOMEM;
	net->fd = eventfd(0, EFD_CLOEXEC);
	*ret = net;
	return 0;
}

void vd_host_net_close(struct vd_host_net *net)
{
	if (!net)
		return;
	close(net->fd);
	free(net->routes);
	free(net);
}

int vd_host_net_purge(struct vd_host_net *net, struct vd_error *error)
{
	return 0;
}

/* A host of one LAN, with the address that it was told. */
int vd_host_underlay_read(struct vd_host_net *net, const struct vd_address *wanted, struct vd_host_underlay *ret,
			  struct vd_error *error)
{
	struct vd_host_underlay underlay = {.address = *wanted, .mtu = 1500, .count = 1};
	struct vd_prefix lan = {*wanted, 16};

	underlay.addresses = calloc(1, sizeof(*underlay.addresses));
	underlay.mtus = calloc(1, sizeof(*underlay.mtus));
	if (!underlay.addresses || !underlay.mtus)
		return -ENOMEM;
	vd_prefix_normalise(&lan);
	underlay.lan = lan;
	underlay.addresses[0] = *wanted;
	underlay.mtus[0] = 1500;
	*ret = underlay;
	return 0;
}

void vd_host_underlay_done(struct vd_host_underlay *underlay)
{
	free(underlay->addresses);
	free(underlay->mtus);
}

int vd_host_overlay_ensure(struct vd_host_net *net, uint16_t udp_port, uint32_t *ret_ifindex, struct vd_error *error)
{
	*ret_ifindex = 1;
	return 0;
}

int vd_host_monitor_fd(struct vd_host_net *net)
{
	return net->fd;
}

int vd_host_monitor_read(struct vd_host_net *net, void (*gone)(uint32_t ifindex, void *userdata), void *userdata)
{
	return 0;
}

int vd_host_link_dropped(struct vd_host_net *net, uint32_t ifindex, uint64_t *ret_packets)
{
	*ret_packets = 0;
	return 0;
}

int vd_host_link_each_ours(struct vd_host_net *net,
			   void (*link)(const char *what, uint32_t ifindex, const char *ifname, void *userdata), void *userdata)
{
	return 0;
}

bool vd_host_link_is_port(struct vd_host_net *net, uint32_t ifindex, uint32_t port)
{
	return true;
}

int vd_host_link_remove(struct vd_host_net *net, uint32_t ifindex, struct vd_error *error)
{
	return 0;
}

int vd_host_router_ensure(struct vd_host_net *net, uint32_t domain, const struct vd_address *gateways, size_t gateway_count,
			  uint32_t mtu, uint32_t *ret_ifindex, struct vd_error *error)
{
	*ret_ifindex = domain;
	return 0;
}

int vd_host_router_remove(struct vd_host_net *net, uint32_t domain, struct vd_error *error)
{
	return 0;
}

int vd_host_router_each(struct vd_host_net *net, void (*router)(uint32_t domain, void *userdata), void *userdata)
{
	return 0;
}

/* ---- a node's own kernel ---- */

int vd_host_node_port_ensure(struct vd_host_net *net, uint32_t domain, const struct vd_address *gateways, size_t gateway_count,
			     uint32_t mtu, uint32_t *ret_ifindex, struct vd_error *error)
{
	*ret_ifindex = domain;
	return 0;
}

int vd_host_node_port_remove(struct vd_host_net *net, uint32_t domain, struct vd_error *error)
{
	return 0;
}

int vd_host_node_port_each(struct vd_host_net *net, void (*port)(uint32_t domain, void *userdata), void *userdata)
{
	return 0;
}

int vd_host_bridge_find(struct vd_host_net *net, const struct vd_prefix *prefix, char ret_ifname[16])
{
	return 0;
}

static const struct vd_host_node_route *route_find(const struct vd_host_node_route *routes, size_t count,
						   const struct vd_prefix *prefix)
{
	for (size_t i = 0; i < count; i++)
		if (vd_prefix_equal(&routes[i].prefix, prefix))
			return &routes[i];
	return NULL;
}

static void route_record(const char *event, const struct vd_host_node_route *route)
{
	char prefix[VD_PREFIX_TEXT], next_hop[VD_ADDRESS_TEXT];

	recorded(NULL,
		 json_pack("{s:s, s:s, s:s, s:s}", "event", event, "kind", "host_route", "prefix",
			   vd_prefix_format(&route->prefix, prefix), "next_hop", vd_address_format(&route->next_hop, next_hop)));
}

int vd_host_node_routes_ensure(struct vd_host_net *net, const struct vd_host_node_route *routes, size_t count,
			       void (*failed)(const struct vd_host_node_route *route, int code, const char *sentence,
					      void *userdata),
			       void *userdata, struct vd_error *error)
{
	for (size_t i = 0; i < net->route_count; i++)
		if (!route_find(routes, count, &net->routes[i].prefix))
			route_record("remove", &net->routes[i]);
	for (size_t i = 0; i < count; i++) {
		const struct vd_host_node_route *before = route_find(net->routes, net->route_count, &routes[i].prefix);

		if (!before)
			route_record("add", &routes[i]);
		else if (!vd_address_equal(&before->next_hop, &routes[i].next_hop) || before->domain != routes[i].domain)
			route_record("change", &routes[i]);
	}
	free(net->routes);
	net->routes = calloc(count + 1, sizeof(*routes));
	memcpy(net->routes, routes, count * sizeof(*routes));
	net->route_count = count;
	return 0;
}

/* ---- its packet filter and settings ---- */

struct vd_firewall {
	int fd; /* never readable */
};

int vd_firewall_open(const char *tag, struct vd_firewall **ret, struct vd_error *error)
{
	*ret = calloc(1, sizeof(**ret));
	(*ret)->fd = eventfd(0, EFD_CLOEXEC);
	return 0;
}

void vd_firewall_close(struct vd_firewall *firewall)
{
	if (!firewall)
		return;
	close(firewall->fd);
	free(firewall);
}

int vd_firewall_set(struct vd_firewall *firewall, const struct vd_firewall_rules *rules)
{
	return 0;
}

int vd_firewall_fd(const struct vd_firewall *firewall)
{
	return firewall->fd;
}

bool vd_firewall_read(struct vd_firewall *firewall)
{
	return false;
}

bool vd_firewall_differs(struct vd_firewall *firewall)
{
	return false;
}

int vd_firewall_check(struct vd_firewall *firewall, void (*repaired)(const char *what, void *userdata), void *userdata,
		      struct vd_error *error)
{
	return 0;
}

int vd_firewall_purge(const char *tag, struct vd_error *error)
{
	return 0;
}

int vd_settings_open(const char *path, struct vd_settings **ret, struct vd_error *error)
{
	*ret = NULL;
	return 0;
}

void vd_settings_close(struct vd_settings *settings)
{
}

bool vd_settings_are_own(const struct vd_settings *settings)
{
	return true;
}

int vd_settings_ensure(struct vd_settings *settings, struct vd_host_net *net, const struct vd_settings_need *need,
		       void (*changed)(const char *what, void *userdata), void *userdata, struct vd_error *error)
{
	return 0;
}

int vd_settings_restore(struct vd_settings *settings, struct vd_host_net *net, struct vd_error *error)
{
	return 0;
}

int vd_host_occupied_read(struct vd_host_net *net, struct vd_host_occupied **ret, size_t *ret_count, struct vd_error *error)
{
	*ret = NULL;
	*ret_count = 0;
	return 0;
}

int vd_host_occupied_read_guest(const char *path, const struct vd_host_netns *netns, struct vd_host_occupied **ret,
				size_t *ret_count, struct vd_error *error)
{
	*ret = NULL;
	*ret_count = 0;
	return 0;
}

int vd_host_watch_open(struct vd_error *error)
{
	return eventfd(0, EFD_CLOEXEC);
}

void vd_host_watch_read(int fd, struct vd_host_watched *ret)
{
	*ret = (struct vd_host_watched){};
}

void vd_host_monitor_stop(struct vd_host_net *net)
{
}

/* ---- nothing of these happens to hosts without instances and uplinks ---- */

static int refused(struct vd_error *error)
{
	return vd_error_set(error, -EOPNOTSUPP, "this host has no kernel of its own");
}

int vd_host_netns_resolve(const char *text, char **ret_path, struct vd_host_netns *ret_netns, struct vd_error *error)
{
	return refused(error);
}

int vd_host_veth_create(struct vd_host_net *net, uint32_t port, const struct vd_mac *mac, uint32_t mtu, const char *netns_path,
			const char *guest_ifname, struct vd_host_link *ret, struct vd_error *error)
{
	return refused(error);
}

int vd_host_tap_ensure(struct vd_host_net *net, uint32_t port, const char *ifname, uint32_t mtu, struct vd_host_link *ret,
		       struct vd_error *error)
{
	return refused(error);
}

int vd_host_guest_configure(struct vd_host_net *net, const char *netns_path, const char *guest_ifname,
			    const struct vd_host_guest *guest, struct vd_error *error)
{
	return refused(error);
}

int vd_host_guest_check(struct vd_host_net *net, const char *netns_path, const char *guest_ifname, const struct vd_mac *mac,
			const struct vd_host_guest *guest, struct vd_error *error)
{
	return refused(error);
}

int vd_host_port_remove(struct vd_host_net *net, uint32_t port, struct vd_error *error)
{
	return 0;
}

int vd_host_port_condemn(struct vd_host_net *net, uint32_t port, struct vd_error *error)
{
	return 0;
}

int vd_host_half_made_remove(struct vd_host_net *net, struct vd_error *error)
{
	return 0;
}

int vd_host_condemned_remove(struct vd_error *error)
{
	return 0;
}

bool vd_host_monitor_others(struct vd_host_net *net)
{
	return false;
}

int vd_host_uplink_read(struct vd_host_net *net, const char *ifname, struct vd_host_uplink *ret, struct vd_error *error)
{
	return refused(error);
}

int vd_host_uplink_filters_ensure(struct vd_host_net *net, uint32_t ifindex, const struct vd_mac *macs, size_t count,
				  struct vd_error *error)
{
	return refused(error);
}

int vd_host_uplink_each_filtered(struct vd_host_net *net, void (*uplink)(uint32_t ifindex, void *userdata), void *userdata)
{
	return 0;
}

int vd_host_uplink_hook_ensure(struct vd_host_net *net, uint32_t ifindex, struct vd_error *error)
{
	return refused(error);
}

int vd_host_uplink_hook_release(struct vd_host_net *net, uint32_t ifindex, struct vd_error *error)
{
	return 0;
}

int vd_host_uplink_each_hooked(struct vd_host_net *net, void (*uplink)(uint32_t ifindex, void *userdata), void *userdata)
{
	return 0;
}

int vd_host_uplink_purge(struct vd_host_net *net, struct vd_error *error)
{
	return 0;
}

int vd_host_cgroup_ensure(const char *tag, uint32_t domain, uint32_t cpu_milli, uint64_t memory, pid_t pid, struct vd_error *error)
{
	return 0;
}

int vd_host_cgroup_remove(const char *tag, uint32_t domain, struct vd_error *error)
{
	return 0;
}

int vd_host_cgroup_each(const char *tag, vd_host_cgroup_visit *visit, void *userdata)
{
	return 0;
}

int vd_host_cgroup_purge(const char *tag, struct vd_error *error)
{
	return 0;
}
