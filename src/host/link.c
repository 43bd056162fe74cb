/* SPDX-License-Identifier: Apache-2.0 */
#include "host/link.h"

#include "base/cleanup.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <string.h>

#define ALIAS_PREFIX "viaduct:"
#define OUTER_MTU 65535 /* ETH_MAX_MTU, the most that veth takes */

static void parse_vxlan(const struct nlattr *data, struct vd_host_link_state *link)
{
	struct nlattr *table[IFLA_VXLAN_MAX + 1];

	if (nla_parse_nested(table, IFLA_VXLAN_MAX, (struct nlattr *)data, NULL) < 0)
		return;
	if (table[IFLA_VXLAN_PORT])
		link->vxlan.udp_port = ntohs(nla_get_u16(table[IFLA_VXLAN_PORT]));
	link->vxlan.collect_metadata = table[IFLA_VXLAN_COLLECT_METADATA] && nla_get_u8(table[IFLA_VXLAN_COLLECT_METADATA]);
	link->vxlan.gbp = table[IFLA_VXLAN_GBP] != NULL;
	link->vxlan.zero_checksum6 = table[IFLA_VXLAN_UDP_ZERO_CSUM6_RX] && nla_get_u8(table[IFLA_VXLAN_UDP_ZERO_CSUM6_RX]);
}

static void parse_kind(const struct nlattr *information, struct vd_host_link_state *link)
{
	struct nlattr *table[IFLA_INFO_MAX + 1];

	if (nla_parse_nested(table, IFLA_INFO_MAX, (struct nlattr *)information, NULL) < 0 || !table[IFLA_INFO_KIND])
		return;
	nla_strlcpy(link->kind, table[IFLA_INFO_KIND], sizeof(link->kind));
	if (!strcmp(link->kind, "vxlan") && table[IFLA_INFO_DATA])
		parse_vxlan(table[IFLA_INFO_DATA], link);
}

static uint8_t parse_address_generation(const struct nlattr *families)
{
	struct nlattr *table[AF_INET6 + 1], *ipv6[IFLA_INET6_MAX + 1];

	if (!families || nla_parse_nested(table, AF_INET6, (struct nlattr *)families, NULL) < 0 || !table[AF_INET6] ||
	    nla_parse_nested(ipv6, IFLA_INET6_MAX, table[AF_INET6], NULL) < 0 || !ipv6[IFLA_INET6_ADDR_GEN_MODE])
		return VD_HOST_NO_IPV6;
	return nla_get_u8(ipv6[IFLA_INET6_ADDR_GEN_MODE]);
}

static uint32_t get_u32(const struct nlattr *attribute)
{
	return attribute ? nla_get_u32((struct nlattr *)attribute) : 0;
}

int vd_host_link_parse(const struct nlmsghdr *header, struct vd_host_link_state *ret)
{
	const struct ifinfomsg *information = nlmsg_data(header);
	struct nlattr *table[IFLA_MAX + 1];
	struct vd_host_link_state link = {0};
	struct rtnl_link_stats64 counters;

	if (vd_host_attributes(header, sizeof(*information), table, IFLA_MAX) < 0)
		return -EBADMSG;
	link.ifindex = (uint32_t)information->ifi_index;
	link.flags = information->ifi_flags;
	link.mtu = get_u32(table[IFLA_MTU]);
	link.group = get_u32(table[IFLA_GROUP]);
	link.peer = get_u32(table[IFLA_LINK]);
	if (table[IFLA_IFNAME])
		nla_strlcpy(link.ifname, table[IFLA_IFNAME], sizeof(link.ifname));
	if (table[IFLA_IFALIAS])
		nla_strlcpy(link.alias, table[IFLA_IFALIAS], sizeof(link.alias));
	if (table[IFLA_ADDRESS] && nla_len(table[IFLA_ADDRESS]) == sizeof(link.mac.bytes))
		memcpy(link.mac.bytes, nla_data(table[IFLA_ADDRESS]), sizeof(link.mac.bytes));
	if (table[IFLA_STATS64] && nla_len(table[IFLA_STATS64]) >= (int)offsetof(struct rtnl_link_stats64, multicast)) {
		memcpy(&counters, nla_data(table[IFLA_STATS64]), offsetof(struct rtnl_link_stats64, multicast));
		link.dropped = counters.rx_dropped + counters.tx_dropped;
	}
	if (table[IFLA_LINKINFO])
		parse_kind(table[IFLA_LINKINFO], &link);
	link.address_generation = parse_address_generation(table[IFLA_AF_SPEC]);
	*ret = link;
	return 0;
}

static int read_one(const struct nlmsghdr *header, void *userdata)
{
	return header->nlmsg_type == RTM_NEWLINK ? vd_host_link_parse(header, userdata) : 0;
}

int vd_host_link_read(struct nl_sock *socket, uint32_t ifindex, const char *ifname, struct vd_host_link_state *ret)
{
	struct ifinfomsg information = {.ifi_index = (int)ifindex};
	VD_MESSAGE struct nl_msg *message = vd_host_message_new(RTM_GETLINK, 0, &information, sizeof(information));
	struct vd_host_link_state link = {0};
	int result;

	if (!message || (!ifindex && nla_put_string(message, IFLA_IFNAME, ifname) < 0))
		return -ENOMEM;
	result = vd_host_request(socket, message, read_one, &link, NULL);
	if (result < 0)
		return result;
	*ret = link;
	return 0;
}

struct each {
	int (*link)(const struct vd_host_link_state *link, void *userdata);
	void *userdata;
};

static int call_each(const struct nlmsghdr *header, void *userdata)
{
	const struct each *each = userdata;
	struct vd_host_link_state link;
	int result;

	if (header->nlmsg_type != RTM_NEWLINK)
		return 0;
	result = vd_host_link_parse(header, &link);
	return result < 0 ? result : each->link(&link, each->userdata);
}

int vd_host_link_each(struct nl_sock *socket, int (*link)(const struct vd_host_link_state *link, void *userdata), void *userdata)
{
	struct ifinfomsg information = {0};
	VD_MESSAGE struct nl_msg *message = vd_host_message_new(RTM_GETLINK, NLM_F_DUMP, &information, sizeof(information));
	struct each each = {link, userdata};

	return message ? vd_host_request(socket, message, call_each, &each, NULL) : -ENOMEM;
}

const char *vd_host_link_what(const struct vd_host_net *net, const struct vd_host_link_state *link)
{
	size_t prefix = strlen(ALIAS_PREFIX), tag = strlen(net->tag);

	if (strncmp(link->alias, ALIAS_PREFIX, prefix) || strncmp(link->alias + prefix, net->tag, tag) ||
	    link->alias[prefix + tag] != ':')
		return NULL;
	return link->alias + prefix + tag + 1;
}

int vd_host_ifname_check(const char *ifname, struct vd_error *error)
{
	if (!*ifname || strlen(ifname) >= IFNAMSIZ || !strcmp(ifname, ".") || !strcmp(ifname, "..") ||
	    strpbrk(ifname, "/:% \t\n\v\f\r"))
		return vd_error_set(error, -EINVAL,
				    "'%s' cannot be an interface's name: 1-15 characters, no space, slash, colon or %%", ifname);
	return 0;
}

bool vd_host_link_is_half_made(const struct vd_host_link_state *link)
{
	return link->group == VD_HOST_LINK_GROUP && !*link->alias;
}

bool vd_host_link_is_ours(const struct vd_host_net *net, const struct vd_host_link_state *link, const char *what)
{
	const char *its = vd_host_link_what(net, link);

	return its ? !strcmp(its, what) : vd_host_link_is_half_made(link);
}

static int put_veth(struct nl_msg *message, const struct vd_host_veth *veth)
{
	struct ifinfomsg information = {0};
	struct nlattr *kind = nla_nest_start(message, IFLA_LINKINFO), *data, *peer;

	if (!kind || nla_put_string(message, IFLA_INFO_KIND, "veth") < 0)
		return -EMSGSIZE;
	data = nla_nest_start(message, IFLA_INFO_DATA);
	peer = data ? nla_nest_start(message, VETH_INFO_PEER) : NULL;
	if (!peer || nlmsg_append(message, &information, sizeof(information), NLMSG_ALIGNTO) < 0 ||
	    nla_put_string(message, IFLA_IFNAME, veth->peer_ifname) < 0 ||
	    nla_put(message, IFLA_ADDRESS, sizeof(veth->peer_mac->bytes), veth->peer_mac->bytes) < 0 ||
	    nla_put_u32(message, IFLA_MTU, veth->peer_mtu) < 0 ||
	    (veth->peer_netns >= 0 && nla_put_u32(message, IFLA_NET_NS_FD, (uint32_t)veth->peer_netns) < 0))
		return -EMSGSIZE;
	nla_nest_end(message, peer);
	nla_nest_end(message, data);
	nla_nest_end(message, kind);
	return 0;
}

int vd_host_veth_make(struct nl_sock *socket, const struct vd_host_veth *veth, struct vd_error *error)
{
	struct ifinfomsg information = {0};
	VD_MESSAGE struct nl_msg *message =
		vd_host_message_new(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &information, sizeof(information));

	if (!message || nla_put_string(message, IFLA_IFNAME, veth->ifname) < 0 || nla_put_u32(message, IFLA_MTU, OUTER_MTU) < 0 ||
	    nla_put_u32(message, IFLA_GROUP, VD_HOST_LINK_GROUP) < 0 ||
	    (veth->mac && nla_put(message, IFLA_ADDRESS, sizeof(veth->mac->bytes), veth->mac->bytes) < 0) ||
	    put_veth(message, veth) < 0)
		return vd_error_set(error, -ENOMEM, "out of memory");
	return vd_host_request(socket, message, NULL, NULL, error);
}

static int set_alias(struct vd_host_net *net, uint32_t ifindex, const char *alias, struct vd_error *error)
{
	struct ifinfomsg information = {.ifi_index = (int)ifindex};
	VD_MESSAGE struct nl_msg *message = vd_host_message_new(RTM_SETLINK, 0, &information, sizeof(information));

	if (!message || nla_put_u32(message, IFLA_GROUP, *alias ? VD_HOST_LINK_GROUP : 0) < 0 ||
	    nla_put_string(message, IFLA_IFALIAS, alias) < 0)
		return vd_error_set(error, -ENOMEM, "out of memory");
	return vd_host_request(net->netlink, message, NULL, NULL, error);
}

/* A host without IPv6 has nothing to silence. */
static int silence(struct vd_host_net *net, uint32_t ifindex, struct vd_error *error)
{
	struct ifinfomsg information = {.ifi_index = (int)ifindex};
	VD_MESSAGE struct nl_msg *message = vd_host_message_new(RTM_SETLINK, 0, &information, sizeof(information));
	struct nlattr *families = message ? nla_nest_start(message, IFLA_AF_SPEC) : NULL;
	struct nlattr *ipv6 = families ? nla_nest_start(message, AF_INET6) : NULL;
	struct vd_error reason;
	int result;

	if (!ipv6 || nla_put_u8(message, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE) < 0)
		return vd_error_set(error, -ENOMEM, "out of memory");
	nla_nest_end(message, ipv6);
	nla_nest_end(message, families);
	result = vd_host_request(net->netlink, message, NULL, NULL, &reason);
	if (result < 0 && result != -EAFNOSUPPORT && result != -EOPNOTSUPP)
		return vd_error_set(error, result, "%s", reason.text);
	return 0;
}

int vd_host_link_mark(struct vd_host_net *net, uint32_t ifindex, const char *what, struct vd_error *error)
{
	char alias[VD_HOST_ALIAS_SIZE];
	int result;

	if (snprintf(alias, sizeof(alias), ALIAS_PREFIX "%s:%s", net->tag, what) >= (int)sizeof(alias))
		return vd_error_set(error, -ENAMETOOLONG, "the host's name %s is too long for an interface's alias", net->tag);
	result = set_alias(net, ifindex, alias, error);
	return result < 0 ? result : silence(net, ifindex, error);
}

int vd_host_link_unmark(struct vd_host_net *net, uint32_t ifindex, struct vd_error *error)
{
	return set_alias(net, ifindex, "", error);
}

int vd_host_link_bring_up(struct nl_sock *socket, const struct vd_host_link_state *link, uint32_t mtu, struct vd_error *error)
{
	struct ifinfomsg information = {.ifi_index = (int)link->ifindex, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	VD_MESSAGE struct nl_msg *message = vd_host_message_new(RTM_SETLINK, 0, &information, sizeof(information));
	int result;

	if (link->flags & IFF_UP && (!mtu || link->mtu == mtu))
		return 0;
	if (!message || (mtu && nla_put_u32(message, IFLA_MTU, mtu) < 0))
		return vd_error_set(error, -ENOMEM, "out of memory");
	result = vd_host_request(socket, message, NULL, NULL, error);
	return result < 0 ? vd_error_prefix(error, result, "interface %s", link->ifname) : 0;
}

int vd_host_link_delete(struct nl_sock *socket, uint32_t ifindex, struct vd_error *error)
{
	struct ifinfomsg information = {.ifi_index = (int)ifindex};
	VD_MESSAGE struct nl_msg *message = vd_host_message_new(RTM_DELLINK, 0, &information, sizeof(information));
	int result;

	if (!message)
		return vd_error_set(error, -ENOMEM, "out of memory");
	result = vd_host_request(socket, message, NULL, NULL, error);
	return result == -ENODEV ? 0 : result;
}

int vd_host_link_group(struct nl_sock *socket, uint32_t ifindex, uint32_t group, struct vd_error *error)
{
	struct ifinfomsg information = {.ifi_index = (int)ifindex};
	VD_MESSAGE struct nl_msg *message = vd_host_message_new(RTM_SETLINK, 0, &information, sizeof(information));
	int result;

	if (!message || nla_put_u32(message, IFLA_GROUP, group) < 0)
		return vd_error_set(error, -ENOMEM, "out of memory");
	result = vd_host_request(socket, message, NULL, NULL, error);
	return result == -ENODEV ? 0 : result;
}

int vd_host_link_delete_group(struct nl_sock *socket, uint32_t group, struct vd_error *error)
{
	struct ifinfomsg information = {0};
	VD_MESSAGE struct nl_msg *message = vd_host_message_new(RTM_DELLINK, 0, &information, sizeof(information));
	int result;

	if (!message || nla_put_u32(message, IFLA_GROUP, group) < 0)
		return vd_error_set(error, -ENOMEM, "out of memory");
	result = vd_host_request(socket, message, NULL, NULL, error);
	return result == -ENODEV ? 0 : result;
}
