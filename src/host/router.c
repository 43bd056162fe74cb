/* SPDX-License-Identifier: Apache-2.0 */
#include "abi/maps.h"
#include "base/cleanup.h"
#include "host/ip.h"
#include "host/link.h"
#include "host/netns.h"
#include "host/sysctl.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

/* The veth's name inside, and what its kernel believes to be behind it: the data plane, which takes everything. */
#define INSIDE "viaduct"
#define DATA_PLANE_MAC \
	{ \
		0x02, 0x76, 0x69, 0x61, 0x64, 0x02 \
	}

/*
 * The namespace answers for the gateways and makes the ICMP errors of what is forwarded into it. A new namespace takes some IPv4
 * values over from the host's, hence all of them.
 */
static const struct vd_host_sysctl before_link[] = {
	{"ipv4/conf/default/send_redirects", "0"},
	{"ipv4/conf/all/send_redirects", "0"},
	{"ipv4/conf/default/rp_filter", "0"},
	{"ipv4/conf/all/rp_filter", "0"},
	{"ipv4/ip_forward", "1"},
	{"ipv4/conf/default/forwarding", "1"},
	{"ipv4/icmp_errors_use_inbound_ifaddr", "0"},
	{"ipv4/icmp_echo_ignore_all", "0"},
	/* No limit per destination, and (an empty mask) none per second over all: data plane policy limits, not this kernel. */
	{"ipv4/icmp_ratelimit", "0"},
	{"ipv4/icmp_ratemask", "0"},
	{"ipv6/conf/default/disable_ipv6", "0", true},
	{"ipv6/conf/all/disable_ipv6", "0", true},
	{"ipv6/conf/default/accept_dad", "0", true},
	{"ipv6/conf/default/accept_ra", "0", true},
	{"ipv6/conf/default/addr_gen_mode", "1", true},
	{"ipv6/conf/all/forwarding", "1", true},
	{"ipv6/icmp/ratelimit", "0", true},
};

/* Those of the link itself: "default" reached it only when it was made after. */
static const struct vd_host_sysctl on_link[] = {
	{"ipv4/conf/" INSIDE "/send_redirects", "0"},      {"ipv4/conf/" INSIDE "/rp_filter", "0"},
	{"ipv4/conf/" INSIDE "/forwarding", "1"},          {"ipv6/conf/" INSIDE "/disable_ipv6", "0", true},
	{"ipv6/conf/" INSIDE "/addr_gen_mode", "1", true}, {"ipv6/conf/" INSIDE "/forwarding", "1", true},
	{"ipv6/conf/" INSIDE "/accept_dad", "0", true},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct router {
	struct vd_host_net *net;
	uint32_t domain, mtu;
	char ifname[16], what[24];
	char path[PATH_MAX];
	int netns;
	struct nl_sock *inside;
	struct vd_host_link_state outer, inner;
};

static int netns_path(struct vd_host_net *net, uint32_t domain, char path[PATH_MAX], struct vd_error *error)
{
	if (snprintf(path, PATH_MAX, "%s/netns/%u", net->run_directory, domain) >= PATH_MAX)
		return vd_error_set(error, -ENAMETOOLONG, "the run directory %s has too long a name", net->run_directory);
	return 0;
}

static int router_init(struct router *router, struct vd_host_net *net, uint32_t domain, uint32_t mtu, struct vd_error *error)
{
	*router = (struct router){.net = net, .domain = domain, .mtu = mtu, .netns = -1};
	snprintf(router->ifname, sizeof(router->ifname), "vr%x", domain);
	snprintf(router->what, sizeof(router->what), "router/%x", domain);
	return netns_path(net, domain, router->path, error);
}

static void router_done(struct router *router)
{
	vd_host_socket_cleanup(&router->inside);
	vd_cleanup_close(&router->netns);
}

static int make_directories(struct vd_host_net *net, struct vd_error *error)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/netns", net->run_directory) >= (int)sizeof(path))
		return vd_error_set(error, -ENAMETOOLONG, "the run directory %s has too long a name", net->run_directory);
	if ((mkdir(net->run_directory, 0755) < 0 && errno != EEXIST) || (mkdir(path, 0755) < 0 && errno != EEXIST))
		return vd_error_set(error, -errno, "cannot make the directory %s: %m", path);
	return 0;
}

/* A file that is no namespace is one whose maker died before the mount. */
static int open_netns(struct router *router, struct vd_error *error)
{
	struct vd_host_netns netns;
	int result = vd_host_netns_open(router->path, &router->netns, &netns, NULL);

	if (result < 0) {
		result = make_directories(router->net, error);
		if (!result)
			result = vd_host_netns_pin(router->path, error);
		if (!result)
			result = vd_host_netns_open(router->path, &router->netns, &netns, error);
	}
	return result < 0 ? result : vd_host_netns_socket(router->netns, &router->inside, error);
}

/* A pair that stands whole, one end here, the other in this very namespace. Anything else of ours goes away. */
static int adopt_veth(struct router *router, bool *ret_stands, struct vd_error *error)
{
	static const struct vd_mac inside_mac = {VD_GATEWAY_MAC};
	struct nl_sock *netlink = router->net->netlink;
	int inner = vd_host_link_read(router->inside, 0, INSIDE, &router->inner);
	int outer = vd_host_link_read(netlink, 0, router->ifname, &router->outer);
	int result = 0;

	if (outer < 0 && outer != -ENODEV)
		return vd_error_set(error, outer, "cannot read the interface %s: %s", router->ifname, strerror(-outer));
	if (!outer && !vd_host_link_is_ours(router->net, &router->outer, router->what))
		return vd_error_set(error, -EEXIST, "the interface %s on this host is not ours: rename or remove it",
				    router->ifname);
	*ret_stands = !outer && !inner && router->outer.peer == router->inner.ifindex &&
		      router->inner.peer == router->outer.ifindex && vd_mac_equal(&router->inner.mac, &inside_mac);
	if (*ret_stands)
		return 0;
	if (!outer)
		result = vd_host_link_delete(netlink, router->outer.ifindex, error);
	/* Its other end may lie somewhere else; gone with the first, it is success. */
	if (!result && !inner)
		result = vd_host_link_delete(router->inside, router->inner.ifindex, error);
	return result;
}

static int ensure_veth(struct router *router, struct vd_error *error)
{
	static const struct vd_mac mac = {DATA_PLANE_MAC}, inside_mac = {VD_GATEWAY_MAC};
	const struct vd_host_veth veth = {router->ifname, INSIDE, &mac, &inside_mac, router->mtu, router->netns};
	bool stands = false;
	int result = adopt_veth(router, &stands, error);

	if (result < 0)
		return result;
	if (!stands) {
		result = vd_host_veth_make(router->net->netlink, &veth, error);
		if (!result)
			result = vd_host_link_read(router->net->netlink, 0, router->ifname, &router->outer);
		if (!result)
			result = vd_host_link_read(router->inside, 0, INSIDE, &router->inner);
	}
	if (!result && vd_host_link_is_half_made(&router->outer))
		result = vd_host_link_mark(router->net, router->outer.ifindex, router->what, error);
	if (!result)
		result = vd_host_link_bring_up(router->net->netlink, &router->outer, 0, error);
	if (!result)
		result = vd_host_sysctl_ensure(router->netns, on_link, COUNT(on_link), error);
	if (!result)
		result = vd_host_link_bring_up(router->inside, &router->inner, router->mtu, error);
	return result;
}

/* Everything that this kernel says leaves by the one link, to a neighbour that need not be asked for. */
static int ensure_way_out(struct router *router, struct vd_error *error)
{
	static const struct vd_mac mac = {DATA_PLANE_MAC};
	static const struct vd_prefix all[] = {{.address.family = VD_FAMILY_IPV4}, {.address.family = VD_FAMILY_IPV6}};
	struct vd_address gateways[2];
	struct vd_host_ip_route routes[2];
	size_t count = router->inner.address_generation == VD_HOST_NO_IPV6 ? 1 : 2;

	vd_address_parse(VD_HOST_DATA_PLANE_IPV4, &gateways[0]);
	vd_address_parse(VD_HOST_DATA_PLANE_IPV6, &gateways[1]);
	for (size_t i = 0; i < count; i++) {
		int result = vd_host_ip_neighbour_ensure(router->inside, router->inner.ifindex, &gateways[i], &mac, error);

		if (result < 0)
			return result;
		routes[i] = (struct vd_host_ip_route){
			.ifindex = router->inner.ifindex,
			.destination = all[i],
			.gateway = gateways[i],
			.on_link = true,
		};
	}
	return vd_host_ip_routes_ensure(router->inside, router->inner.ifindex, routes, count, error);
}

static int ensure_addresses(struct router *router, const struct vd_address *gateways, size_t count, struct vd_error *error)
{
	VD_FREE struct vd_prefix *prefixes = calloc(count + 1, sizeof(*prefixes));

	if (!prefixes)
		return vd_error_set(error, -ENOMEM, "out of memory");
	for (size_t i = 0; i < count; i++)
		prefixes[i] = vd_prefix_of_address(&gateways[i]);
	return vd_host_ip_addresses_ensure(router->inside, router->inner.ifindex, prefixes, count, error);
}

static int router_fill(struct router *router, const struct vd_address *gateways, size_t count, struct vd_error *error)
{
	struct vd_host_link_state loopback;
	int result = open_netns(router, error);

	if (!result)
		result = vd_host_sysctl_ensure(router->netns, before_link, COUNT(before_link), error);
	if (!result)
		result = vd_host_link_read(router->inside, 0, "lo", &loopback);
	if (!result)
		result = vd_host_link_bring_up(router->inside, &loopback, 0, error);
	if (!result)
		result = ensure_veth(router, error);
	if (!result)
		result = ensure_addresses(router, gateways, count, error);
	if (!result)
		result = ensure_way_out(router, error);
	return result;
}

int vd_host_router_ensure(struct vd_host_net *net, uint32_t domain, const struct vd_address *gateways, size_t gateway_count,
			  uint32_t mtu, uint32_t *ret_ifindex, struct vd_error *error)
{
	struct vd_error reason = {"the kernel refused a request"};
	struct router router;
	int result = router_init(&router, net, domain, mtu, &reason);

	if (!result)
		result = router_fill(&router, gateways, gateway_count, &reason);
	router_done(&router);
	if (result < 0)
		return vd_error_set(error, result, "the router of domain %u: %s", domain, reason.text);
	*ret_ifindex = router.outer.ifindex;
	return 0;
}

int vd_host_router_remove(struct vd_host_net *net, uint32_t domain, struct vd_error *error)
{
	struct router router;
	int result = router_init(&router, net, domain, 0, error);

	if (result < 0)
		return result;
	if (!vd_host_link_read(net->netlink, 0, router.ifname, &router.outer) &&
	    vd_host_link_is_ours(net, &router.outer, router.what)) {
		result = vd_host_link_delete(net->netlink, router.outer.ifindex, error);
		if (result < 0)
			return result;
	}
	return vd_host_netns_unpin(router.path, error);
}

static bool parse_domain(const char *name, uint32_t *ret)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(name, &end, 10);
	if (errno || *name < '0' || *name > '9' || *end || value > UINT32_MAX)
		return false;
	*ret = (uint32_t)value;
	return true;
}

int vd_host_router_each(struct vd_host_net *net, void (*router)(uint32_t domain, void *userdata), void *userdata)
{
	char path[PATH_MAX];
	struct dirent *entry;
	uint32_t domain;
	DIR *directory;

	if (snprintf(path, sizeof(path), "%s/netns", net->run_directory) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	directory = opendir(path);
	if (!directory)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(directory))) {
		if (parse_domain(entry->d_name, &domain))
			router(domain, userdata);
	}
	closedir(directory);
	return 0;
}

struct purge {
	struct vd_host_net *net;
	struct vd_error *error;
	int result; /* of the first that failed */
};

static void remove_one(uint32_t domain, void *userdata)
{
	struct purge *purge = userdata;
	int result = vd_host_router_remove(purge->net, domain, purge->result ? NULL : purge->error);

	if (result < 0 && !purge->result)
		purge->result = result;
}

int vd_host_router_purge(struct vd_host_net *net, struct vd_error *error)
{
	struct purge purge = {net, error, 0};
	char path[PATH_MAX];
	int result = vd_host_router_each(net, remove_one, &purge);

	if (result < 0)
		return vd_error_set(error, result, "cannot read %s/netns: %s", net->run_directory, strerror(-result));
	if (purge.result < 0)
		return purge.result;
	if (snprintf(path, sizeof(path), "%s/netns", net->run_directory) < (int)sizeof(path))
		rmdir(path);
	return 0;
}
