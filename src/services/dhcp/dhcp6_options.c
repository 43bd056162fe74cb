/* SPDX-License-Identifier: Apache-2.0 */
#include "services/dhcp/dhcp6_options.h"

#include <errno.h>
#include <string.h>

#define OPTION_HEADER 4
#define IA_HEADER 12      /* id, T1, T2 */
#define ADDRESS_HEADER 24 /* address, preferred and valid lifetime */

static size_t get16(const uint8_t *bytes)
{
	return (size_t)(bytes[0] << 8 | bytes[1]);
}

/* Cuts the next option off; 1, 0 at the end, or -EINVAL. */
static int next(const uint8_t **at, size_t *left, size_t *ret_code, const uint8_t **ret_data, size_t *ret_size)
{
	if (!*left)
		return 0;
	if (*left < OPTION_HEADER || get16(*at + 2) > *left - OPTION_HEADER)
		return -EINVAL;
	*ret_code = get16(*at);
	*ret_data = *at + OPTION_HEADER;
	*ret_size = get16(*at + 2);
	*at += OPTION_HEADER + *ret_size;
	*left -= OPTION_HEADER + *ret_size;
	return 1;
}

static int ia_read(const uint8_t *data, size_t size, struct vd_dhcp6_options *options)
{
	struct vd_dhcp6_ia ia = {};
	const uint8_t *at, *value;
	size_t left, code, length;
	int result;

	if (size < IA_HEADER)
		return -EINVAL;
	ia.id = (uint32_t)get16(data) << 16 | (uint32_t)get16(data + 2);
	at = data + IA_HEADER;
	left = size - IA_HEADER;
	while ((result = next(&at, &left, &code, &value, &length)) > 0) {
		if (code != VD_DHCP6_OPTION_ADDRESS)
			continue;
		if (length < ADDRESS_HEADER)
			return -EINVAL;
		if (ia.address_count == VD_DHCP6_ADDRESS_MAX)
			continue;
		ia.addresses[ia.address_count].family = VD_FAMILY_IPV6;
		memcpy(ia.addresses[ia.address_count++].bytes, value, 16);
	}
	if (!result && options->ia_count < VD_DHCP6_IA_MAX)
		options->ias[options->ia_count++] = ia;
	return result;
}

static int identifier_read(const uint8_t *data, size_t size, const uint8_t **ret, size_t *ret_size)
{
	if (*ret || !size || size > VD_DHCP6_DUID_MAX)
		return -EINVAL;
	*ret = data;
	*ret_size = size;
	return 0;
}

static int option_read(size_t code, const uint8_t *data, size_t size, struct vd_dhcp6_options *options)
{
	switch (code) {
	case VD_DHCP6_OPTION_CLIENT_ID:
		return identifier_read(data, size, &options->client_id, &options->client_id_size);
	case VD_DHCP6_OPTION_SERVER_ID:
		return identifier_read(data, size, &options->server_id, &options->server_id_size);
	case VD_DHCP6_OPTION_IA_NA:
		return ia_read(data, size, options);
	case VD_DHCP6_OPTION_RAPID_COMMIT:
		options->rapid_commit = true;
		return 0;
	}
	return 0;
}

int vd_dhcp6_options_parse(const uint8_t *message, size_t size, struct vd_dhcp6_options *ret)
{
	struct vd_dhcp6_options options = {};
	const uint8_t *at = message + VD_DHCP6_HEADER_SIZE, *data;
	size_t left = size - VD_DHCP6_HEADER_SIZE, code, length;
	int result;

	while ((result = next(&at, &left, &code, &data, &length)) > 0) {
		result = option_read(code, data, length, &options);
		if (result < 0)
			return result;
	}
	if (!result)
		*ret = options;
	return result;
}
