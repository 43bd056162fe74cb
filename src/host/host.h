/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_HOST_HOST_H
#define VD_HOST_HOST_H

#include "base/error.h"
#include "plan/plan.h"

#include <stdint.h>

/*
 * This host's links, addresses, routes and namespaces: the only user of netlink. What we make carries the alias
 * "viaduct:<tag>:<what>" (IFLA_IFALIAS); what does not carry our tag is never touched. Not thread-safe.
 * Works in the network namespace of the calling thread. No use of /sys/class/net (it may show another namespace).
 */
struct vd_host_net;

/* tag: tells daemons of one machine apart (the host's name). run_directory: where router namespaces are pinned. */
int vd_host_net_open(const char *tag, const char *run_directory, struct vd_host_net **ret, struct vd_error *error);
void vd_host_net_close(struct vd_host_net *net);

/* ---- underlay (src/host/underlay.c) ---- */
struct vd_host_underlay {
	struct vd_address address; /* the one asked for, or the source address of the default route, or the first global one */
	uint32_t mtu;
	struct vd_prefix lan;         /* what is on its link; a host prefix where it has no network there */
	char ifname[16];              /* that link's name */
	struct vd_address *addresses; /* all global ones of links that are not ours */
	uint32_t *mtus;               /* bytes, one per address */
	size_t count;
};
/* wanted: family none: choose. -EADDRNOTAVAIL when the host does not have it. */
int vd_host_underlay_read(struct vd_host_net *net, const struct vd_address *wanted, struct vd_host_underlay *ret,
			  struct vd_error *error);
void vd_host_underlay_done(struct vd_host_underlay *underlay);

/* ---- overlay device (src/host/overlay.c): one collect-metadata VXLAN device with GBP, no learning, UDP checksums off ---- */
/* Adopts or makes "viaduct0". A device of that name that is not ours, or the UDP port in use by another VXLAN: -EEXIST, sentence. */
int vd_host_overlay_ensure(struct vd_host_net *net, uint16_t udp_port, uint32_t *ret_ifindex, struct vd_error *error);

/* ---- instances (src/host/instance.c) ---- */
struct vd_host_netns { /* identifies a namespace beyond its path */
	uint64_t device, inode;
};
struct vd_host_link {
	uint32_t ifindex; /* on our side */
	char ifname[16];
	struct vd_host_netns netns;
};
/* NAME (as `ip netns` knows it), an absolute path, or "pid:N" to a path. -EINVAL, -ENOENT with a sentence. */
int vd_host_netns_resolve(const char *text, char **ret_path, struct vd_host_netns *ret_netns, struct vd_error *error);
/*
 * A veth pair for port id `port`: our end "vd<id in hex>", the other moved into the namespace as guest_ifname with the port's MAC.
 * mtu is the namespace end's; ours takes any size, so that what is too large reaches the data plane and is answered.
 * The namespace end stays down until configured. -EEXIST when guest_ifname is taken there. Nothing is left behind on failure.
 * netns_path NULL: that end stays here, for somebody else to move; until then nothing reaches it.
 */
int vd_host_veth_create(struct vd_host_net *net, uint32_t port, const struct vd_mac *mac, uint32_t mtu, const char *netns_path,
			const char *guest_ifname, struct vd_host_link *ret, struct vd_error *error);
/*
 * Sets addresses (removing those that we set before and are no more wanted), MTU, link up and, when is_default, the default routes
 * by the gateways; otherwise routes to others[] by the gateway. Idempotent. dhcp: only MTU and up.
 */
struct vd_host_guest {
	const struct vd_prefix *addresses;
	size_t address_count;
	struct vd_address gateway4, gateway6; /* family none: none */
	const struct vd_prefix *others;       /* the VPC's CIDRs, for ports that are not default */
	size_t other_count;
	uint32_t mtu;
	bool is_default;
	bool dhcp;
};
int vd_host_guest_configure(struct vd_host_net *net, const char *netns_path, const char *guest_ifname,
			    const struct vd_host_guest *guest, struct vd_error *error);
/*
 * Whether all of that stands, changing nothing: link with this MAC, up, addresses, and the routes by the gateways. The sentence
 * says what does not: -ENOENT.
 */
int vd_host_guest_check(struct vd_host_net *net, const char *netns_path, const char *guest_ifname, const struct vd_mac *mac,
			const struct vd_host_guest *guest, struct vd_error *error);
/* A persistent tap (created when missing, marked ours; adopted when it exists), up, with the MTU. */
int vd_host_tap_ensure(struct vd_host_net *net, uint32_t port, const char *ifname, uint32_t mtu, struct vd_host_link *ret,
		       struct vd_error *error);
/* Removes a link if it is ours; what is gone already is success. A tap that we did not create stays. */
int vd_host_link_remove(struct vd_host_net *net, uint32_t ifindex, struct vd_error *error);
/* The same for the veth of this port, whatever its index. */
int vd_host_port_remove(struct vd_host_net *net, uint32_t port, struct vd_error *error);
/*
 * A link takes the kernel some 10 ms to unmake, most of which it waits; many at once take no longer. So the veth of a port is condemned
 * first (at once; what is gone already is success), and all that are condemned go with one order. That may be given by any thread of
 * this host's namespace: it shares nothing with net.
 */
int vd_host_port_condemn(struct vd_host_net *net, uint32_t port, struct vd_error *error);
int vd_host_condemned_remove(struct vd_error *error);
/* Calls back for each link here that carries our tag: (what, ifindex). For cleaning up what no attachment knows. */
int vd_host_link_each_ours(struct vd_host_net *net,
			   void (*link)(const char *what, uint32_t ifindex, const char *ifname, void *userdata), void *userdata);
/* Removes links whose maker died before it could mark them. */
int vd_host_half_made_remove(struct vd_host_net *net, struct vd_error *error);
/* Whether a link with this index stands and is ours for this port. */
bool vd_host_link_is_port(struct vd_host_net *net, uint32_t ifindex, uint32_t port);

/* ---- uplinks: src/host/uplink.h; frames on them: src/host/solicit.h ---- */

/* ---- router (src/host/router.c): a namespace per VPC present here ---- */
/*
 * Makes or adopts the namespace (pinned at <run_directory>/netns/<domain>), the veth into it, and in it: the gateway addresses (and
 * what else the router answers for: its own virtual IPs on provider networks, its DHCP addresses) as host addresses, forwarding on, default routes to the host side with a permanent neighbour (everything that its kernel says leaves by the
 * one veth and the data plane decides), ICMP redirects off, rp_filter off, error rate limits eased, the MTU. Idempotent:
 * changes only what differs. ret_ifindex: the veth on the host's side.
 */
int vd_host_router_ensure(struct vd_host_net *net, uint32_t domain, const struct vd_address *gateways, size_t gateway_count,
			  uint32_t mtu, uint32_t *ret_ifindex, struct vd_error *error);
int vd_host_router_remove(struct vd_host_net *net, uint32_t domain, struct vd_error *error);
/* Calls back for each router namespace that stands. */
int vd_host_router_each(struct vd_host_net *net, void (*router)(uint32_t domain, void *userdata), void *userdata);

/* ---- what happens by itself (src/host/monitor.c) ---- */
/* Readable when links came or went. */
int vd_host_monitor_fd(struct vd_host_net *net);
/* From now on nothing is kept for reading: who has another way to hear of links has no use for it. */
void vd_host_monitor_stop(struct vd_host_net *net);
/* Reads what happened; calls back for each link of ours that is gone, other than by ourselves. */
int vd_host_monitor_read(struct vd_host_net *net, void (*gone)(uint32_t ifindex, void *userdata), void *userdata);
/* Whether links or addresses that are not ours have changed since the last time that this was asked, by what read has read. */
bool vd_host_monitor_others(struct vd_host_net *net);
/* What the kernel dropped on a link of ours, both directions added up. */
int vd_host_link_dropped(struct vd_host_net *net, uint32_t ifindex, uint64_t *ret_packets);

/* Removes every link and namespace with our tag, and every route of ours. */
int vd_host_net_purge(struct vd_host_net *net, struct vd_error *error);

#endif
