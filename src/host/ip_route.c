/* SPDX-License-Identifier: Apache-2.0 */
#include "host/ip.h"

#include "base/cleanup.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

/* More than the kernel's own (0, of IPv6 1024). */
#define METRIC_BEHIND 4096

struct each {
	uint32_t ifindex;
	int (*route)(const struct vd_host_ip_route *route, void *userdata);
	void *userdata;
};

static int call_each(const struct nlmsghdr *header, void *userdata)
{
	const struct each *each = userdata;
	const struct rtmsg *information = nlmsg_data(header);
	struct nlattr *table[RTA_MAX + 1];
	struct vd_host_ip_route route = {0};

	if (header->nlmsg_type != RTM_NEWROUTE || vd_host_attributes(header, sizeof(*information), table, RTA_MAX) < 0)
		return 0;
	if (information->rtm_type != RTN_UNICAST || information->rtm_flags & RTM_F_CLONED || !table[RTA_OIF] || !table[RTA_TABLE] ||
	    nla_get_u32(table[RTA_TABLE]) != RT_TABLE_MAIN)
		return 0;
	route.ifindex = nla_get_u32(table[RTA_OIF]);
	route.protocol = information->rtm_protocol;
	route.on_link = information->rtm_flags & RTNH_F_ONLINK;
	route.destination.length = information->rtm_dst_len;
	route.destination.address = vd_host_get_address(information->rtm_family, table[RTA_DST]);
	route.destination.address.family = information->rtm_family == AF_INET6 ? VD_FAMILY_IPV6 : VD_FAMILY_IPV4;
	route.gateway = vd_host_get_address(information->rtm_family, table[RTA_GATEWAY]);
	if (each->ifindex && each->ifindex != route.ifindex)
		return 0;
	return each->route(&route, each->userdata);
}

static int dump(struct nl_sock *socket, uint8_t family, struct each *each)
{
	struct rtmsg information = {.rtm_family = family};
	VD_MESSAGE struct nl_msg *message = vd_host_message_new(RTM_GETROUTE, NLM_F_DUMP, &information, sizeof(information));
	int result;

	if (!message)
		return -ENOMEM;
	/* Only the main table: with a full one beside it a dump would be long. ENOENT: that table has never held anything. */
	if (nla_put_u32(message, RTA_TABLE, RT_TABLE_MAIN) < 0)
		return -EMSGSIZE;
	result = vd_host_request(socket, message, call_each, each, NULL);
	return result == -ENOENT ? 0 : result;
}

int vd_host_ip_route_each(struct nl_sock *socket, uint32_t ifindex,
			  int (*route)(const struct vd_host_ip_route *route, void *userdata), void *userdata)
{
	struct each each = {ifindex, route, userdata};
	int result = dump(socket, AF_INET, &each);

	if (result < 0)
		return result;
	result = dump(socket, AF_INET6, &each);
	return result == -EAFNOSUPPORT || result == -EOPNOTSUPP ? 0 : result;
}

static struct nl_msg *route_message(int type, int flags, const struct vd_host_ip_route *route)
{
	bool has_gateway = route->gateway.family != VD_FAMILY_NONE;
	struct rtmsg information = {
		.rtm_family = (uint8_t)vd_host_af(&route->destination.address),
		.rtm_dst_len = route->destination.length,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = route->protocol ? route->protocol : VD_HOST_PROTOCOL,
		.rtm_scope = has_gateway || route->destination.address.family == VD_FAMILY_IPV6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
		.rtm_type = RTN_UNICAST,
		.rtm_flags = route->on_link ? RTNH_F_ONLINK : 0,
	};
	VD_MESSAGE struct nl_msg *message = vd_host_message_new(type, flags, &information, sizeof(information));

	if (!message || (route->ifindex && nla_put_u32(message, RTA_OIF, route->ifindex) < 0) ||
	    (route->metric && nla_put_u32(message, RTA_PRIORITY, route->metric) < 0) ||
	    (route->destination.length && vd_host_put_address(message, RTA_DST, &route->destination.address) < 0) ||
	    (has_gateway && vd_host_put_address(message, RTA_GATEWAY, &route->gateway) < 0))
		return NULL;
	return VD_TAKE(message);
}

static bool same_destination(const struct vd_host_ip_route *a, const struct vd_host_ip_route *b)
{
	return a->destination.length == b->destination.length && vd_address_equal(&a->destination.address, &b->destination.address);
}

static int find_ours(const struct vd_host_ip_route *route, void *userdata)
{
	const struct vd_host_ip_route **wanted = userdata;

	if (*wanted && route->protocol == VD_HOST_PROTOCOL && same_destination(route, *wanted))
		*wanted = NULL;
	return 0;
}

/*
 * Two ports of one VPC in an instance: the one that came first keeps its route, for what it has under way, and the kernel goes over to
 * the other's when it leaves. Each link has a metric of its own.
 */
static int route_add_behind(struct nl_sock *socket, const struct vd_host_ip_route *route, struct vd_error *error)
{
	struct vd_host_ip_route behind = *route;

	behind.metric = METRIC_BEHIND + route->ifindex;
	return vd_host_ip_route_put(socket, &behind, true, error);
}

/* One that someone else set stays, and we say so. */
static int route_add(struct nl_sock *socket, const struct vd_host_ip_route *route, struct vd_error *error)
{
	const struct vd_host_ip_route *search = route;
	char text[VD_PREFIX_TEXT];
	int result;

	result = vd_host_ip_route_put(socket, route, false, error);
	if (result == -EEXIST) {
		result = vd_host_ip_route_each(socket, 0, find_ours, &search);
		if (result >= 0 && search)
			return vd_error_set(error, -EEXIST,
					    "there is a route to %s already: remove it, or make this port not the default one",
					    vd_prefix_format(&route->destination, text));
		if (result >= 0)
			result = route->destination.length ? route_add_behind(socket, route, error)
							   : vd_host_ip_route_put(socket, route, true, error);
	}
	return result < 0
		       ? vd_error_prefix(error, result, "cannot set the route to %s", vd_prefix_format(&route->destination, text))
		       : 0;
}

int vd_host_ip_route_put(struct nl_sock *socket, const struct vd_host_ip_route *route, bool replace, struct vd_error *error)
{
	VD_MESSAGE struct nl_msg *message =
		route_message(RTM_NEWROUTE, NLM_F_CREATE | (replace ? NLM_F_REPLACE : NLM_F_EXCL), route);

	return message ? vd_host_request(socket, message, NULL, NULL, error) : vd_error_set(error, -ENOMEM, "out of memory");
}

int vd_host_ip_route_remove(struct nl_sock *socket, const struct vd_host_ip_route *route, struct vd_error *error)
{
	VD_MESSAGE struct nl_msg *message = route_message(RTM_DELROUTE, 0, route);
	char text[VD_PREFIX_TEXT];
	int result;

	if (!message)
		return vd_error_set(error, -ENOMEM, "out of memory");
	result = vd_host_request(socket, message, NULL, NULL, error);
	if (result < 0 && result != -ESRCH)
		return vd_error_prefix(error, result, "cannot remove the route to %s", vd_prefix_format(&route->destination, text));
	return 0;
}

struct wanted {
	const struct vd_host_ip_route *routes;
	size_t count;
	bool *present;                     /* one per route */
	struct vd_host_ip_route *unwanted; /* grows */
	size_t unwanted_count;
};

static int compare(const struct vd_host_ip_route *route, void *userdata)
{
	struct wanted *wanted = userdata;
	struct vd_host_ip_route *grown;

	if (route->protocol != VD_HOST_PROTOCOL)
		return 0;
	for (size_t i = 0; i < wanted->count; i++) {
		if (same_destination(&wanted->routes[i], route) && vd_address_equal(&wanted->routes[i].gateway, &route->gateway)) {
			wanted->present[i] = true;
			return 0;
		}
	}
	grown = reallocarray(wanted->unwanted, wanted->unwanted_count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	wanted->unwanted = grown;
	wanted->unwanted[wanted->unwanted_count++] = *route;
	return 0;
}

int vd_host_ip_routes_ensure(struct nl_sock *socket, uint32_t ifindex, const struct vd_host_ip_route *routes, size_t count,
			     struct vd_error *error)
{
	VD_FREE bool *present = calloc(count + 1, sizeof(*present));
	VD_FREE struct vd_host_ip_route *unwanted = NULL;
	struct wanted wanted = {.routes = routes, .count = count, .present = present};
	int result;

	if (!present)
		return vd_error_set(error, -ENOMEM, "out of memory");
	result = vd_host_ip_route_each(socket, ifindex, compare, &wanted);
	unwanted = wanted.unwanted;
	if (result < 0)
		return vd_error_set(error, result, "cannot read the routes: %s", strerror(-result));
	for (size_t i = 0; i < wanted.unwanted_count; i++) {
		result = vd_host_ip_route_remove(socket, &unwanted[i], error);
		if (result < 0)
			return result;
	}
	for (size_t i = 0; i < count; i++) {
		result = present[i] ? 0 : route_add(socket, &routes[i], error);
		if (result < 0)
			return result;
	}
	return 0;
}

struct neighbour {
	const struct vd_address *address;
	const struct vd_mac *mac;
	bool stands;
};

static int compare_neighbour(const struct nlmsghdr *header, void *userdata)
{
	struct neighbour *neighbour = userdata;
	const struct ndmsg *information = nlmsg_data(header);
	struct nlattr *table[NDA_MAX + 1];
	struct vd_address address;

	if (header->nlmsg_type != RTM_NEWNEIGH || vd_host_attributes(header, sizeof(*information), table, NDA_MAX) < 0)
		return 0;
	address = vd_host_get_address(information->ndm_family, table[NDA_DST]);
	if (information->ndm_state & NUD_PERMANENT && vd_address_equal(&address, neighbour->address) && table[NDA_LLADDR] &&
	    nla_len(table[NDA_LLADDR]) == 6 && !memcmp(nla_data(table[NDA_LLADDR]), neighbour->mac->bytes, 6))
		neighbour->stands = true;
	return 0;
}

int vd_host_ip_neighbour_ensure(struct nl_sock *socket, uint32_t ifindex, const struct vd_address *address,
				const struct vd_mac *mac, struct vd_error *error)
{
	struct ndmsg information = {.ndm_family = (uint8_t)vd_host_af(address)};
	VD_MESSAGE struct nl_msg *get = vd_host_message_new(RTM_GETNEIGH, NLM_F_DUMP, &information, sizeof(information));
	VD_MESSAGE struct nl_msg *set = NULL;
	struct neighbour neighbour = {address, mac, false};
	int result;

	if (!get || nla_put_u32(get, NDA_IFINDEX, ifindex) < 0)
		return vd_error_set(error, -ENOMEM, "out of memory");
	result = vd_host_request(socket, get, compare_neighbour, &neighbour, error);
	if (result < 0 || neighbour.stands)
		return result;
	information.ndm_ifindex = (int)ifindex;
	information.ndm_state = NUD_PERMANENT;
	set = vd_host_message_new(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, &information, sizeof(information));
	if (!set || vd_host_put_address(set, NDA_DST, address) < 0 || nla_put(set, NDA_LLADDR, 6, mac->bytes) < 0)
		return vd_error_set(error, -ENOMEM, "out of memory");
	return vd_host_request(socket, set, NULL, NULL, error);
}
