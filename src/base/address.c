/* SPDX-License-Identifier: Apache-2.0 */
#include "base/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

int vd_address_parse(const char *text, struct vd_address *ret)
{
	struct vd_address address = {};

	if (inet_pton(AF_INET, text, address.bytes) == 1)
		address.family = VD_FAMILY_IPV4;
	else if (inet_pton(AF_INET6, text, address.bytes) == 1)
		address.family = VD_FAMILY_IPV6;
	else
		return -EINVAL;

	*ret = address;
	return 0;
}

const char *vd_address_format(const struct vd_address *address, char text[VD_ADDRESS_TEXT])
{
	if (address->family == VD_FAMILY_NONE)
		snprintf(text, VD_ADDRESS_TEXT, "none");
	else
		inet_ntop(address->family == VD_FAMILY_IPV4 ? AF_INET : AF_INET6, address->bytes, text, VD_ADDRESS_TEXT);
	return text;
}

int vd_address_compare(const struct vd_address *a, const struct vd_address *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

bool vd_address_equal(const struct vd_address *a, const struct vd_address *b)
{
	return vd_address_compare(a, b) == 0;
}

unsigned vd_address_bits(const struct vd_address *address)
{
	switch ((enum vd_family)address->family) {
	case VD_FAMILY_IPV4:
		return 32;
	case VD_FAMILY_IPV6:
		return 128;
	case VD_FAMILY_NONE:
		return 0;
	}
	return 0;
}

struct vd_address vd_address_add(const struct vd_address *address, int64_t steps)
{
	struct vd_address sum = *address;
	int64_t carry = steps;

	for (int i = (int)vd_address_bits(address) / 8 - 1; i >= 0 && carry != 0; i--) {
		carry += sum.bytes[i];
		sum.bytes[i] = (uint8_t)carry;
		carry >>= 8;
	}
	return sum;
}

bool vd_address_is_unicast(const struct vd_address *address)
{
	static const uint8_t loopback[16] = {[15] = 1}, unspecified[16] = {};
	const uint8_t *b = address->bytes;

	switch ((enum vd_family)address->family) {
	case VD_FAMILY_IPV4:
		return b[0] != 0 && b[0] != 127 && b[0] < 224 && !(b[0] == 169 && b[1] == 254);
	case VD_FAMILY_IPV6:
		return b[0] != 0xff && !(b[0] == 0xfe && (b[1] & 0xc0) == 0x80) && memcmp(b, loopback, 16) != 0 &&
		       memcmp(b, unspecified, 16) != 0;
	case VD_FAMILY_NONE:
		return false;
	}
	return false;
}

int vd_prefix_parse(const char *text, struct vd_prefix *ret)
{
	char address[VD_ADDRESS_TEXT];
	struct vd_prefix prefix = {};
	const char *slash = strchr(text, '/');
	size_t size = slash ? (size_t)(slash - text) : strlen(text);
	unsigned length = 0;
	int r;

	if (size >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, size);
	address[size] = '\0';

	r = vd_address_parse(address, &prefix.address);
	if (r < 0)
		return r;

	if (!slash) {
		length = vd_address_bits(&prefix.address);
	} else {
		const char *digit = slash + 1;

		if (*digit == '\0' || strlen(digit) > 3)
			return -EINVAL;
		for (; *digit; digit++) {
			if (*digit < '0' || *digit > '9')
				return -EINVAL;
			length = length * 10 + (unsigned)(*digit - '0');
		}
		if (length > vd_address_bits(&prefix.address))
			return -EINVAL;
	}

	prefix.length = (uint8_t)length;
	*ret = prefix;
	return 0;
}

const char *vd_prefix_format(const struct vd_prefix *prefix, char text[VD_PREFIX_TEXT])
{
	char address[VD_ADDRESS_TEXT];

	snprintf(text, VD_PREFIX_TEXT, "%s/%u", vd_address_format(&prefix->address, address), prefix->length);
	return text;
}

/* The bits of byte i that belong to a prefix of this length. */
static uint8_t byte_mask(unsigned length, unsigned i)
{
	if (length >= (i + 1) * 8)
		return 0xff;
	if (length <= i * 8)
		return 0;
	return (uint8_t)(0xff << (8 - (length - i * 8)));
}

bool vd_prefix_normalise(struct vd_prefix *prefix)
{
	bool changed = false;

	for (unsigned i = 0; i < sizeof(prefix->address.bytes); i++) {
		uint8_t kept = prefix->address.bytes[i] & byte_mask(prefix->length, i);

		changed |= kept != prefix->address.bytes[i];
		prefix->address.bytes[i] = kept;
	}
	return changed;
}

bool vd_prefix_contains(const struct vd_prefix *prefix, const struct vd_address *address)
{
	if (prefix->address.family != address->family)
		return false;
	for (unsigned i = 0; i < sizeof(address->bytes); i++)
		if ((prefix->address.bytes[i] ^ address->bytes[i]) & byte_mask(prefix->length, i))
			return false;
	return true;
}

bool vd_prefix_covers(const struct vd_prefix *outer, const struct vd_prefix *inner)
{
	return outer->length <= inner->length && vd_prefix_contains(outer, &inner->address);
}

bool vd_prefix_overlaps(const struct vd_prefix *a, const struct vd_prefix *b)
{
	return vd_prefix_covers(a, b) || vd_prefix_covers(b, a);
}

bool vd_prefix_equal(const struct vd_prefix *a, const struct vd_prefix *b)
{
	return a->length == b->length && vd_prefix_contains(a, &b->address);
}

struct vd_address vd_prefix_first(const struct vd_prefix *prefix)
{
	struct vd_prefix first = *prefix;

	vd_prefix_normalise(&first);
	return first.address;
}

struct vd_address vd_prefix_last(const struct vd_prefix *prefix)
{
	struct vd_address last = prefix->address;

	for (unsigned i = 0; i < vd_address_bits(&last) / 8; i++)
		last.bytes[i] |= (uint8_t)~byte_mask(prefix->length, i);
	return last;
}

struct vd_prefix vd_prefix_of_address(const struct vd_address *address)
{
	return (struct vd_prefix){.address = *address, .length = (uint8_t)vd_address_bits(address)};
}

int vd_mac_parse(const char *text, struct vd_mac *ret)
{
	struct vd_mac mac;

	if (strlen(text) != 17)
		return -EINVAL;
	for (int i = 0; i < 6; i++) {
		unsigned value = 0;

		for (int j = 0; j < 2; j++) {
			char c = text[i * 3 + j];

			if (c >= '0' && c <= '9')
				value = value * 16 + (unsigned)(c - '0');
			else if (c >= 'a' && c <= 'f')
				value = value * 16 + (unsigned)(c - 'a') + 10;
			else if (c >= 'A' && c <= 'F')
				value = value * 16 + (unsigned)(c - 'A') + 10;
			else
				return -EINVAL;
		}
		if (i < 5 && text[i * 3 + 2] != ':')
			return -EINVAL;
		mac.bytes[i] = (uint8_t)value;
	}
	*ret = mac;
	return 0;
}

const char *vd_mac_format(const struct vd_mac *mac, char text[VD_MAC_TEXT])
{
	const uint8_t *b = mac->bytes;

	snprintf(text, VD_MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
	return text;
}

bool vd_mac_equal(const struct vd_mac *a, const struct vd_mac *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool vd_mac_is_zero(const struct vd_mac *mac)
{
	return vd_mac_equal(mac, &(struct vd_mac){});
}

struct vd_address vd_mac_link_local(const struct vd_mac *mac)
{
	const uint8_t *m = mac->bytes;

	return (struct vd_address){
		.family = VD_FAMILY_IPV6,
		.bytes = {0xfe, 0x80, 0, 0, 0, 0, 0, 0, m[0] ^ 2, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]},
	};
}
