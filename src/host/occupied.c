/* SPDX-License-Identifier: Apache-2.0 */
#include "host/occupied.h"

#include "base/cleanup.h"
#include "host/ip.h"
#include "host/link.h"
#include "host/netns.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

struct list {
	struct vd_host_net *net; /* NULL: none of its links is ours */
	struct vd_host_occupied *items;
	uint32_t *links; /* ifindex of each, 0 when it was looked up */
	size_t count;
};

/* fe80::/10, 169.254.0.0/16: everybody's, of every link. ff00::/8, 224.0.0.0/4: nobody's. */
static bool is_special(const struct vd_prefix *prefix)
{
	const uint8_t *bytes = prefix->address.bytes;

	if (prefix->address.family == VD_FAMILY_IPV6)
		return bytes[0] == 0xff || (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80);
	return bytes[0] >= 224 || (bytes[0] == 169 && bytes[1] == 254);
}

bool vd_host_occupies(uint8_t protocol, const struct vd_prefix *destination)
{
	return destination->length > 0 && !is_special(destination) &&
	       (protocol == RTPROT_KERNEL || protocol == RTPROT_BOOT || protocol == RTPROT_STATIC || protocol == RTPROT_DHCP);
}

static int add(const struct vd_host_ip_route *route, void *userdata)
{
	struct list *list = userdata;
	struct vd_host_occupied *items;
	uint32_t *links;

	if (!vd_host_occupies(route->protocol, &route->destination))
		return 0;
	items = reallocarray(list->items, list->count + 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	list->items = items;
	links = reallocarray(list->links, list->count + 1, sizeof(*links));
	if (!links)
		return -ENOMEM;
	list->links = links;
	items[list->count] = (struct vd_host_occupied){.prefix = route->destination};
	links[list->count++] = route->ifindex;
	return 0;
}

static int name_links(const struct vd_host_link_state *link, void *userdata)
{
	struct list *list = userdata;
	bool is_ours = list->net && (vd_host_link_what(list->net, link) || vd_host_link_is_half_made(link));

	for (size_t i = 0; i < list->count && !is_ours; i++) {
		if (list->links[i] != link->ifindex)
			continue;
		memcpy(list->items[i].ifname, link->ifname, sizeof(link->ifname));
		list->items[i].is_bridge = !strcmp(link->kind, "bridge");
	}
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct vd_host_occupied *left = a, *right = b;
	int order = vd_address_compare(&left->prefix.address, &right->prefix.address);

	if (!order)
		order = (int)left->prefix.length - right->prefix.length;
	return order ? order : strcmp(left->ifname, right->ifname);
}

/* Without those of our own links, which have no name here. */
static size_t pick(struct vd_host_occupied *items, size_t count)
{
	size_t kept = 0;

	if (count)
		qsort(items, count, sizeof(*items), compare);
	for (size_t i = 0; i < count; i++)
		if (items[i].ifname[0] && (!kept || !vd_prefix_equal(&items[kept - 1].prefix, &items[i].prefix)))
			items[kept++] = items[i];
	return kept;
}

static int list_read(struct list *list, struct nl_sock *netlink, struct vd_host_occupied **ret, size_t *ret_count)
{
	int result = vd_host_ip_route_each(netlink, 0, add, list);

	if (result >= 0)
		result = vd_host_link_each(netlink, name_links, list);
	free(list->links);
	if (result < 0) {
		free(list->items);
		return result;
	}
	*ret_count = pick(list->items, list->count);
	*ret = list->items;
	return 0;
}

int vd_host_occupied_read(struct vd_host_net *net, struct vd_host_occupied **ret, size_t *ret_count, struct vd_error *error)
{
	struct list list = {.net = net};
	int result = list_read(&list, net->netlink, ret, ret_count);

	if (result < 0)
		return vd_error_set(error, result, "cannot read this host's routes: %s", strerror(-result));
	return 0;
}

int vd_host_occupied_read_guest(const char *path, const struct vd_host_netns *netns, struct vd_host_occupied **ret,
				size_t *ret_count, struct vd_error *error)
{
	VD_CLEANUP(vd_host_socket_cleanup) struct nl_sock *netlink = NULL;
	struct vd_host_netns found;
	struct list list = {0};
	VD_CLOSE int fd = -1;
	int result;

	result = vd_host_netns_open(path, &fd, &found, error);
	if (!result && !vd_host_netns_equal(&found, netns))
		result = vd_error_set(error, -ESTALE, "network namespace %s is another one than that of the attachment", path);
	if (!result)
		result = vd_host_netns_socket(fd, &netlink, error);
	if (result < 0)
		return result;
	result = list_read(&list, netlink, ret, ret_count);
	if (result < 0)
		return vd_error_set(error, result, "cannot read the routes in %s: %s", path, strerror(-result));
	return 0;
}
