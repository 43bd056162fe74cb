/* SPDX-License-Identifier: Apache-2.0 */
#include "host/nftables.h"

#include "base/cleanup.h"

#include <errno.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <nftables/libnftables.h>
#include <string.h>
#include <sys/socket.h>

/* These come after the library's <netinet/in.h>. */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#define EVENT_BUFFER (1 << 20)

struct vd_nftables {
	struct nft_ctx *context;
	int events;
};

static int events_open(void)
{
	VD_CLOSE int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1u << (NFNLGRP_NFTABLES - 1)};
	int size = EVENT_BUFFER;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return VD_TAKE_FD(fd);
}

int vd_nftables_open(struct vd_nftables **ret, struct vd_error *error)
{
	struct vd_nftables *nftables;
	/* First ours: where a socket is refused, the library would end the process. */
	int events = events_open();

	if (events < 0)
		return vd_error_set(error, events, "the kernel's nftables cannot be followed: %s", strerror(-events));
	nftables = calloc(1, sizeof(*nftables));
	if (nftables)
		nftables->context = nft_ctx_new(NFT_CTX_DEFAULT);
	if (!nftables || !nftables->context || nft_ctx_buffer_output(nftables->context) ||
	    nft_ctx_buffer_error(nftables->context)) {
		if (nftables && nftables->context)
			nft_ctx_free(nftables->context);
		free(nftables);
		close(events);
		return vd_error_set(error, -ENOMEM, "out of memory");
	}
	nftables->events = events;
	*ret = nftables;
	return 0;
}

void vd_nftables_close(struct vd_nftables *nftables)
{
	nft_ctx_free(nftables->context);
	close(nftables->events);
	free(nftables);
}

int vd_nftables_run(struct vd_nftables *nftables, const char *commands, struct vd_error *error)
{
	const char *words;

	nft_ctx_output_set_flags(nftables->context, 0);
	if (!nft_run_cmd_from_buffer(nftables->context, commands))
		return 0;
	words = nft_ctx_get_error_buffer(nftables->context);
	return vd_error_set(error, -EIO, "nftables refuses: %.*s", (int)strcspn(words, "\n"), words);
}

int vd_nftables_list(struct vd_nftables *nftables, const char *command, bool handles, char **ret)
{
	char *copy;

	nft_ctx_output_set_flags(nftables->context, NFT_CTX_OUTPUT_STATELESS | (handles ? NFT_CTX_OUTPUT_HANDLE : 0));
	if (nft_run_cmd_from_buffer(nftables->context, command))
		return -ENOENT;
	copy = strdup(nft_ctx_get_output_buffer(nftables->context));
	if (!copy)
		return -ENOMEM;
	*ret = copy;
	return 0;
}

int vd_nftables_fd(const struct vd_nftables *nftables)
{
	return nftables->events;
}

const char *vd_nftables_family(uint8_t family)
{
	switch (family) {
	case NFPROTO_INET:
		return "inet";
	case NFPROTO_IPV4:
		return "ip";
	case NFPROTO_IPV6:
		return "ip6";
	default:
		return "other";
	}
}

/* A chain that the kernel calls itself comes or, for all we are told, goes. */
static bool is_chain_news(uint16_t type, struct nlattr *const *table)
{
	unsigned what = NFNL_MSG_TYPE(type);

	return (what == NFT_MSG_NEWCHAIN && table[NFTA_CHAIN_HOOK]) || what == NFT_MSG_DELCHAIN || what == NFT_MSG_DELTABLE;
}

/* Tables, chains, rules, sets: the first attribute of each (NFTA_TABLE_NAME, NFTA_RULE_TABLE, …) is the table's name. */
static bool concerns(const struct nlmsghdr *header, const char *const *tables)
{
	const struct nfgenmsg *information = nlmsg_data(header);
	struct nlattr *table[NFTA_CHAIN_MAX + 1];
	char text[NFT_TABLE_MAXNAMELEN + 8];

	if (NFNL_SUBSYS_ID(header->nlmsg_type) != NFNL_SUBSYS_NFTABLES || NFNL_MSG_TYPE(header->nlmsg_type) == NFT_MSG_NEWGEN ||
	    nlmsg_parse((struct nlmsghdr *)header, sizeof(*information), table, NFTA_CHAIN_MAX, NULL) < 0 ||
	    !table[NFTA_TABLE_NAME])
		return false;
	if (is_chain_news(header->nlmsg_type, table))
		return true;
	snprintf(text, sizeof(text), "%s %s", vd_nftables_family(information->nfgen_family),
		 nla_get_string(table[NFTA_TABLE_NAME]));
	for (; *tables; tables++)
		if (!strcmp(*tables, text))
			return true;
	return false;
}

bool vd_nftables_read(struct vd_nftables *nftables, const char *const *tables)
{
	VD_FREE unsigned char *data = malloc(1 << 16);
	bool concerned = !data;

	while (data) {
		ssize_t size = recv(nftables->events, data, 1 << 16, 0);
		struct nlmsghdr *header = (struct nlmsghdr *)data;
		int left = (int)size;

		if (size < 0 && errno == EINTR)
			continue;
		concerned |= size < 0 && errno == ENOBUFS;
		if (size < 0 && errno == ENOBUFS)
			continue;
		if (size <= 0)
			break;
		for (; !concerned && nlmsg_ok(header, left); header = nlmsg_next(header, &left))
			concerned = concerns(header, tables);
	}
	return concerned;
}
