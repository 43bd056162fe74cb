/* SPDX-License-Identifier: Apache-2.0 */
#include "host/netlink.h"

#include "base/cleanup.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#define ATTEMPTS 16
#define RECEIVE_BUFFER (1 << 20) /* bytes; a dump's part is 32 KiB at most */

void vd_host_message_cleanup(struct nl_msg **message)
{
	if (*message)
		nlmsg_free(*message);
}

void vd_host_socket_cleanup(struct nl_sock **socket)
{
	if (*socket)
		nl_socket_free(*socket);
}

int vd_host_socket_open(struct nl_sock **ret)
{
	VD_SOCKET struct nl_sock *socket = nl_socket_alloc();
	int on = 1;

	if (!socket)
		return -ENOMEM;
	/* nl_connect loses the errno that socket(2) gave. */
	errno = 0;
	if (nl_connect(socket, NETLINK_ROUTE) < 0)
		return errno ? -errno : -EIO;
	nl_socket_set_buffer_size(socket, RECEIVE_BUFFER, 0);
	setsockopt(nl_socket_get_fd(socket), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	setsockopt(nl_socket_get_fd(socket), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	*ret = VD_TAKE(socket);
	return 0;
}

struct nl_msg *vd_host_message_new(int type, int flags, const void *header, size_t size)
{
	VD_MESSAGE struct nl_msg *message = nlmsg_alloc_simple(type, NLM_F_REQUEST | flags);

	if (!message || nlmsg_append(message, (void *)header, size, NLMSG_ALIGNTO) < 0)
		return NULL;
	return VD_TAKE(message);
}

int vd_host_af(const struct vd_address *address)
{
	return address->family == VD_FAMILY_IPV6 ? AF_INET6 : AF_INET;
}

int vd_host_put_address(struct nl_msg *message, int attribute, const struct vd_address *address)
{
	return nla_put(message, attribute, (int)vd_address_bits(address) / 8, address->bytes) < 0 ? -EMSGSIZE : 0;
}

struct vd_address vd_host_get_address(uint8_t af, const struct nlattr *attribute)
{
	struct vd_address address = {0};

	if (!attribute)
		return address;
	if (af == AF_INET && nla_len(attribute) == 4)
		address.family = VD_FAMILY_IPV4;
	else if (af == AF_INET6 && nla_len(attribute) == 16)
		address.family = VD_FAMILY_IPV6;
	else
		return address;
	memcpy(address.bytes, nla_data(attribute), (size_t)nla_len(attribute));
	return address;
}

int vd_host_attributes(const struct nlmsghdr *header, size_t size, struct nlattr **table, int max)
{
	return nlmsg_parse((struct nlmsghdr *)header, (int)size, table, max, NULL) < 0 ? -EBADMSG : 0;
}

/* The end of a request: an acknowledgement, an error, or a dump's last message. */
static int read_end(const struct nlmsghdr *header, struct vd_error *error)
{
	const struct nlmsgerr *result = nlmsg_data(header);
	struct nlattr *table[NLMSGERR_ATTR_MAX + 1];
	size_t skip = sizeof(*result);

	if (header->nlmsg_type == NLMSG_DONE)
		return nlmsg_datalen(header) >= (int)sizeof(int) ? *(const int *)nlmsg_data(header) : 0;
	if (nlmsg_datalen(header) < (int)sizeof(*result))
		return -EBADMSG;
	if (!result->error)
		return 0;
	if (!(header->nlmsg_flags & NLM_F_CAPPED))
		skip += result->msg.nlmsg_len - sizeof(result->msg);
	if (header->nlmsg_flags & NLM_F_ACK_TLVS && !vd_host_attributes(header, skip, table, NLMSGERR_ATTR_MAX) &&
	    table[NLMSGERR_ATTR_MSG])
		return vd_error_set(error, result->error, "%s (%s)", nla_get_string(table[NLMSGERR_ATTR_MSG]),
				    strerror(-result->error));
	return vd_error_set(error, result->error, "%s", strerror(-result->error));
}

static bool is_end(const struct nlmsghdr *header)
{
	return header->nlmsg_type == NLMSG_ERROR || header->nlmsg_type == NLMSG_DONE;
}

struct answer {
	unsigned char *data; /* whole messages, aligned */
	size_t size, capacity;
	bool interrupted; /* what was listed changed meanwhile: something may be missing */
};

static int answer_add(struct answer *answer, const struct nlmsghdr *header)
{
	size_t size = NLMSG_ALIGN(header->nlmsg_len);
	unsigned char *grown;

	if (answer->size + size > answer->capacity) {
		answer->capacity = 2 * (answer->size + size);
		grown = realloc(answer->data, answer->capacity);
		if (!grown)
			return -ENOMEM;
		answer->data = grown;
	}
	memset(answer->data + answer->size, 0, size);
	memcpy(answer->data + answer->size, header, header->nlmsg_len);
	answer->size += size;
	return 0;
}

/* 1: the end was not reached yet. */
static int read_part(const unsigned char *data, int size, uint32_t sequence, struct answer *answer, struct vd_error *error)
{
	struct nlmsghdr *header = (struct nlmsghdr *)data;

	for (; nlmsg_ok(header, size); header = nlmsg_next(header, &size)) {
		int result;

		if (header->nlmsg_seq != sequence)
			continue;
		answer->interrupted |= header->nlmsg_flags & NLM_F_DUMP_INTR;
		if (is_end(header))
			return read_end(header, error);
		result = answer_add(answer, header);
		if (result < 0)
			return vd_error_set(error, result, "out of memory");
	}
	return 1;
}

static int ask(struct nl_sock *socket, struct nl_msg *message, struct answer *answer, struct vd_error *error)
{
	struct nlmsghdr *request = nlmsg_hdr(message);
	int result = 1;

	request->nlmsg_flags |= NLM_F_ACK;
	request->nlmsg_seq = NL_AUTO_SEQ;
	answer->size = 0;
	answer->interrupted = false;
	if (nl_send_auto(socket, message) < 0)
		return vd_error_set(error, -EIO, "the kernel's netlink socket takes no request");
	while (result == 1) {
		VD_FREE unsigned char *data = NULL;
		struct sockaddr_nl from;
		int size = nl_recv(socket, &from, &data, NULL);

		if (size <= 0)
			return vd_error_set(error, -EIO, "the kernel's netlink socket gives no answer");
		result = read_part(data, size, request->nlmsg_seq, answer, error);
	}
	return result;
}

static int deliver(const struct answer *answer, vd_host_reply reply, void *userdata)
{
	struct nlmsghdr *header = (struct nlmsghdr *)answer->data;
	int left = (int)answer->size, result = 0;

	for (; reply && !result && nlmsg_ok(header, left); header = nlmsg_next(header, &left))
		result = reply(header, userdata);
	return result < 0 ? result : 0;
}

int vd_host_request(struct nl_sock *socket, struct nl_msg *message, vd_host_reply reply, void *userdata, struct vd_error *error)
{
	struct answer answer = {0};
	int result, attempts = 0;

	do
		result = ask(socket, message, &answer, error);
	while (result >= 0 && answer.interrupted && ++attempts < ATTEMPTS);
	if (result >= 0 && answer.interrupted)
		result = vd_error_set(error, -EAGAIN, "what the kernel lists changes faster than it can be read");
	if (result >= 0)
		result = deliver(&answer, reply, userdata);
	free(answer.data);
	return result < 0 ? result : 0;
}
