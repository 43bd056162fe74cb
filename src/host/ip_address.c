/* SPDX-License-Identifier: Apache-2.0 */
#include "host/ip.h"

#include "base/cleanup.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <string.h>

struct each {
	uint32_t ifindex;
	int (*address)(const struct vd_host_ip_address *address, void *userdata);
	void *userdata;
};

static int call_each(const struct nlmsghdr *header, void *userdata)
{
	const struct each *each = userdata;
	const struct ifaddrmsg *information = nlmsg_data(header);
	struct nlattr *table[IFA_MAX + 1];
	struct vd_host_ip_address address = {0};

	if (header->nlmsg_type != RTM_NEWADDR || vd_host_attributes(header, sizeof(*information), table, IFA_MAX) < 0)
		return 0;
	address.ifindex = information->ifa_index;
	address.scope = information->ifa_scope;
	address.prefix.length = information->ifa_prefixlen;
	/* IFA_ADDRESS is the far end on a point-to-point link; IFA_LOCAL, where it exists, is always ours. */
	address.prefix.address =
		vd_host_get_address(information->ifa_family, table[IFA_LOCAL] ? table[IFA_LOCAL] : table[IFA_ADDRESS]);
	address.protocol = table[IFA_PROTO] ? nla_get_u8(table[IFA_PROTO]) : 0;
	if (address.prefix.address.family == VD_FAMILY_NONE || (each->ifindex && each->ifindex != address.ifindex))
		return 0;
	return each->address(&address, each->userdata);
}

int vd_host_ip_address_each(struct nl_sock *socket, uint32_t ifindex,
			    int (*address)(const struct vd_host_ip_address *address, void *userdata), void *userdata)
{
	struct ifaddrmsg information = {.ifa_index = ifindex};
	VD_MESSAGE struct nl_msg *message = vd_host_message_new(RTM_GETADDR, NLM_F_DUMP, &information, sizeof(information));
	struct each each = {ifindex, address, userdata};

	return message ? vd_host_request(socket, message, call_each, &each, NULL) : -ENOMEM;
}

static struct nl_msg *address_message(int type, int flags, uint32_t ifindex, const struct vd_prefix *prefix)
{
	struct ifaddrmsg information = {
		.ifa_family = (uint8_t)vd_host_af(&prefix->address),
		.ifa_prefixlen = prefix->length,
		.ifa_flags = prefix->address.family == VD_FAMILY_IPV6 ? IFA_F_NODAD : 0,
		.ifa_index = ifindex,
	};
	VD_MESSAGE struct nl_msg *message = vd_host_message_new(type, flags, &information, sizeof(information));

	if (!message || vd_host_put_address(message, IFA_LOCAL, &prefix->address) < 0 ||
	    vd_host_put_address(message, IFA_ADDRESS, &prefix->address) < 0)
		return NULL;
	return VD_TAKE(message);
}

int vd_host_ip_address_add(struct nl_sock *socket, uint32_t ifindex, const struct vd_prefix *prefix, struct vd_error *error)
{
	VD_MESSAGE struct nl_msg *message = address_message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, ifindex, prefix);
	char text[VD_PREFIX_TEXT];
	int result;

	if (!message || nla_put_u8(message, IFA_PROTO, VD_HOST_PROTOCOL) < 0)
		return vd_error_set(error, -ENOMEM, "out of memory");
	if (prefix->address.family == VD_FAMILY_IPV4 && prefix->length < 31) {
		struct vd_address broadcast = vd_prefix_last(prefix);

		if (vd_host_put_address(message, IFA_BROADCAST, &broadcast) < 0)
			return vd_error_set(error, -ENOMEM, "out of memory");
	}
	result = vd_host_request(socket, message, NULL, NULL, error);
	return result < 0 ? vd_error_prefix(error, result, "cannot set the address %s", vd_prefix_format(prefix, text)) : 0;
}

int vd_host_ip_address_remove(struct nl_sock *socket, uint32_t ifindex, const struct vd_prefix *prefix, struct vd_error *error)
{
	VD_MESSAGE struct nl_msg *message = address_message(RTM_DELADDR, 0, ifindex, prefix);
	char text[VD_PREFIX_TEXT];
	int result;

	if (!message)
		return vd_error_set(error, -ENOMEM, "out of memory");
	result = vd_host_request(socket, message, NULL, NULL, error);
	if (result < 0 && result != -EADDRNOTAVAIL)
		return vd_error_prefix(error, result, "cannot remove the address %s", vd_prefix_format(prefix, text));
	return 0;
}

struct wanted {
	const struct vd_prefix *prefixes;
	size_t count;
	bool *present;              /* one per prefix */
	struct vd_prefix *unwanted; /* grows */
	size_t unwanted_count;
};

static int compare(const struct vd_host_ip_address *address, void *userdata)
{
	struct wanted *wanted = userdata;
	struct vd_prefix *grown;

	for (size_t i = 0; i < wanted->count; i++) {
		if (vd_address_equal(&wanted->prefixes[i].address, &address->prefix.address) &&
		    wanted->prefixes[i].length == address->prefix.length) {
			wanted->present[i] = true;
			return 0;
		}
	}
	if (address->protocol != VD_HOST_PROTOCOL)
		return 0;
	grown = reallocarray(wanted->unwanted, wanted->unwanted_count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	wanted->unwanted = grown;
	wanted->unwanted[wanted->unwanted_count++] = address->prefix;
	return 0;
}

/* With an old primary its secondaries go; what stands is read again when something was removed. */
static int remove_unwanted(struct nl_sock *socket, uint32_t ifindex, struct wanted *wanted, struct vd_error *error)
{
	int result = vd_host_ip_address_each(socket, ifindex, compare, wanted);

	if (result < 0)
		return vd_error_set(error, result, "cannot read the addresses: %s", strerror(-result));
	for (size_t i = 0; i < wanted->unwanted_count; i++) {
		result = vd_host_ip_address_remove(socket, ifindex, &wanted->unwanted[i], error);
		if (result < 0)
			return result;
	}
	if (!wanted->unwanted_count)
		return 0;
	memset(wanted->present, 0, wanted->count * sizeof(*wanted->present));
	result = vd_host_ip_address_each(socket, ifindex, compare, wanted);
	return result < 0 ? vd_error_set(error, result, "cannot read the addresses: %s", strerror(-result)) : 0;
}

int vd_host_ip_addresses_ensure(struct nl_sock *socket, uint32_t ifindex, const struct vd_prefix *prefixes, size_t count,
				struct vd_error *error)
{
	VD_FREE bool *present = calloc(count + 1, sizeof(*present));
	struct wanted wanted = {.prefixes = prefixes, .count = count, .present = present};
	int result;

	if (!present)
		return vd_error_set(error, -ENOMEM, "out of memory");
	result = remove_unwanted(socket, ifindex, &wanted, error);
	free(wanted.unwanted);
	for (size_t i = 0; i < count && result >= 0; i++) {
		if (!present[i])
			result = vd_host_ip_address_add(socket, ifindex, &prefixes[i], error);
	}
	return result < 0 ? result : 0;
}
