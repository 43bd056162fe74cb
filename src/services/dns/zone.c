/* SPDX-License-Identifier: Apache-2.0 */
#include "services/dns/zone.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define IPV4_SUFFIX ".in-addr.arpa"
#define IPV6_SUFFIX ".ip6.arpa"

/* Takes the suffix off the name's end; the rest's length, or 0 when it does not end so or nothing would be left. */
static size_t without_suffix(const char *name, const char *suffix)
{
	size_t length = strlen(name), suffix_length = strlen(suffix);

	if (length <= suffix_length || strcmp(name + length - suffix_length, suffix) != 0)
		return 0;
	return length - suffix_length;
}

static int reverse4_parse(const char *name, size_t length, struct vd_address *ret)
{
	struct vd_address address = {.family = VD_FAMILY_IPV4};
	const char *end = name + length;

	for (int i = 3; i >= 0; i--) {
		unsigned value = 0, digits = 0;

		while (name < end && isdigit((unsigned char)*name) && digits < 3) {
			value = value * 10 + (unsigned)(*name++ - '0');
			digits++;
		}
		/* "01" is a name of its own, and of no address. */
		if (digits == 0 || value > 255 || (digits > 1 && name[-(int)digits] == '0'))
			return -EINVAL;
		if (i > 0 ? name == end || *name++ != '.' : name != end)
			return -EINVAL;
		address.bytes[i] = (uint8_t)value;
	}
	*ret = address;
	return 0;
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 32 nibbles, the lowest first, with a dot between each two. */
static int reverse6_parse(const char *name, size_t length, struct vd_address *ret)
{
	struct vd_address address = {.family = VD_FAMILY_IPV6};

	if (length != 63)
		return -EINVAL;
	for (unsigned i = 0; i < 32; i++) {
		int value = nibble(name[2 * i]);

		if (value < 0 || (i < 31 && name[2 * i + 1] != '.'))
			return -EINVAL;
		address.bytes[15 - i / 2] |= (uint8_t)(i % 2 ? value << 4 : value);
	}
	*ret = address;
	return 0;
}

int vd_zone_reverse_parse(const char *name, struct vd_address *ret)
{
	size_t length = without_suffix(name, IPV4_SUFFIX);

	if (length)
		return reverse4_parse(name, length, ret);
	length = without_suffix(name, IPV6_SUFFIX);
	return length ? reverse6_parse(name, length, ret) : -EINVAL;
}

void vd_zone_name(const struct vd_router_state *state, char ret[VD_ZONE_NAME_SIZE])
{
	const struct vd_router *router = vd_router_state_router(state);

	ret[0] = '\0';
	if (router)
		snprintf(ret, VD_ZONE_NAME_SIZE, "%s.internal.", router->vpc);
}

struct search {
	const struct vd_router_state *state;
	const char *name;                 /* lower case, no dot at the end */
	const struct vd_address *address; /* of a reverse name */
	const struct vd_router_name *record;
	bool ours;
};

static const struct vd_router_name *port_below(const struct search *search, const char *zone)
{
	char suffix[VD_ZONE_NAME_SIZE + 2], host[VD_ZONE_NAME_SIZE];
	size_t length;

	snprintf(suffix, sizeof(suffix), ".%s", zone);
	length = without_suffix(search->name, suffix);
	if (length == 0)
		return NULL;
	snprintf(host, sizeof(host), "%.*s", (int)length, search->name);
	return vd_router_state_addresses_by_name(search->state, host);
}

static int search_domain(const struct vd_router_subnet *subnet, void *userdata)
{
	struct search *search = userdata;
	char domain[VD_ZONE_NAME_SIZE];
	size_t length;

	snprintf(domain, sizeof(domain), "%s", subnet->domain ? subnet->domain : "");
	length = strlen(domain);
	if (length > 0 && domain[length - 1] == '.')
		domain[--length] = '\0';
	for (size_t i = 0; i < length; i++)
		domain[i] = (char)tolower((unsigned char)domain[i]);
	if (length > 0)
		search->record = port_below(search, domain);
	return search->record != NULL;
}

static int search_cidr(const struct vd_router_subnet *subnet, void *userdata)
{
	struct search *search = userdata;

	search->ours = vd_prefix_contains(&subnet->cidr4, search->address) || vd_prefix_contains(&subnet->cidr6, search->address);
	return search->ours;
}

static struct vd_zone_answer found(enum vd_zone_result result, const struct vd_router_name *record)
{
	return (struct vd_zone_answer){.result = result, .record = record};
}

static struct vd_zone_answer find_reverse(struct search *search)
{
	const struct vd_router_name *record = vd_router_state_name_by_address(search->state, search->address);

	if (record)
		return found(VD_ZONE_RESULT_REVERSE, record);
	vd_router_state_each_subnet(search->state, search_cidr, search);
	return found(search->ours ? VD_ZONE_RESULT_UNKNOWN : VD_ZONE_RESULT_ELSEWHERE, NULL);
}

static struct vd_zone_answer find_forward(struct search *search)
{
	char zone[VD_ZONE_NAME_SIZE], suffix[VD_ZONE_NAME_SIZE + 2];
	size_t length;

	vd_zone_name(search->state, zone);
	length = strlen(zone);
	if (length > 0)
		zone[length - 1] = '\0'; /* the dot */
	if (length > 0 && strcmp(search->name, zone) == 0)
		return found(VD_ZONE_RESULT_APEX, NULL);
	if (length > 0)
		search->record = port_below(search, zone);
	if (!search->record)
		vd_router_state_each_subnet(search->state, search_domain, search);
	if (search->record)
		return found(VD_ZONE_RESULT_ADDRESSES, search->record);
	snprintf(suffix, sizeof(suffix), ".%s", zone);
	return found(length > 0 && without_suffix(search->name, suffix) ? VD_ZONE_RESULT_UNKNOWN : VD_ZONE_RESULT_ELSEWHERE, NULL);
}

struct vd_zone_answer vd_zone_find(const struct vd_router_state *state, const char *name)
{
	char lower[VD_ZONE_NAME_SIZE];
	struct vd_address address;
	struct search search = {.state = state, .name = lower};
	size_t length = strlen(name);

	if (length >= sizeof(lower))
		return found(VD_ZONE_RESULT_ELSEWHERE, NULL);
	for (size_t i = 0; i <= length; i++)
		lower[i] = (char)tolower((unsigned char)name[i]);
	if (length > 0 && lower[length - 1] == '.')
		lower[length - 1] = '\0';
	if (vd_zone_reverse_parse(lower, &address) < 0)
		return find_forward(&search);
	search.address = &address;
	return find_reverse(&search);
}
