/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_HOST_NODE_H
#define VD_HOST_NODE_H

#include "host/host.h"

/* What this host needs of its own kernel as a node of container networks. */

/* ---- host port (src/host/node_port.c) ---- */
/*
 * The place of a container network's domain in this host's own namespace: a veth pair with both ends here. "vdh<domain in hex>" is
 * the kernel's side, with the gateways of blocks as host addresses and a permanent neighbour behind which all containers are, so that
 * no packet waits for ARP and no table fills up; "vdi<domain>" is the data plane's. Idempotent, changes only what differs.
 * ret_ifindex: the data plane's end.
 */
int vd_host_node_port_ensure(struct vd_host_net *net, uint32_t domain, const struct vd_address *gateways, size_t gateway_count,
			     uint32_t mtu, uint32_t *ret_ifindex, struct vd_error *error);
/* What is gone already is success. */
int vd_host_node_port_remove(struct vd_host_net *net, uint32_t domain, struct vd_error *error);
/* Calls back for each that stands, whole or not. */
int vd_host_node_port_each(struct vd_host_net *net, void (*port)(uint32_t domain, void *userdata), void *userdata);

/* ---- routes of this host's main table (src/host/node_route.c); ours have protocol 119, those of others stay as they are ---- */
struct vd_host_node_route {
	struct vd_prefix prefix;
	struct vd_address next_hop; /* family none: into the host port of domain */
	uint32_t domain;
};
/*
 * All of ours become exactly these: what is missing is added, what differs replaced, what is not wanted removed. failed (may be
 * NULL) is told of each that the kernel does not take, and why; the others are set. -EEXIST: somebody else has a route to the prefix.
 */
int vd_host_node_routes_ensure(struct vd_host_net *net, const struct vd_host_node_route *routes, size_t count,
			       void (*failed)(const struct vd_host_node_route *route, int code, const char *sentence,
					      void *userdata),
			       void *userdata, struct vd_error *error);

/*
 * Whether somebody's bridge has the prefix on it: an address of it whose network holds the whole prefix. Its name into ret_ifname
 * (16 bytes). 0: none, 1, or a negative errno.
 */
int vd_host_bridge_find(struct vd_host_net *net, const struct vd_prefix *prefix, char ret_ifname[16]);

#endif
