/* SPDX-License-Identifier: Apache-2.0 */
#include "host/node.h"

#include "abi/maps.h"
#include "base/cleanup.h"
#include "host/ip.h"
#include "host/link.h"
#include "host/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* What the kernel believes to be behind its end: the data plane, which takes everything (as in router.c). */
#define DATA_PLANE_MAC \
	{ \
		0x02, 0x76, 0x69, 0x61, 0x64, 0x02 \
	}
#define WHAT "node/"
#define INNER "/data"

struct node_port {
	struct vd_host_net *net;
	char outer_name[16], inner_name[16]; /* vdh, vdi: no hexadecimal digit behind vd, as ports' links have */
	char outer_what[VD_HOST_ALIAS_SIZE], inner_what[VD_HOST_ALIAS_SIZE]; /* what their aliases say */
	struct vd_host_link_state outer, inner;
};

static void node_port_init(struct node_port *port, struct vd_host_net *net, uint32_t domain)
{
	*port = (struct node_port){.net = net};
	snprintf(port->outer_name, sizeof(port->outer_name), "vdh%x", domain);
	snprintf(port->inner_name, sizeof(port->inner_name), "vdi%x", domain);
	snprintf(port->outer_what, sizeof(port->outer_what), WHAT "%x", domain);
	snprintf(port->inner_what, sizeof(port->inner_what), WHAT "%x" INNER, domain);
}

static int read_end(struct vd_host_net *net, const char *ifname, const char *what, struct vd_host_link_state *ret,
		    struct vd_error *error)
{
	int result = vd_host_link_read(net->netlink, 0, ifname, ret);

	if (result < 0 && result != -ENODEV)
		return vd_error_set(error, result, "cannot read the interface %s: %s", ifname, strerror(-result));
	if (!result && !vd_host_link_is_ours(net, ret, what))
		return vd_error_set(error, -EEXIST, "the interface %s on this host is not ours: rename or remove it", ifname);
	return result;
}

/* A pair that stands whole. Anything else of ours goes away. */
static int adopt(struct node_port *port, bool *ret_stands, struct vd_error *error)
{
	static const struct vd_mac mac = {VD_GATEWAY_MAC};
	int outer = read_end(port->net, port->outer_name, port->outer_what, &port->outer, error);
	int inner = read_end(port->net, port->inner_name, port->inner_what, &port->inner, error);
	int result = 0;

	if ((outer < 0 && outer != -ENODEV) || (inner < 0 && inner != -ENODEV))
		return outer < 0 && outer != -ENODEV ? outer : inner;
	*ret_stands = !outer && !inner && port->outer.peer == port->inner.ifindex && port->inner.peer == port->outer.ifindex &&
		      vd_mac_equal(&port->outer.mac, &mac);
	if (*ret_stands)
		return 0;
	if (!outer)
		result = vd_host_link_delete(port->net->netlink, port->outer.ifindex, error);
	/* Gone with the first, it is success. */
	if (!result && !inner)
		result = vd_host_link_delete(port->net->netlink, port->inner.ifindex, error);
	return result;
}

/* Its end must reach the host's kernel as it is: no filter of the reverse path, nobody told to go another way. */
static int outer_configure(const struct node_port *port, struct vd_error *error)
{
	static const struct {
		const char *name, *value;
		bool optional;
	} wanted[] = {
		{"ipv4/conf/%s/rp_filter", "0", false},  {"ipv4/conf/%s/send_redirects", "0", false},
		{"ipv4/conf/%s/forwarding", "1", false}, {"ipv6/conf/%s/disable_ipv6", "0", true},
		{"ipv6/conf/%s/accept_ra", "0", true},   {"ipv6/conf/%s/accept_dad", "0", true},
		{"ipv6/conf/%s/forwarding", "1", true},
	};
	struct vd_host_sysctl sysctls[sizeof(wanted) / sizeof(*wanted)];
	char names[sizeof(wanted) / sizeof(*wanted)][64];
	VD_CLOSE int self = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	if (self < 0)
		return vd_error_set(error, -errno, "cannot open this host's network namespace: %m");
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
		snprintf(names[i], sizeof(names[i]), wanted[i].name, port->outer_name);
		sysctls[i] = (struct vd_host_sysctl){names[i], wanted[i].value, wanted[i].optional};
	}
	return vd_host_sysctl_ensure(self, sysctls, sizeof(wanted) / sizeof(*wanted), error);
}

static int ends_mark(struct node_port *port, struct vd_error *error)
{
	int result = 0;

	if (vd_host_link_is_half_made(&port->inner))
		result = vd_host_link_mark(port->net, port->inner.ifindex, port->inner_what, error);
	if (!result && !vd_host_link_what(port->net, &port->outer))
		result = vd_host_link_mark(port->net, port->outer.ifindex, port->outer_what, error);
	return result;
}

static int ensure_pair(struct node_port *port, uint32_t mtu, struct vd_error *error)
{
	static const struct vd_mac data_plane = {DATA_PLANE_MAC}, kernel = {VD_GATEWAY_MAC};
	const struct vd_host_veth veth = {port->inner_name, port->outer_name, &data_plane, &kernel, mtu, -1};
	bool stands = false;
	int result = adopt(port, &stands, error);

	if (result < 0)
		return result;
	if (!stands) {
		result = vd_host_veth_make(port->net->netlink, &veth, error);
		if (!result)
			result = vd_host_link_read(port->net->netlink, 0, port->inner_name, &port->inner);
		if (!result)
			result = vd_host_link_read(port->net->netlink, 0, port->outer_name, &port->outer);
	}
	if (!result)
		result = ends_mark(port, error);
	if (!result)
		result = vd_host_link_bring_up(port->net->netlink, &port->inner, 0, error);
	if (!result)
		result = outer_configure(port, error);
	if (!result)
		result = vd_host_link_bring_up(port->net->netlink, &port->outer, mtu, error);
	return result;
}

static int ensure_neighbours(struct node_port *port, struct vd_error *error)
{
	static const char *const texts[] = {VD_HOST_DATA_PLANE_IPV4, VD_HOST_DATA_PLANE_IPV6};
	static const struct vd_mac mac = {DATA_PLANE_MAC};
	size_t count = port->outer.address_generation == VD_HOST_NO_IPV6 ? 1 : 2;
	int result = 0;

	for (size_t i = 0; i < count && !result; i++) {
		struct vd_address address;

		vd_address_parse(texts[i], &address);
		result = vd_host_ip_neighbour_ensure(port->net->netlink, port->outer.ifindex, &address, &mac, error);
	}
	return result;
}

static int ensure_addresses(struct node_port *port, const struct vd_address *gateways, size_t count, struct vd_error *error)
{
	VD_FREE struct vd_prefix *prefixes = calloc(count + 1, sizeof(*prefixes));

	if (!prefixes)
		return vd_error_set(error, -ENOMEM, "out of memory");
	for (size_t i = 0; i < count; i++)
		prefixes[i] = vd_prefix_of_address(&gateways[i]);
	return vd_host_ip_addresses_ensure(port->net->netlink, port->outer.ifindex, prefixes, count, error);
}

int vd_host_node_port_ensure(struct vd_host_net *net, uint32_t domain, const struct vd_address *gateways, size_t gateway_count,
			     uint32_t mtu, uint32_t *ret_ifindex, struct vd_error *error)
{
	struct vd_error reason = {"the kernel refused a request"};
	struct node_port port;
	int result;

	node_port_init(&port, net, domain);
	result = ensure_pair(&port, mtu, &reason);
	if (!result)
		result = ensure_addresses(&port, gateways, gateway_count, &reason);
	if (!result)
		result = ensure_neighbours(&port, &reason);
	if (result < 0)
		return vd_error_set(error, result, "the host port of container network %u: %s", domain, reason.text);
	*ret_ifindex = port.inner.ifindex;
	return 0;
}

int vd_host_node_port_remove(struct vd_host_net *net, uint32_t domain, struct vd_error *error)
{
	struct node_port port;
	int result = 0;

	node_port_init(&port, net, domain);
	if (!vd_host_link_read(net->netlink, 0, port.outer_name, &port.outer) &&
	    vd_host_link_is_ours(net, &port.outer, port.outer_what))
		result = vd_host_link_delete(net->netlink, port.outer.ifindex, error);
	if (!result && !vd_host_link_read(net->netlink, 0, port.inner_name, &port.inner) &&
	    vd_host_link_is_ours(net, &port.inner, port.inner_what))
		result = vd_host_link_delete(net->netlink, port.inner.ifindex, error);
	return result;
}

struct each {
	void (*port)(uint32_t domain, void *userdata);
	void *userdata;
};

/* By the data plane's end, which is marked first. */
static void call_each(const char *what, uint32_t ifindex, const char *ifname, void *userdata)
{
	const struct each *each = userdata;
	unsigned domain;
	int used = 0;

	if (sscanf(what, WHAT "%x" INNER "%n", &domain, &used) == 1 && used && !what[used])
		each->port(domain, each->userdata);
}

int vd_host_node_port_each(struct vd_host_net *net, void (*port)(uint32_t domain, void *userdata), void *userdata)
{
	struct each each = {port, userdata};

	return vd_host_link_each_ours(net, call_each, &each);
}
