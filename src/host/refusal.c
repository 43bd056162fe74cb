/* SPDX-License-Identifier: Apache-2.0 */
#include "host/refusal.h"

#include "base/cleanup.h"
#include "host/netlink.h"
#include "host/nftables.h"
#include "host/stranger.h"

#include <errno.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netlink/netfilter/nfnl.h>
#include <string.h>

/* These come after the library's <netinet/in.h>. */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#define PACKETS 64 /* under way at once */

/* The kernel says what a packet is only with the first of the messages of a chain at a hook. */
struct packet {
	uint32_t id;
	struct vd_address source, destination;
};

struct vd_refusals {
	struct nl_sock *socket;
	struct packet packets[PACKETS];
	unsigned next;
};

int vd_refusals_open(struct vd_refusals **ret, struct vd_error *error)
{
	VD_SOCKET struct nl_sock *socket = nl_socket_alloc();
	struct vd_refusals *refusals;

	if (!socket || nfnl_connect(socket) < 0 || nl_socket_add_membership(socket, NFNLGRP_NFTRACE) < 0)
		return vd_error_set(error, -EIO, "the kernel's nftables cannot be traced");
	nl_socket_set_nonblocking(socket);
	refusals = calloc(1, sizeof(*refusals));
	if (!refusals)
		return vd_error_set(error, -ENOMEM, "out of memory");
	refusals->socket = VD_TAKE(socket);
	*ret = refusals;
	return 0;
}

void vd_refusals_close(struct vd_refusals *refusals)
{
	nl_socket_free(refusals->socket);
	free(refusals);
}

int vd_refusals_fd(const struct vd_refusals *refusals)
{
	return nl_socket_get_fd(refusals->socket);
}

static struct vd_address address_of(enum vd_family family, const void *bytes)
{
	struct vd_address address = {.family = family};

	memcpy(address.bytes, bytes, family == VD_FAMILY_IPV6 ? 16 : 4);
	return address;
}

static void packet_note(struct vd_refusals *refusals, uint32_t id, const struct nlattr *header)
{
	struct packet *packet = &refusals->packets[refusals->next];
	const unsigned char *data = nla_data(header);
	size_t size = (size_t)nla_len(header);
	unsigned version = size ? data[0] >> 4 : 0;

	if (version == 4 && size >= sizeof(struct iphdr))
		*packet = (struct packet){id, address_of(VD_FAMILY_IPV4, data + offsetof(struct iphdr, saddr)),
					  address_of(VD_FAMILY_IPV4, data + offsetof(struct iphdr, daddr))};
	else if (version == 6 && size >= sizeof(struct ip6_hdr))
		*packet = (struct packet){id, address_of(VD_FAMILY_IPV6, data + offsetof(struct ip6_hdr, ip6_src)),
					  address_of(VD_FAMILY_IPV6, data + offsetof(struct ip6_hdr, ip6_dst))};
	else
		return;
	refusals->next = (refusals->next + 1) % PACKETS;
}

/* The one that was noted last: ids come again. */
static const struct packet *packet_find(const struct vd_refusals *refusals, uint32_t id)
{
	for (unsigned i = 1; i <= PACKETS; i++) {
		const struct packet *packet = &refusals->packets[(refusals->next + PACKETS - i) % PACKETS];

		if (packet->id == id && packet->source.family)
			return packet;
	}
	return NULL;
}

static bool is_drop(struct nlattr *const *table)
{
	struct nlattr *verdict[NFTA_VERDICT_MAX + 1];

	if (table[NFTA_TRACE_POLICY])
		return (ntohl(nla_get_u32(table[NFTA_TRACE_POLICY])) & NF_VERDICT_MASK) == NF_DROP;
	if (!table[NFTA_TRACE_VERDICT] || nla_parse_nested(verdict, NFTA_VERDICT_MAX, table[NFTA_TRACE_VERDICT], NULL) < 0 ||
	    !verdict[NFTA_VERDICT_CODE])
		return false;
	return ntohl(nla_get_u32(verdict[NFTA_VERDICT_CODE])) == NF_DROP;
}

/* True when it tells of a drop by a table of somebody's. */
static bool take(struct vd_refusals *refusals, const struct nlmsghdr *header, struct vd_refusal *ret)
{
	const struct nfgenmsg *information = nlmsg_data(header);
	struct nlattr *table[NFTA_TRACE_MAX + 1];
	const struct packet *packet;
	const char *family = vd_nftables_family(information->nfgen_family);
	uint32_t id;

	if (header->nlmsg_type != NFNLMSG_TYPE(NFNL_SUBSYS_NFTABLES, NFT_MSG_TRACE) ||
	    vd_host_attributes(header, sizeof(*information), table, NFTA_TRACE_MAX) < 0 || !table[NFTA_TRACE_ID])
		return false;
	id = nla_get_u32(table[NFTA_TRACE_ID]);
	if (table[NFTA_TRACE_NETWORK_HEADER])
		packet_note(refusals, id, table[NFTA_TRACE_NETWORK_HEADER]);
	packet = packet_find(refusals, id);
	if (!packet || !is_drop(table) || !table[NFTA_TRACE_TABLE] || !table[NFTA_TRACE_CHAIN] ||
	    !vd_stranger_is(family, nla_get_string(table[NFTA_TRACE_TABLE])))
		return false;
	snprintf(ret->table, sizeof(ret->table), "%s %s", family, nla_get_string(table[NFTA_TRACE_TABLE]));
	snprintf(ret->chain, sizeof(ret->chain), "%s", nla_get_string(table[NFTA_TRACE_CHAIN]));
	ret->source = packet->source;
	ret->destination = packet->destination;
	return true;
}

void vd_refusals_read(struct vd_refusals *refusals, void (*refused)(const struct vd_refusal *refusal, void *userdata),
		      void *userdata)
{
	VD_FREE unsigned char *data = malloc(1 << 16);
	struct vd_refusal refusal;

	while (data) {
		ssize_t size = recv(vd_refusals_fd(refusals), data, 1 << 16, 0);
		struct nlmsghdr *header = (struct nlmsghdr *)data;
		int left = (int)size;

		/* What was missed comes again, or does no harm. */
		if (size < 0 && (errno == EINTR || errno == ENOBUFS))
			continue;
		if (size <= 0)
			return;
		for (; nlmsg_ok(header, left); header = nlmsg_next(header, &left))
			if (take(refusals, header, &refusal))
				refused(&refusal, userdata);
	}
}
