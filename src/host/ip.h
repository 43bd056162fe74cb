/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_HOST_IP_H
#define VD_HOST_IP_H

#include "host/host.h"
#include "host/netlink.h"

/* What marks addresses and routes inside other namespaces as ours (IFA_PROTO since Linux 5.18, RTA_PROTOCOL): free in rt_protos. */
#define VD_HOST_PROTOCOL 118
/* Likewise routes of this host as a node. Another one: an instance's default route was set by the daemon of the host that it is on. */
#define VD_HOST_PROTOCOL_NODE 119

/* A neighbour that never expires and stands for the data plane: what a kernel sends there, it takes. */
#define VD_HOST_DATA_PLANE_IPV4 "169.254.0.1"
#define VD_HOST_DATA_PLANE_IPV6 "fe80::1"

struct vd_host_ip_address {
	uint32_t ifindex;
	struct vd_prefix prefix; /* the address with its network's length */
	uint8_t scope, protocol;
};
/* ifindex 0: of all links. */
int vd_host_ip_address_each(struct nl_sock *socket, uint32_t ifindex,
			    int (*address)(const struct vd_host_ip_address *address, void *userdata), void *userdata);
int vd_host_ip_address_add(struct nl_sock *socket, uint32_t ifindex, const struct vd_prefix *prefix, struct vd_error *error);
int vd_host_ip_address_remove(struct nl_sock *socket, uint32_t ifindex, const struct vd_prefix *prefix, struct vd_error *error);
/*
 * The link's addresses of ours become exactly these: unwanted ones go first, so that the kernel does not take new ones along with
 * an old primary. Addresses that others set stay.
 */
int vd_host_ip_addresses_ensure(struct nl_sock *socket, uint32_t ifindex, const struct vd_prefix *prefixes, size_t count,
				struct vd_error *error);

/* In the main table. */
struct vd_host_ip_route {
	uint32_t ifindex; /* 0: where the gateway is */
	struct vd_prefix destination;
	struct vd_address gateway; /* family none: on the link */
	uint8_t protocol;          /* one to be set: 0 is VD_HOST_PROTOCOL */
	bool on_link;              /* the gateway needs no address beside it */
	uint32_t metric;           /* one to be set: 0 is the kernel's own choice */
};
int vd_host_ip_route_each(struct nl_sock *socket, uint32_t ifindex,
			  int (*route)(const struct vd_host_ip_route *route, void *userdata), void *userdata);
/*
 * The link's routes of ours become exactly these. -EEXIST when someone else's has the destination. Where another link of ours has it,
 * a default route moves here; any other stays there, and this link's stands behind it, for when that one goes.
 */
int vd_host_ip_routes_ensure(struct nl_sock *socket, uint32_t ifindex, const struct vd_host_ip_route *routes, size_t count,
			     struct vd_error *error);

/* One route of ours; replace: one that stands, which the caller knows to be ours. -EEXIST otherwise, if there is any. */
int vd_host_ip_route_put(struct nl_sock *socket, const struct vd_host_ip_route *route, bool replace, struct vd_error *error);
/* What is gone already is success; only one of ours is taken. */
int vd_host_ip_route_remove(struct nl_sock *socket, const struct vd_host_ip_route *route, struct vd_error *error);

/* A neighbour that never expires and is never asked for; changes only what differs. */
int vd_host_ip_neighbour_ensure(struct nl_sock *socket, uint32_t ifindex, const struct vd_address *address,
				const struct vd_mac *mac, struct vd_error *error);

#endif
