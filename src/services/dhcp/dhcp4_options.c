/* SPDX-License-Identifier: Apache-2.0 */
#include "services/dhcp/dhcp4_options.h"

#include <errno.h>
#include <string.h>

/* Where "sname" and "file" lie in a message, and which bit of option 52 says that they hold options. */
#define SNAME_OFFSET 44
#define SNAME_SIZE 64
#define FILE_OFFSET 108
#define FILE_SIZE 128
#define OVERLOAD_FILE 1
#define OVERLOAD_SNAME 2

#define MIN_MAX_SIZE 576 /* every client takes that much */
#define PIECE_MAX 255
#define VALUE_MAX 1500 /* of an option in pieces: no answer is larger */

static bool address_read(const uint8_t *data, size_t size, struct vd_address *ret)
{
	*ret = (struct vd_address){.family = VD_FAMILY_IPV4};
	if (size == 4)
		memcpy(ret->bytes, data, 4);
	return size == 4;
}

/* An option in pieces is the pieces put together (RFC 3396). */
static bool append(uint8_t bytes[255], size_t *count, const uint8_t *data, size_t size)
{
	if (size > 255 - *count)
		return false;
	memcpy(bytes + *count, data, size);
	*count += size;
	return true;
}

static bool option_read(uint8_t code, const uint8_t *data, size_t size, struct vd_dhcp4_options *options, uint8_t *overload)
{
	switch (code) {
	case VD_DHCP4_OPTION_REQUESTED_ADDRESS:
		return address_read(data, size, &options->requested);
	case VD_DHCP4_OPTION_SERVER:
		return address_read(data, size, &options->server);
	case VD_DHCP4_OPTION_MESSAGE:
		options->message = size == 1 ? data[0] : 0;
		return size == 1;
	case VD_DHCP4_OPTION_OVERLOAD:
		*overload = size == 1 ? data[0] : 0;
		return size == 1;
	case VD_DHCP4_OPTION_PARAMETERS:
		return append(options->wanted, &options->wanted_count, data, size);
	case VD_DHCP4_OPTION_CLIENT_ID:
		return append(options->client_id, &options->client_id_size, data, size);
	case VD_DHCP4_OPTION_MAX_SIZE:
		if (size == 2 && (data[0] << 8 | data[1]) > MIN_MAX_SIZE)
			options->max_size = (uint16_t)(data[0] << 8 | data[1]);
		return size == 2;
	}
	return true;
}

static int area_read(const uint8_t *area, size_t size, struct vd_dhcp4_options *options, uint8_t *overload)
{
	for (size_t i = 0; i < size && area[i] != VD_DHCP4_OPTION_END;) {
		if (area[i] == VD_DHCP4_OPTION_PAD) {
			i++;
			continue;
		}
		if (size - i < 2 || area[i + 1] > size - i - 2)
			return -EINVAL;
		if (!option_read(area[i], area + i + 2, area[i + 1], options, overload))
			return -EINVAL;
		i += 2u + area[i + 1];
	}
	return 0;
}

int vd_dhcp4_options_parse(const uint8_t *message, size_t size, struct vd_dhcp4_options *ret)
{
	struct vd_dhcp4_options options = {.max_size = MIN_MAX_SIZE};
	uint8_t overload = 0, nested;
	int result = area_read(message + VD_DHCP4_HEADER_SIZE, size - VD_DHCP4_HEADER_SIZE, &options, &overload);

	/* "file" comes before "sname" (RFC 2131 section 4.1). */
	if (!result && overload & OVERLOAD_FILE)
		result = area_read(message + FILE_OFFSET, FILE_SIZE, &options, &nested);
	if (!result && overload & OVERLOAD_SNAME)
		result = area_read(message + SNAME_OFFSET, SNAME_SIZE, &options, &nested);
	if (!result)
		*ret = options;
	return result;
}

/* Code and data, in pieces of 255 bytes where it is longer; an option without data is none. */
static void option_write(struct vd_writer *writer, uint8_t code, const uint8_t *data, size_t size)
{
	struct vd_writer before = *writer;

	while (size) {
		size_t piece = size > PIECE_MAX ? PIECE_MAX : size;

		vd_writer_u8(writer, code);
		vd_writer_u8(writer, (uint8_t)piece);
		vd_writer_bytes(writer, data, piece);
		data += piece;
		size -= piece;
	}
	if (writer->full)
		*writer = before;
}

static struct vd_address mask_of(const struct vd_prefix *prefix)
{
	struct vd_prefix all = {.address = {.family = VD_FAMILY_IPV4, .bytes = {255, 255, 255, 255}}, .length = prefix->length};

	return vd_prefix_first(&all);
}

static void route_write(struct vd_writer *writer, const struct vd_prefix *destination, const struct vd_address *gateway)
{
	vd_writer_u8(writer, destination->length);
	vd_writer_bytes(writer, destination->address.bytes, (destination->length + 7) / 8);
	vd_writer_address(writer, gateway);
}

/*
 * A client that takes these takes no router option (RFC 3442), so the default route stands here too. A port that is not its instance's
 * default has routes to its VPC, and the way out stays with the other.
 */
static void routes_write(struct vd_writer *writer, const struct vd_dhcp4_lease *lease)
{
	static const struct vd_prefix all = {.address.family = VD_FAMILY_IPV4};
	static const struct vd_prefix metadata = {.address = {VD_FAMILY_IPV4, {169, 254, 169, 254}}, .length = 32};
	const struct vd_address *gateway = &lease->subnet->gateway4,
				*server = vd_router_subnet_server(lease->subnet, VD_FAMILY_IPV4);

	if (gateway->family && lease->port->is_default)
		route_write(writer, &all, gateway);
	for (size_t i = 0; gateway->family && !lease->port->is_default && i < lease->port->vpc_cidr_count; i++) {
		struct vd_prefix cidr = lease->port->vpc_cidrs[i];

		vd_prefix_normalise(&cidr);
		if (cidr.address.family == VD_FAMILY_IPV4)
			route_write(writer, &cidr, gateway);
	}
	if (server->family)
		route_write(writer, &metadata, server);
}

/* The data of one option; empty when this lease has none. */
static void data_write(struct vd_writer *writer, uint8_t code, const struct vd_dhcp4_lease *lease)
{
	const struct vd_router_subnet *subnet = lease->subnet;
	struct vd_address address;

	switch (code) {
	case VD_DHCP4_OPTION_SUBNET_MASK:
		address = mask_of(&lease->address);
		vd_writer_address(writer, &address);
		break;
	case VD_DHCP4_OPTION_ROUTER:
		if (lease->port->is_default)
			vd_writer_address(writer, &subnet->gateway4);
		break;
	case VD_DHCP4_OPTION_DNS:
		vd_writer_address(writer, vd_router_subnet_server(subnet, VD_FAMILY_IPV4));
		break;
	case VD_DHCP4_OPTION_HOSTNAME:
		vd_writer_bytes(writer, lease->port->hostname, strlen(lease->port->hostname));
		break;
	case VD_DHCP4_OPTION_DOMAIN:
		vd_writer_bytes(writer, subnet->domain, strlen(subnet->domain));
		break;
	case VD_DHCP4_OPTION_MTU:
		vd_writer_u16(writer, (uint16_t)lease->port->mtu);
		break;
	case VD_DHCP4_OPTION_BROADCAST:
		address = vd_prefix_last(&lease->address);
		if (lease->address.length <= 30)
			vd_writer_address(writer, &address);
		break;
	case VD_DHCP4_OPTION_DOMAIN_SEARCH:
		vd_writer_domain(writer, subnet->domain);
		break;
	case VD_DHCP4_OPTION_ROUTES:
		routes_write(writer, lease);
		break;
	}
}

static const uint8_t offered[] = {VD_DHCP4_OPTION_SUBNET_MASK, VD_DHCP4_OPTION_ROUTES,    VD_DHCP4_OPTION_ROUTER,
				  VD_DHCP4_OPTION_DNS,         VD_DHCP4_OPTION_MTU,       VD_DHCP4_OPTION_HOSTNAME,
				  VD_DHCP4_OPTION_DOMAIN,      VD_DHCP4_OPTION_BROADCAST, VD_DHCP4_OPTION_DOMAIN_SEARCH};

/* Unless it stands there already: a client may ask twice for one. */
static void lease_option_write(struct vd_writer *writer, uint8_t code, const struct vd_dhcp4_lease *lease, bool written[256])
{
	uint8_t data[VALUE_MAX];
	struct vd_writer value = {.data = data, .limit = sizeof(data)};

	if (written[code] || !memchr(offered, code, sizeof(offered)))
		return;
	written[code] = true;
	data_write(&value, code, lease);
	if (!value.full)
		option_write(writer, code, data, value.size);
}

static void time_write(struct vd_writer *writer, uint8_t code, uint64_t seconds)
{
	uint8_t data[4];
	struct vd_writer value = {.data = data, .limit = sizeof(data)};

	vd_writer_u32(&value, (uint32_t)seconds);
	option_write(writer, code, data, sizeof(data));
}

void vd_dhcp4_options_write(struct vd_writer *writer, const struct vd_dhcp4_lease *lease, const struct vd_dhcp4_options *asked,
			    bool times)
{
	bool written[256] = {};

	if (times) {
		time_write(writer, VD_DHCP4_OPTION_LEASE_TIME, lease->subnet->lease);
		time_write(writer, VD_DHCP4_OPTION_RENEWAL_TIME, lease->subnet->lease / 2);
		time_write(writer, VD_DHCP4_OPTION_REBINDING_TIME, lease->subnet->lease * 7ull / 8);
	}
	for (size_t i = 0; i < asked->wanted_count; i++)
		lease_option_write(writer, asked->wanted[i], lease, written);
	for (size_t i = 0; i < sizeof(offered); i++)
		lease_option_write(writer, offered[i], lease, written);
}
