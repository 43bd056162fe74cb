/* SPDX-License-Identifier: Apache-2.0 */
#include "containers/row.h"

#include "base/cleanup.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

void vd_container_clear(struct vd_container *container)
{
	free(container->netns);
	free(container->hostname);
	container->netns = container->hostname = NULL;
	for (size_t i = 0; i < VD_CONTAINER_ADDRESSES; i++) {
		free(container->addresses[i].reserved);
		container->addresses[i].reserved = NULL;
	}
}

/* False: memory ran out. */
static bool text_copy(const char *text, char **ret)
{
	*ret = text ? strdup(text) : NULL;
	return *ret || !text;
}

int vd_container_copy(const struct vd_container *container, struct vd_container *ret)
{
	struct vd_container copy = *container;
	bool whole = text_copy(container->netns, &copy.netns);

	whole = text_copy(container->hostname, &copy.hostname) && whole;
	for (size_t i = 0; i < VD_CONTAINER_ADDRESSES; i++)
		whole = text_copy(container->addresses[i].reserved, &copy.addresses[i].reserved) && whole;
	if (!whole) {
		vd_container_clear(&copy);
		return -ENOMEM;
	}
	*ret = copy;
	return 0;
}

/* ---- writing ---- */

static json_t *addresses_encode(const struct vd_container *container)
{
	json_t *all = json_array();

	for (size_t i = 0; i < VD_CONTAINER_ADDRESSES; i++) {
		const struct vd_container_address *address = &container->addresses[i];
		char text[VD_PREFIX_TEXT], gateway[VD_ADDRESS_TEXT];

		if (address->prefix.address.family == VD_FAMILY_NONE)
			continue;
		json_array_append_new(all, json_pack("{s:s, s:s, s:b, s:s*}", "address", vd_prefix_format(&address->prefix, text),
						     "gateway", vd_address_format(&address->gateway, gateway), "moved",
						     address->moved, "reserved", address->reserved));
	}
	return all;
}

char *vd_row_encode(const struct vd_container *container)
{
	char mac[VD_MAC_TEXT], *text;
	json_t *row;

	row = json_pack("{s:s, s:s, s:I, s:i, s:I, s:I, s:b, s:s*, s:I, s:I, s:s, s:s*, s:s, s:o, s:I, s:I, s:I, s:I, s:I}", "key",
			container->key, "network", container->network, "domain", (json_int_t)container->domain, "state",
			(int)container->state, "port", (json_int_t)container->port, "ifindex", (json_int_t)container->ifindex,
			"native", container->native, "netns", container->netns, "netns_device", (json_int_t)container->netns_device,
			"netns_inode", (json_int_t)container->netns_inode, "ifname", container->ifname, "hostname",
			container->hostname, "mac", vd_mac_format(&container->mac, mac), "addresses", addresses_encode(container),
			"rate_in", (json_int_t)container->rate_in, "burst_in", (json_int_t)container->burst_in, "rate_out",
			(json_int_t)container->rate_out, "burst_out", (json_int_t)container->burst_out, "since",
			(json_int_t)container->since);
	text = row ? json_dumps(row, JSON_COMPACT) : NULL;
	json_decref(row);
	return text;
}

/* ---- reading ---- */

static uint64_t number(const json_t *row, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(row, name));
}

static const char *text_of(const json_t *row, const char *name)
{
	const char *text = json_string_value(json_object_get(row, name));

	return text ? text : "";
}

static int addresses_decode(const json_t *all, struct vd_container *ret)
{
	size_t count = json_array_size(all);

	if (count > VD_CONTAINER_ADDRESSES)
		return -EINVAL;
	for (size_t i = 0; i < count; i++) {
		const json_t *one = json_array_get(all, i);
		struct vd_container_address *address = &ret->addresses[i];

		if (vd_prefix_parse(text_of(one, "address"), &address->prefix) < 0)
			return -EINVAL;
		/* A container on its own may have none. */
		if (vd_address_parse(text_of(one, "gateway"), &address->gateway) < 0)
			address->gateway = (struct vd_address){0};
		address->moved = json_is_true(json_object_get(one, "moved"));
		if (!text_copy(json_string_value(json_object_get(one, "reserved")), &address->reserved))
			return -ENOMEM;
	}
	return 0;
}

static bool text_fits(const json_t *row, const char *name, char *to, size_t size)
{
	const char *text = text_of(row, name);

	if (strlen(text) >= size)
		return false;
	strcpy(to, text);
	return true;
}

static int strings_decode(const json_t *row, struct vd_container *ret)
{
	return text_copy(json_string_value(json_object_get(row, "netns")), &ret->netns) &&
			       text_copy(json_string_value(json_object_get(row, "hostname")), &ret->hostname)
		       ? 0
		       : -ENOMEM;
}

static int decode(const json_t *row, struct vd_container *ret)
{
	uint64_t state = number(row, "state");

	if (!text_fits(row, "key", ret->key, sizeof(ret->key)) || !ret->key[0] ||
	    !text_fits(row, "network", ret->network, sizeof(ret->network)) ||
	    !text_fits(row, "ifname", ret->ifname, sizeof(ret->ifname)) || vd_mac_parse(text_of(row, "mac"), &ret->mac) < 0 ||
	    state < VD_CONTAINER_STATE_RESERVED || state > VD_CONTAINER_STATE_UP)
		return -EINVAL;
	ret->state = (enum vd_container_state)state;
	ret->domain = (uint32_t)number(row, "domain");
	ret->port = (uint32_t)number(row, "port");
	ret->ifindex = (uint32_t)number(row, "ifindex");
	ret->native = json_is_true(json_object_get(row, "native"));
	ret->netns_device = number(row, "netns_device");
	ret->netns_inode = number(row, "netns_inode");
	ret->rate_in = number(row, "rate_in");
	ret->burst_in = number(row, "burst_in");
	ret->rate_out = number(row, "rate_out");
	ret->burst_out = number(row, "burst_out");
	ret->since = (int64_t)number(row, "since");
	return addresses_decode(json_object_get(row, "addresses"), ret);
}

int vd_row_decode(const char *text, struct vd_container *ret)
{
	struct vd_container container = {0};
	json_t *row = json_loads(text, 0, NULL);
	int r = row ? decode(row, &container) : -EINVAL;

	if (r == 0)
		r = strings_decode(row, &container);
	json_decref(row);
	if (r < 0) {
		vd_container_clear(&container);
		return r;
	}
	*ret = container;
	return 0;
}
