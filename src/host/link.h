/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_HOST_LINK_H
#define VD_HOST_LINK_H

#include "host/net.h"

#define VD_HOST_ALIAS_SIZE 256 /* IFALIASZ */
#define VD_HOST_OVERLAY_NAME "viaduct0"

/*
 * The kernel takes no alias when it makes a link, but a group: a link of this group without an alias is one whose maker died in
 * between, and is ours to take away.
 */
#define VD_HOST_LINK_GROUP 0x76647570u /* "vdup" */

#define VD_HOST_NO_IPV6 255

/* The group of links of ours that are to go, which one order can name. */
#define VD_HOST_LINK_GROUP_CONDEMNED 0x7664676fu /* "vdgo" */

/* What the kernel says about a link, as far as we care. */
struct vd_host_link_state {
	uint32_t ifindex, flags, mtu, group;
	uint32_t peer; /* IFLA_LINK: a veth's other end, in its namespace */
	char ifname[16], kind[16];
	char alias[VD_HOST_ALIAS_SIZE];
	struct vd_mac mac;
	uint8_t address_generation; /* enum in6_addr_gen_mode; or VD_HOST_NO_IPV6 */
	uint64_t dropped;           /* packets, both directions */
	struct {                    /* kind vxlan */
		uint16_t udp_port;
		bool collect_metadata, gbp, zero_checksum6;
	} vxlan;
};

/* By index, or by name when ifindex is 0. -ENODEV. No sentence: whoever asks knows why. */
int vd_host_link_read(struct nl_sock *socket, uint32_t ifindex, const char *ifname, struct vd_host_link_state *ret);
/* Calls back for each link; a negative return ends it. */
int vd_host_link_each(struct nl_sock *socket, int (*link)(const struct vd_host_link_state *link, void *userdata), void *userdata);
int vd_host_link_parse(const struct nlmsghdr *header, struct vd_host_link_state *ret);

/* The part of the alias behind our tag, NULL when the link is not ours. */
const char *vd_host_link_what(const struct vd_host_net *net, const struct vd_host_link_state *link);
/* What the kernel would refuse, or expand (%d), as a name. -EINVAL and a sentence. */
int vd_host_ifname_check(const char *ifname, struct vd_error *error);
/* Left by a maker that died half way. */
bool vd_host_link_is_half_made(const struct vd_host_link_state *link);
/* Ours and what, or half-made. */
bool vd_host_link_is_ours(const struct vd_host_net *net, const struct vd_host_link_state *link, const char *what);

/*
 * A veth pair: ours is named ifname, the other lies in the namespace fd (-1: here too). Unmarked and down, see vd_host_link_mark. Our end takes
 * packets of any size: what the other end sends too large must reach the data plane, which answers it, and not be dropped in
 * silence.
 */
struct vd_host_veth {
	const char *ifname, *peer_ifname;
	const struct vd_mac *mac, *peer_mac; /* mac may be NULL: the kernel's choice */
	uint32_t peer_mtu;
	int peer_netns;
};
int vd_host_veth_make(struct nl_sock *socket, const struct vd_host_veth *veth, struct vd_error *error);
/* Sets our alias, and silences the link: no IPv6 link-local address, so that the host itself says nothing on it. */
int vd_host_link_mark(struct vd_host_net *net, uint32_t ifindex, const char *what, struct vd_error *error);
/* An empty alias. */
int vd_host_link_unmark(struct vd_host_net *net, uint32_t ifindex, struct vd_error *error);

/* mtu 0: as it is. Sends nothing when the link is like that. */
int vd_host_link_bring_up(struct nl_sock *socket, const struct vd_host_link_state *link, uint32_t mtu, struct vd_error *error);
int vd_host_link_group(struct nl_sock *socket, uint32_t ifindex, uint32_t group, struct vd_error *error);
/* All of the group at once; none is success. */
int vd_host_link_delete_group(struct nl_sock *socket, uint32_t group, struct vd_error *error);
/* Whatever it is; what is gone already is success. */
int vd_host_link_delete(struct nl_sock *socket, uint32_t ifindex, struct vd_error *error);

#endif
