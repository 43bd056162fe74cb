/* SPDX-License-Identifier: Apache-2.0 */
#include "model/quantity.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CORES_MAX 4096
#define MEMORY_MIN (32ull << 20)
#define MEMORY_MAX (1ull << 50)
#define PORT_MAX 65535

static int read_cores(const json_t *value, uint32_t *ret)
{
	double cores = json_number_value(value);

	/* Less than a hundredth is less than the kernel hands out. */
	if (!json_is_number(value) || !(cores >= 0.01 && cores <= CORES_MAX))
		return -EINVAL;
	*ret = (uint32_t)(cores * 1000 + 0.5);
	return 0;
}

static json_t *write_cores(uint32_t milli)
{
	if (milli == 0)
		return NULL;
	return milli % 1000 == 0 ? json_integer(milli / 1000) : json_real(milli / 1000.0);
}

/* Decimal digits only, at most nine or so: no sign, no blank. Moves text behind them. */
static int read_digits(const char **text, uint64_t max, uint64_t *ret)
{
	uint64_t number = 0;

	if (**text < '0' || **text > '9')
		return -EINVAL;
	for (; **text >= '0' && **text <= '9'; (*text)++) {
		number = number * 10 + (uint64_t)(**text - '0');
		if (number > max)
			return -EINVAL;
	}
	*ret = number;
	return 0;
}

static int read_memory(const json_t *value, uint64_t *ret)
{
	static const char units[] = "KMGT";
	const char *text = json_string_value(value), *unit;
	uint64_t number;

	if (json_is_integer(value)) {
		if (json_integer_value(value) < 0)
			return -EINVAL;
		number = (uint64_t)json_integer_value(value);
	} else {
		if (!text || read_digits(&text, MEMORY_MAX, &number) < 0)
			return -EINVAL;
		unit = *text ? strchr(units, *text) : NULL;
		if (*text && (!unit || text[1]))
			return -EINVAL;
		for (const char *u = units; unit && u <= unit; u++) {
			if (number > MEMORY_MAX / 1024)
				return -EINVAL;
			number *= 1024;
		}
	}
	if (number < MEMORY_MIN || number > MEMORY_MAX)
		return -EINVAL;
	*ret = number;
	return 0;
}

static json_t *write_memory(uint64_t bytes)
{
	static const char units[] = "\0KMGT";
	int unit = 0;

	if (bytes == 0)
		return NULL;
	while (unit < 4 && bytes % 1024 == 0) {
		bytes /= 1024;
		unit++;
	}
	return unit == 0 ? json_integer((json_int_t)bytes) : json_sprintf("%" PRIu64 "%c", bytes, units[unit]);
}

static int read_ports(const json_t *value, uint32_t ret[2])
{
	const char *text = json_string_value(value);
	uint64_t first, last;

	if (json_is_integer(value)) {
		if (json_integer_value(value) < 1 || json_integer_value(value) > PORT_MAX)
			return -EINVAL;
		first = last = (uint64_t)json_integer_value(value);
	} else {
		if (!text || read_digits(&text, PORT_MAX, &first) < 0)
			return -EINVAL;
		last = first;
		if (*text == '-') {
			text++;
			if (read_digits(&text, PORT_MAX, &last) < 0)
				return -EINVAL;
		}
		if (*text || first < 1 || last < 1)
			return -EINVAL;
	}
	/* Which end is the lower one is judged where the sentence can say so. */
	ret[0] = (uint32_t)first;
	ret[1] = (uint32_t)last;
	return 0;
}

const char *vd_ports_format(uint32_t first, uint32_t last, char text[16])
{
	if (first == 0 && last == 0)
		text[0] = '\0';
	else if (first == last)
		snprintf(text, 16, "%u", first);
	else
		snprintf(text, 16, "%u-%u", first, last);
	return text;
}

static json_t *write_ports(const uint32_t ports[2])
{
	char text[16];

	if (ports[0] == 0 && ports[1] == 0)
		return NULL;
	if (ports[0] == ports[1])
		return json_integer(ports[0]);
	return json_string(vd_ports_format(ports[0], ports[1], text));
}

static int read_icmp_type(const json_t *value, int32_t *ret)
{
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < -1 || number > 255)
		return -EINVAL;
	*ret = (int32_t)number;
	return 0;
}

static int read_range(const json_t *value, struct vd_address_range *ret)
{
	const char *text = json_string_value(value), *dash = text ? strchr(text, '-') : NULL;
	char first[VD_ADDRESS_TEXT];
	struct vd_address_range range;

	if (!dash || (size_t)(dash - text) >= sizeof(first))
		return -EINVAL;
	memcpy(first, text, (size_t)(dash - text));
	first[dash - text] = '\0';
	if (vd_address_parse(first, &range.first) < 0 || vd_address_parse(dash + 1, &range.last) < 0)
		return -EINVAL;
	*ret = range;
	return 0;
}

static json_t *write_range(const struct vd_address_range *range)
{
	char first[VD_ADDRESS_TEXT], last[VD_ADDRESS_TEXT];

	return json_sprintf("%s-%s", vd_address_format(&range->first, first), vd_address_format(&range->last, last));
}

static int read_netmask(const json_t *value, uint32_t *ret)
{
	const char *text = json_string_value(value);
	struct vd_address mask;
	uint32_t bits;

	if (!text || vd_address_parse(text, &mask) < 0 || mask.family != VD_FAMILY_IPV4)
		return -EINVAL;
	bits = (uint32_t)mask.bytes[0] << 24 | (uint32_t)mask.bytes[1] << 16 | (uint32_t)mask.bytes[2] << 8 | mask.bytes[3];
	/* Ones, then zeros. */
	if (bits == 0 || (~bits & (~bits + 1)) != 0)
		return -EINVAL;
	*ret = 0;
	for (; bits != 0; bits <<= 1)
		(*ret)++;
	return 0;
}

static json_t *write_netmask(uint32_t length)
{
	struct vd_address mask = {.family = VD_FAMILY_IPV4};
	char text[VD_ADDRESS_TEXT];

	if (length == 0)
		return NULL;
	for (uint32_t i = 0; i < length; i++)
		mask.bytes[i / 8] |= (uint8_t)(0x80 >> i % 8);
	return json_string(vd_address_format(&mask, text));
}

int vd_quantity_read(enum vd_field_type type, const json_t *value, void *place)
{
	if (type == VD_FIELD_TYPE_CORES)
		return read_cores(value, place);
	if (type == VD_FIELD_TYPE_MEMORY)
		return read_memory(value, place);
	if (type == VD_FIELD_TYPE_PORTS)
		return read_ports(value, place);
	if (type == VD_FIELD_TYPE_ICMP_TYPE)
		return read_icmp_type(value, place);
	if (type == VD_FIELD_TYPE_NETMASK)
		return read_netmask(value, place);
	return read_range(value, place);
}

json_t *vd_quantity_write(enum vd_field_type type, const void *place)
{
	if (type == VD_FIELD_TYPE_CORES)
		return write_cores(*(const uint32_t *)place);
	if (type == VD_FIELD_TYPE_MEMORY)
		return write_memory(*(const uint64_t *)place);
	if (type == VD_FIELD_TYPE_PORTS)
		return write_ports(place);
	if (type == VD_FIELD_TYPE_ICMP_TYPE)
		return *(const int32_t *)place >= 0 ? json_integer(*(const int32_t *)place) : NULL;
	if (type == VD_FIELD_TYPE_NETMASK)
		return write_netmask(*(const uint32_t *)place);
	return write_range(place);
}

bool vd_quantity_equal(enum vd_field_type type, const void *a, const void *b)
{
	const struct vd_address_range *left = a, *right = b;

	if (type == VD_FIELD_TYPE_MEMORY)
		return *(const uint64_t *)a == *(const uint64_t *)b;
	if (type == VD_FIELD_TYPE_PORTS)
		return memcmp(a, b, 2 * sizeof(uint32_t)) == 0;
	if (type == VD_FIELD_TYPE_RANGES)
		return vd_address_equal(&left->first, &right->first) && vd_address_equal(&left->last, &right->last);
	return *(const uint32_t *)a == *(const uint32_t *)b;
}
