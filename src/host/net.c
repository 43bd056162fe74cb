/* SPDX-License-Identifier: Apache-2.0 */
#include "host/net.h"

#include "base/cleanup.h"
#include "host/link.h"
#include "host/netns.h"
#include "host/node.h"
#include "host/uplink.h"

#include <errno.h>
#include <string.h>

VD_DEFINE_CLEANUP(struct vd_host_net, vd_host_net_close)

int vd_host_net_open(const char *tag, const char *run_directory, struct vd_host_net **ret, struct vd_error *error)
{
	VD_CLEANUP(vd_host_net_close_cleanup) struct vd_host_net *net = calloc(1, sizeof(*net));
	int result;

	if (!net)
		return vd_error_set(error, -ENOMEM, "out of memory");
	net->frames = -1;
	net->tag = strdup(tag);
	net->run_directory = strdup(run_directory);
	if (!net->tag || !net->run_directory)
		return vd_error_set(error, -ENOMEM, "out of memory");
	result = vd_host_netns_self(&net->netns);
	if (!result)
		result = vd_host_socket_open(&net->netlink);
	if (result < 0)
		return vd_error_set(error, result, "cannot open a netlink socket: %s", strerror(-result));
	result = vd_host_monitor_open(net, error);
	if (result < 0)
		return result;
	*ret = VD_TAKE(net);
	return 0;
}

void vd_host_net_close(struct vd_host_net *net)
{
	if (!net)
		return;
	vd_host_monitor_close(net);
	vd_host_socket_cleanup(&net->netlink);
	vd_cleanup_close(&net->frames);
	free(net->tag);
	free(net->run_directory);
	free(net);
}

struct collected {
	struct vd_host_net *net;
	bool half_made; /* those too */
	struct vd_host_link_state *links;
	size_t count;
};

static int collect(const struct vd_host_link_state *link, void *userdata)
{
	struct collected *collected = userdata;
	struct vd_host_link_state *grown;

	if (!vd_host_link_what(collected->net, link) && !(collected->half_made && vd_host_link_is_half_made(link)))
		return 0;
	grown = reallocarray(collected->links, collected->count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	collected->links = grown;
	grown[collected->count++] = *link;
	return 0;
}

/* Collected first: the callback may remove links, on the same socket. */
int vd_host_link_each_ours(struct vd_host_net *net,
			   void (*link)(const char *what, uint32_t ifindex, const char *ifname, void *userdata), void *userdata)
{
	struct collected collected = {.net = net};
	int result = vd_host_link_each(net->netlink, collect, &collected);

	for (size_t i = 0; i < collected.count && result >= 0; i++)
		link(vd_host_link_what(net, &collected.links[i]), collected.links[i].ifindex, collected.links[i].ifname, userdata);
	free(collected.links);
	return result;
}

int vd_host_half_made_remove(struct vd_host_net *net, struct vd_error *error)
{
	struct collected collected = {.net = net, .half_made = true};
	int result = vd_host_link_each(net->netlink, collect, &collected);

	if (result < 0)
		vd_error_set(error, result, "cannot read this host's interfaces: %s", strerror(-result));
	for (size_t i = 0; i < collected.count && result >= 0; i++)
		if (vd_host_link_is_half_made(&collected.links[i]))
			result = vd_host_link_delete(net->netlink, collected.links[i].ifindex, error);
	free(collected.links);
	return result < 0 ? result : 0;
}

int vd_host_net_purge(struct vd_host_net *net, struct vd_error *error)
{
	struct collected collected = {.net = net, .half_made = true};
	int result = vd_host_link_each(net->netlink, collect, &collected);

	if (result < 0)
		vd_error_set(error, result, "cannot read this host's interfaces: %s", strerror(-result));
	for (size_t i = 0; i < collected.count && result >= 0; i++) {
		result = vd_host_link_remove(net, collected.links[i].ifindex, error);
		if (result < 0)
			vd_error_prefix(error, result, "interface %s", collected.links[i].ifname);
	}
	free(collected.links);
	if (result >= 0)
		result = vd_host_node_routes_ensure(net, NULL, 0, NULL, NULL, error);
	if (result >= 0)
		result = vd_host_uplink_purge(net, error);
	return result < 0 ? result : vd_host_router_purge(net, error);
}
