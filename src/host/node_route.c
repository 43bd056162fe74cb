/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "host/ip.h"
#include "host/link.h"
#include "host/node.h"

#include <errno.h>
#include <string.h>

/* A wanted one, as the kernel takes it. */
struct wanted {
	const struct vd_host_node_route *source;
	struct vd_host_ip_route route;
	bool stands, differs; /* differs: ours has the prefix, but leads elsewhere */
};

struct all {
	struct wanted *items; /* sorted by prefix */
	size_t count;
	struct vd_host_ip_route *unwanted; /* grows */
	size_t unwanted_count;
};

static int prefix_compare(const struct vd_prefix *a, const struct vd_prefix *b)
{
	int order = vd_address_compare(&a->address, &b->address);

	return order ? order : (int)a->length - b->length;
}

static int wanted_compare(const void *a, const void *b)
{
	const struct wanted *left = a, *right = b;

	return prefix_compare(&left->route.destination, &right->route.destination);
}

/* By the host port: to the permanent neighbour behind it. */
static int into_host_port(struct vd_host_net *net, struct wanted *wanted)
{
	struct vd_host_link_state link;
	char ifname[16];
	int result;

	snprintf(ifname, sizeof(ifname), "vdh%x", wanted->source->domain);
	result = vd_host_link_read(net->netlink, 0, ifname, &link);
	if (result < 0)
		return result;
	wanted->route.ifindex = link.ifindex;
	wanted->route.on_link = true;
	return vd_address_parse(wanted->route.destination.address.family == VD_FAMILY_IPV6 ? VD_HOST_DATA_PLANE_IPV6
											   : VD_HOST_DATA_PLANE_IPV4,
				&wanted->route.gateway);
}

static bool is_same(const struct vd_host_ip_route *wanted, const struct vd_host_ip_route *standing)
{
	return vd_address_equal(&wanted->gateway, &standing->gateway) && (!wanted->ifindex || wanted->ifindex == standing->ifindex);
}

static int compare(const struct vd_host_ip_route *route, void *userdata)
{
	struct wanted key = {.route = *route}, *found;
	struct vd_host_ip_route *grown;
	struct all *all = userdata;

	if (route->protocol != VD_HOST_PROTOCOL_NODE)
		return 0;
	found = all->count ? bsearch(&key, all->items, all->count, sizeof(*all->items), wanted_compare) : NULL;
	if (found) {
		found->stands = is_same(&found->route, route);
		found->differs = !found->stands;
		return 0;
	}
	grown = reallocarray(all->unwanted, all->unwanted_count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	all->unwanted = grown;
	all->unwanted[all->unwanted_count++] = *route;
	return 0;
}

static int all_fill(struct vd_host_net *net, const struct vd_host_node_route *routes, size_t count, struct all *all)
{
	all->items = calloc(count + 1, sizeof(*all->items));
	if (!all->items)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		struct wanted *wanted = &all->items[all->count];

		*wanted = (struct wanted){.source = &routes[i]};
		wanted->route.destination = routes[i].prefix;
		wanted->route.gateway = routes[i].next_hop;
		wanted->route.protocol = VD_HOST_PROTOCOL_NODE;
		/* A host port that is not there has no routes. */
		if (routes[i].next_hop.family != VD_FAMILY_NONE || into_host_port(net, wanted) == 0)
			all->count++;
	}
	qsort(all->items, all->count, sizeof(*all->items), wanted_compare);
	return 0;
}

static int route_put(struct vd_host_net *net, const struct wanted *wanted, struct vd_error *error)
{
	char text[VD_PREFIX_TEXT];
	int result = vd_host_ip_route_put(net->netlink, &wanted->route, wanted->differs, error);

	if (result == -EEXIST)
		return vd_error_set(error, result, "this host has a route to %s already, which is not ours: remove it",
				    vd_prefix_format(&wanted->route.destination, text));
	return result < 0 ? vd_error_prefix(error, result, "route to %s", vd_prefix_format(&wanted->route.destination, text)) : 0;
}

static int carry_out(struct vd_host_net *net, const struct all *all,
		     void (*failed)(const struct vd_host_node_route *route, int code, const char *sentence, void *userdata),
		     void *userdata, struct vd_error *error)
{
	int first = 0;

	for (size_t i = 0; i < all->unwanted_count; i++) {
		int result = vd_host_ip_route_remove(net->netlink, &all->unwanted[i], first ? NULL : error);

		if (result < 0 && !first)
			first = result;
	}
	for (size_t i = 0; i < all->count; i++) {
		struct vd_error reason = {"the kernel refused it"};
		int result = all->items[i].stands ? 0 : route_put(net, &all->items[i], &reason);

		if (result < 0 && failed)
			failed(all->items[i].source, result, reason.text, userdata);
	}
	return first;
}

int vd_host_node_routes_ensure(struct vd_host_net *net, const struct vd_host_node_route *routes, size_t count,
			       void (*failed)(const struct vd_host_node_route *route, int code, const char *sentence,
					      void *userdata),
			       void *userdata, struct vd_error *error)
{
	struct all all = {0};
	int result = all_fill(net, routes, count, &all);

	if (!result)
		result = vd_host_ip_route_each(net->netlink, 0, compare, &all);
	if (result < 0)
		vd_error_set(error, result, "cannot read this host's routes: %s", strerror(-result));
	else
		result = carry_out(net, &all, failed, userdata, error);
	free(all.items);
	free(all.unwanted);
	return result;
}

/* ---- bridges ---- */

struct bridge_search {
	struct vd_host_net *net;
	const struct vd_prefix *prefix;
	char *ret_ifname;
};

static int bridge_check(const struct vd_host_ip_address *address, void *userdata)
{
	const struct bridge_search *search = userdata;
	struct vd_host_link_state link;

	if (!vd_prefix_covers(&address->prefix, search->prefix) ||
	    address->prefix.length == vd_address_bits(&address->prefix.address))
		return 0;
	if (vd_host_link_read(search->net->netlink, address->ifindex, NULL, &link) < 0 || strcmp(link.kind, "bridge") != 0 ||
	    vd_host_link_what(search->net, &link))
		return 0;
	memcpy(search->ret_ifname, link.ifname, sizeof(link.ifname));
	return -EALREADY; /* ends the visit: found */
}

int vd_host_bridge_find(struct vd_host_net *net, const struct vd_prefix *prefix, char ret_ifname[16])
{
	struct bridge_search search = {net, prefix, ret_ifname};
	int result = vd_host_ip_address_each(net->netlink, 0, bridge_check, &search);

	return result == -EALREADY ? 1 : result;
}
