/* SPDX-License-Identifier: Apache-2.0 */
#include "host/translation.h"

#include "base/cleanup.h"
#include "host/netlink.h"

#include <errno.h>
#include <netlink/netfilter/ct.h>
#include <netlink/netfilter/nfnl.h>
#include <string.h>

/* These come after the library's <netinet/in.h>. */
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

struct connection {
	struct vd_address source;      /* as it was sent */
	struct vd_address seen;        /* the source as the far end sees it */
	struct vd_address destination; /* as it is reached, behind a published port too */
	bool is_answered;
};

/* ---- which are wrong ---- */

static const struct vd_firewall_block *block_of(const struct vd_firewall_rules *rules, const struct connection *connection)
{
	for (size_t i = 0; i < rules->block_count; i++)
		if (vd_prefix_contains(&rules->blocks[i].prefix, &connection->source))
			return vd_prefix_contains(&rules->blocks[i].prefix, &connection->destination) ? NULL : &rules->blocks[i];
	return NULL;
}

/* As our table has it (ruleset.c): inside a block nothing is said. */
static bool keeps_source(const struct vd_firewall_rules *rules, const struct vd_firewall_block *block,
			 const struct connection *connection)
{
	for (size_t i = 0; block->masquerade && i < rules->exempt_count; i++)
		if (rules->exempt[i].domain == block->domain &&
		    vd_prefix_contains(&rules->exempt[i].prefix, &connection->destination))
			return true;
	return !block->masquerade;
}

enum wrong {
	WRONG_NOT,
	WRONG_TRANSLATED,
	WRONG_UNTRANSLATED,
};

static enum wrong judge(const struct vd_firewall_rules *rules, const struct connection *connection)
{
	const struct vd_firewall_block *block = block_of(rules, connection);
	bool is_translated = vd_address_compare(&connection->source, &connection->seen) != 0;

	if (!block)
		return WRONG_NOT;
	if (keeps_source(rules, block, connection))
		return is_translated ? WRONG_TRANSLATED : WRONG_NOT;
	/* What is answered works, with this host itself for instance, where nothing is translated. */
	return is_translated || connection->is_answered ? WRONG_NOT : WRONG_UNTRANSLATED;
}

/* ---- the kernel's words ---- */

struct round {
	const struct vd_firewall_rules *rules;
	struct nl_sock *socket;
	unsigned ended;
};

static struct vd_address address_of(const struct nl_addr *address)
{
	struct vd_address result = {0};
	size_t size = address ? nl_addr_get_len(address) : 0;

	if (size == 4)
		result.family = VD_FAMILY_IPV4;
	else if (size == 16)
		result.family = VD_FAMILY_IPV6;
	if (result.family)
		memcpy(result.bytes, nl_addr_get_binary_addr(address), size);
	return result;
}

static int connection_read(const struct nlmsghdr *header, struct connection *ret)
{
	struct nfnl_ct *parsed = NULL;

	if (nfnlmsg_ct_parse((struct nlmsghdr *)header, &parsed) < 0)
		return -EBADMSG;
	ret->source = address_of(nfnl_ct_get_src(parsed, 0));
	ret->seen = address_of(nfnl_ct_get_dst(parsed, 1));
	ret->destination = address_of(nfnl_ct_get_src(parsed, 1));
	ret->is_answered = nfnl_ct_get_status(parsed) & IPS_SEEN_REPLY;
	nfnl_ct_put(parsed);
	return 0;
}

/* By the kernel's own words for it: the library's do not know ICMPv6. With the id, so that it is this one and no later one. */
static int connection_end(struct nl_sock *socket, const struct nlmsghdr *header, struct vd_error *error)
{
	static const int kept[] = {CTA_TUPLE_ORIG, CTA_ZONE, CTA_ID};
	const struct nfgenmsg *information = nlmsg_data(header);
	VD_MESSAGE struct nl_msg *message =
		nfnlmsg_alloc_simple(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE, NLM_F_REQUEST, information->nfgen_family, 0);
	struct nlattr *table[CTA_MAX + 1];
	int result = message ? vd_host_attributes(header, sizeof(*information), table, CTA_MAX) : -ENOMEM;

	for (size_t i = 0; i < sizeof(kept) / sizeof(*kept) && result == 0; i++) {
		const struct nlattr *attribute = table[kept[i]];

		if (attribute && nla_put(message, attribute->nla_type, nla_len(attribute), nla_data(attribute)) < 0)
			result = -EMSGSIZE;
	}
	if (result < 0)
		return result;
	result = vd_host_request(socket, message, NULL, NULL, error);
	return result == -ENOENT ? 0 : result;
}

static int look(const struct nlmsghdr *header, void *userdata)
{
	struct round *round = userdata;
	struct connection connection;
	struct vd_error reason = {};
	enum wrong wrong;
	int result;

	/* What cannot be read is nothing that we would know. */
	if (connection_read(header, &connection) < 0)
		return 0;
	wrong = judge(round->rules, &connection);
	if (wrong == WRONG_NOT)
		return 0;
	result = connection_end(round->socket, header, &reason);
	round->ended += result == 0 && wrong == WRONG_TRANSLATED;
	return result;
}

/* Those whose status has the bits of value, of those in mask: the kernel chooses, a busy host has hundreds of thousands. */
static int list(struct round *round, uint32_t value, uint32_t mask, struct vd_error *error)
{
	VD_MESSAGE struct nl_msg *message =
		nfnlmsg_alloc_simple(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET, NLM_F_REQUEST | NLM_F_DUMP, AF_UNSPEC, 0);

	if (!message || nla_put_u32(message, CTA_STATUS, htonl(value)) < 0 ||
	    nla_put_u32(message, CTA_STATUS_MASK, htonl(mask)) < 0)
		return vd_error_set(error, -ENOMEM, "out of memory");
	return vd_host_request(round->socket, message, look, round, error);
}

int vd_translation_correct(const struct vd_firewall_rules *rules, unsigned *ret_ended, struct vd_error *error)
{
	VD_SOCKET struct nl_sock *socket = nl_socket_alloc();
	struct round round = {.rules = rules, .socket = socket};
	struct vd_error reason = {"the kernel does not tell them"};
	int result = socket ? 0 : -ENOMEM;

	if (result == 0 && nfnl_connect(socket) < 0)
		result = -EOPNOTSUPP;
	if (result == 0)
		result = list(&round, IPS_SRC_NAT, IPS_SRC_NAT, &reason);
	if (result == 0)
		result = list(&round, 0, IPS_SRC_NAT | IPS_SEEN_REPLY, &reason);
	if (result < 0)
		return vd_error_set(error, result, "connections that began without our rules cannot be ended: %s", reason.text);
	*ret_ended = round.ended;
	return 0;
}
